import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PID_LIMIT } from './pid-range.ts';
import { hasSharedPid, SharedPids } from './shared-pids.ts';

test('other threads see what is in the set', () => {
  const pid = fc.integer({ min: 0, max: PID_LIMIT - 1 });
  fc.assert(
    fc.property(fc.array(fc.record({ pid, isAdded: fc.boolean() })), fc.array(pid), (changes, others) => {
      const pids = new SharedPids();
      for (const change of changes) {
        if (change.isAdded) pids.add(change.pid);
        else pids.delete(change.pid);
      }
      for (const each of [...others, ...changes.map((change) => change.pid)]) assert.equal(hasSharedPid(pids.bits, each), pids.has(each));
      pids.clear();
      for (const change of changes) assert.equal(hasSharedPid(pids.bits, change.pid), false);
    }),
  );
});
