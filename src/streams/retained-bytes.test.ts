import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RetainedBytes } from './retained-bytes.ts';

test('what is retained is always the end of what was pushed, from the last confirmed position on', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.nat(30))), (start, steps) => {
      const retained = new RetainedBytes(start, 64);
      let all: number[] = [];
      let confirmed = start;
      for (const step of steps) {
        if (typeof step === 'number') retained.confirm((confirmed = Math.min(confirmed + step, retained.end)));
        else {
          retained.push(step);
          all = [...all, ...step];
        }
        assert.equal(retained.start, confirmed);
        assert.deepEqual(Array.from(Buffer.concat(retained.chunks)), all.slice(confirmed - start));
        assert.equal(retained.isEmpty, confirmed === retained.end);
        assert.equal(retained.hasRoom, retained.end - confirmed < 64);
      }
    }),
  );
});

test('nobody confirms what was not sent, or takes a confirmation back', () => {
  const retained = new RetainedBytes(10, 100);
  retained.push(Uint8Array.of(1, 2, 3));
  assert.throws(() => retained.confirm(14), RangeError);
  retained.confirm(12);
  assert.throws(() => retained.confirm(11), RangeError);
});
