import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Directory } from './directory.ts';

const HOME = 1;
const PID = 65_536;

test('a process that moves leaves husks behind, which are told of it until they are dropped', () => {
  const directory = new Directory(HOME);
  assert.deepEqual(directory.others(PID, HOME), []);
  directory.moved(PID, HOME, 2);
  assert.equal(directory.nodeOf(PID), 2);
  assert.deepEqual(directory.others(PID, HOME), [2]);
  directory.moved(PID, 2, 3);
  assert.deepEqual(new Set(directory.others(PID, 3)), new Set([HOME, 2]));
  directory.dropped(PID, 2);
  assert.deepEqual(directory.others(PID, 3), [HOME]);
  directory.moved(PID, 3, HOME);
  assert.deepEqual(directory.others(PID, HOME), [3]);
  directory.dropped(PID, 3);
  assert.ok(!directory.has(PID));
});

test('whatever is told in whatever order: the home is among those to tell, who tells is not, and nobody is told twice', () => {
  const node = fc.integer({ min: 1, max: 4 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('moved' as const), from: node, to: node }),
    fc.record({ kind: fc.constant('held' as const), by: node }),
    fc.record({ kind: fc.constant('dropped' as const), by: node }),
  );
  fc.assert(
    fc.property(fc.array(step), node, (steps, teller) => {
      const directory = new Directory(HOME);
      for (const told of steps) {
        if (told.kind === 'moved') directory.moved(PID, told.from, told.to);
        else if (told.kind === 'held') directory.held(PID, told.by);
        else directory.dropped(PID, told.by);
      }
      const others = directory.others(PID, teller);
      assert.equal(new Set(others).size, others.length);
      assert.ok(!others.includes(teller));
      assert.equal(others.includes(HOME), teller !== HOME);
      const place = directory.nodeOf(PID);
      assert.ok(place === teller || others.includes(place));
    }),
  );
});
