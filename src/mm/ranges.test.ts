import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { intersect, normalize, subtract, type Range } from './ranges.ts';

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 10 })))
  .map((pairs) => pairs.map(([start, length]): Range => ({ start, end: start + length })));

function points(set: readonly Range[]): Set<number> {
  const found = new Set<number>();
  for (const { start, end } of set) for (let n = start; n < end; n++) found.add(n);
  return found;
}

test('ranges behave as the sets of points they stand for', () => {
  fc.assert(
    fc.property(ranges, ranges, (first, second) => {
      const a = normalize(first);
      const b = normalize(second);
      assert.deepEqual(points(a), points(first));
      assert.deepEqual(points(subtract(a, b)), points(first).difference(points(second)));
      assert.deepEqual(points(intersect(a, b)), points(first).intersection(points(second)));
    }),
  );
});

test('results stay sorted, disjoint and without empty ranges', () => {
  fc.assert(
    fc.property(ranges, ranges, (first, second) => {
      const result = subtract(normalize(first), normalize(second));
      assert.deepEqual(result, normalize(result));
    }),
  );
});
