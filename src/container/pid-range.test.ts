import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_RANGE_WIDTH, nodeOfPid, pidRangeOf } from './pid-range.ts';

test('every pid of a range belongs to its node, and the ranges touch without overlap', () => {
  const width = fc.constantFrom(16_384, DEFAULT_RANGE_WIDTH);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 62 }), width, fc.nat(16_383), (node, pids, offset) => {
      const { low, high } = pidRangeOf(node, pids);
      assert.equal(nodeOfPid(low + offset, pids), node);
      assert.equal(nodeOfPid(high - 1, pids), node);
      assert.equal(high, pidRangeOf(node + 1, pids).low);
    }),
  );
});

test('there are 63 ranges of 65,536 and 255 of 16,384', () => {
  pidRangeOf(63);
  assert.throws(() => pidRangeOf(64), RangeError);
  pidRangeOf(255, 16_384);
  assert.throws(() => pidRangeOf(256, 16_384), RangeError);
  assert.throws(() => pidRangeOf(0), RangeError);
});
