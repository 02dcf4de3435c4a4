import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKorriganError } from '../linux/errors.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, type FrameType, HEADER_BYTES, NO_BYTES } from './frame.ts';

const SIZES = { body: 1000, trailer: 2000 };

const frames = fc.record({
  type: fc.constantFrom<FrameType>(...Object.values(FRAME)),
  id: fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constant(7)),
  body: fc.oneof(fc.uint8Array({ maxLength: SIZES.body }), fc.constant(NO_BYTES)),
  trailer: fc.uint8Array({ maxLength: SIZES.trailer }),
});

/** With the parts of a stream's raw bytes joined, which may be delivered in any number. */
function joined(some: readonly Frame[]): object[] {
  const whole: Frame[] = [];
  for (const frame of some) {
    const last = whole.at(-1);
    const isRaw = (one: Frame | undefined): one is Frame => one?.type === FRAME.streamData && one.body.byteLength === 0;
    if (isRaw(frame) && isRaw(last) && last.id === frame.id)
      whole[whole.length - 1] = { ...frame, trailer: Buffer.concat([last.trailer, frame.trailer]) };
    else whole.push(frame);
  }
  return whole.map(plain);
}

function plain({ type, id, body, trailer }: Frame): object {
  return { type, id, body: Buffer.from(body).toString('hex'), trailer: Buffer.from(trailer).toString('hex') };
}

function decodeIn(pieces: readonly Buffer[]): Frame[] {
  const decoded: Frame[] = [];
  const decoder = new FrameDecoder(SIZES, (frame) => decoded.push(frame));
  for (const piece of pieces) decoder.push(piece);
  return decoded;
}

test('frames survive any division of their bytes into pieces', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 8 }), fc.array(fc.nat(4000), { maxLength: 40 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(encodeFrame));
      const pieces: Buffer[] = [];
      let start = 0;
      for (const cut of cuts) {
        pieces.push(bytes.subarray(start, start + cut));
        start += cut;
      }
      pieces.push(bytes.subarray(start));
      assert.deepEqual(joined(decodeIn(pieces)), joined(sent));
    }),
  );
});

test('byte by byte', () => {
  const sent: Frame[] = [
    { type: FRAME.call, id: 7, body: Buffer.from('abc'), trailer: Buffer.from('defg') },
    { type: FRAME.ping, id: 0, body: NO_BYTES, trailer: NO_BYTES },
    { type: FRAME.streamData, id: 9, body: NO_BYTES, trailer: Buffer.from('raw') },
    { type: FRAME.streamEnd, id: 9, body: NO_BYTES, trailer: NO_BYTES },
  ];
  const bytes = Buffer.concat(sent.map(encodeFrame));
  assert.deepEqual(joined(decodeIn(Array.from(bytes, (byte) => Buffer.of(byte)))), joined(sent));
});

test('garbage gives frames or KRG_PEER_PROTOCOL, and never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      try {
        decodeIn(pieces.map((piece) => Buffer.from(piece)));
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_PEER_PROTOCOL'), String(error));
      }
    }),
  );
});

test('a frame with one bit turned over gives frames or KRG_PEER_PROTOCOL', () => {
  fc.assert(
    fc.property(fc.array(frames, { minLength: 1, maxLength: 3 }), fc.nat(), (sent, position) => {
      const bytes = Buffer.concat(sent.map(encodeFrame));
      const bit = position % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        decodeIn([bytes]);
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_PEER_PROTOCOL'), String(error));
      }
    }),
  );
});

const refused: [name: string, change: (header: Buffer) => void, message: RegExp][] = [
  ['another protocol', (header) => header.write('GET '), /no frame \(it starts with 47455420\)/],
  ['a byte that must be zero', (header) => header.writeUInt8(1, 3), /no frame/],
  ['an unknown type', (header) => header.writeUInt8(99, 2), /unknown type 99/],
  ['too large a body', (header) => header.writeUInt32BE(1001, 8), /message of 1001 bytes; the limit is 1000/],
  ['too large a trailer', (header) => header.writeUInt32BE(2001, 12), /trailer of 2001 bytes; the limit is 2000/],
];
for (const [name, change, message] of refused) {
  test(`refused as soon as the header is there: ${name}`, () => {
    const header = encodeFrame({ type: FRAME.call, id: 1, body: NO_BYTES, trailer: NO_BYTES });
    assert.equal(header.length, HEADER_BYTES);
    change(header);
    assert.throws(() => decodeIn([header]), { code: 'KRG_PEER_PROTOCOL', message });
  });
}
