import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isKorriganError } from '../linux/errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from './frames.ts';

const channel = fc.nat(255);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('data' as const), channel, bytes: fc.uint8Array({ minLength: 1, maxLength: 40_000 }) }),
  fc.record({ type: fc.constant('written' as const), channel, position: fc.maxSafeNat() }),
  fc.record({ type: fc.constantFrom('end' as const, 'closed' as const), channel }),
  fc.record({ type: fc.constant('message' as const), value: fc.jsonValue() }),
);

/** For comparison: data in one piece, values as they are after JSON. */
function joined(frames: readonly Frame[]): unknown[] {
  const result: unknown[] = [];
  let open: { channel: number; bytes: number[] } | undefined;
  for (const each of frames) {
    if (each.type === 'data' && open?.channel === each.channel) {
      open.bytes.push(...each.bytes);
      continue;
    }
    open = each.type === 'data' ? { channel: each.channel, bytes: [...each.bytes] } : undefined;
    result.push(open ?? JSON.parse(JSON.stringify(each)));
  }
  return result;
}

test('frames come out as they went in, however the bytes were cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 30 }), (frames, places) => {
      const bytes = Buffer.concat(frames.flatMap(encodeFrame));
      const edges = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
      const decoder = new FrameDecoder();
      const received = edges.slice(1).flatMap((edge, index) => decoder.push(bytes.subarray(edges[index], edge)));
      assert.deepEqual(joined(received), joined(frames));
    }),
    { numRuns: 200 },
  );
});

test('garbage is refused by name, whatever it is, or understood', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 200 }), (bytes) => {
      try {
        new FrameDecoder().push(bytes);
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_BAD_REQUEST'), String(error));
      }
    }),
  );
  for (const header of [
    [9, 0, 0, 0, 0, 0, 0, 0],
    [1, 0, 1, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 255, 0, 0, 0],
    [2, 0, 0, 0, 0, 0, 0, 7],
    [3, 0, 0, 0, 0, 0, 0, 1],
  ]) {
    assert.throws(() => new FrameDecoder().push(Uint8Array.from(header)), { code: 'KRG_BAD_REQUEST' });
  }
});
