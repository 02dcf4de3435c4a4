import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isKorriganError } from '../../linux/errors.ts';
import { DATA_LIMIT, encodeFrame, FrameDecoder, inPieces } from './frames.ts';
import type { Frame } from './frames.ts';

const data = fc.uint8Array({ maxLength: 2000 });
const exitStatus = fc.oneof(
  fc.record({ kind: fc.constant('exited' as const), code: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('signalled' as const), signal: fc.integer({ min: 1, max: 64 }), coreDumped: fc.boolean() }),
);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('request' as const), body: fc.jsonValue() }),
  fc.record({ type: fc.constantFrom('stdin' as const, 'stdout' as const, 'stderr' as const), data }),
  fc.constant<Frame>({ type: 'stdin-end' }),
  fc.record({ type: fc.constant('resize' as const), columns: fc.nat(65_535), rows: fc.nat(65_535) }),
  fc.record({ type: fc.constant('signal' as const), signal: fc.nat(255) }),
  fc.record({ type: fc.constant('stdin-credit' as const), bytes: fc.nat(0xffff_ffff) }),
  fc.record({ type: fc.constant('started' as const), process: fc.record({ pid: fc.nat(), node: fc.string({ maxLength: 64 }) }) }),
  fc.record({ type: fc.constant('exit' as const), status: exitStatus }),
  fc.record({ type: fc.constant('error' as const), error: fc.record({ code: fc.string(), message: fc.string() }) }),
);

/** `bytes` cut at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

/** As it would be after JSON and a Buffer: for comparison. */
const plain = (value: Frame): unknown =>
  'data' in value ? { ...value, data: Array.from(value.data) } : (JSON.parse(JSON.stringify(value)) as unknown);

test('frames come out as they went in, however the bytes were cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (frames, places) => {
      const decoder = new FrameDecoder();
      const received = cut(Buffer.concat(frames.map(encodeFrame)), places).flatMap((piece) => decoder.push(piece));
      assert.deepEqual(received.map(plain), frames.map(plain));
    }),
  );
});

test('any bytes either are frames or end in KRG_BAD_REQUEST', () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new FrameDecoder().push(bytes);
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_BAD_REQUEST'), String(error));
        refused += 1;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(refused > 100, `only ${refused} of 2000 were refused`);
});

test('a frame that claims more than its type allows is refused by its header alone', () => {
  const header = Buffer.alloc(5);
  header.writeUInt8(0x02);
  header.writeUInt32BE(DATA_LIMIT + 1, 1);
  assert.throws(() => new FrameDecoder().push(header), {
    code: 'KRG_BAD_REQUEST',
    message: /stdin frame holds at most 65536 bytes, not 65537/,
  });
});

test('data is cut into pieces that fit', () => {
  const pieces = Array.from(inPieces(new Uint8Array(150_000)), (piece) => piece.length);
  assert.deepEqual(pieces, [65_536, 65_536, 18_928]);
  assert.throws(() => encodeFrame({ type: 'stdout', data: new Uint8Array(DATA_LIMIT + 1) }), RangeError);
});
