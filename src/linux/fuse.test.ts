import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeFuseName,
  decodeFuseRead,
  decodeFuseRequest,
  encodeFuseAnswer,
  encodeFuseAttributes,
  encodeFuseDirectory,
  encodeFuseEntry,
  encodeFuseError,
  encodeFuseInit,
  encodeFuseResend,
} from './fuse.ts';

/** struct fuse_in_header and the name: a lookup of "self" in the root by thread 65543. */
const LOOKUP = Buffer.from('2d00000001000000020000000000000001000000000000000000000000000000070001000000000073656c6600', 'hex');
const attributes = { inode: 7n, mode: 0o100444, uid: 1000, gid: 100, size: 0, links: 1, time: 1_700_000_000_250 };

test('a request is read, and one of another length is refused', () => {
  const request = decodeFuseRequest(LOOKUP);
  assert.deepEqual(
    { ...request, body: decodeFuseName(request.body) },
    { operation: 1, unique: 2n, node: 1n, uid: 0, gid: 0, thread: 65543, body: 'self' },
  );
  assert.throws(() => decodeFuseRequest(LOOKUP.subarray(0, 44)), RangeError);
  assert.throws(() => decodeFuseRequest(LOOKUP.subarray(0, 10)), RangeError);
});

test('the arguments of a read', () => {
  const body = new Uint8Array(40);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, 5n, true);
  view.setBigUint64(8, 4096n, true);
  view.setUint32(16, 131_072, true);
  assert.deepEqual(decodeFuseRead(body), { handle: 5n, offset: 4096, size: 131_072 });
});

test('answers have the sizes of the structures of the kernel, and their header says so', () => {
  const sizes = [
    [encodeFuseAnswer(3n, encodeFuseEntry(9n, attributes, { entry: 0, attributes: 1500 })), 16 + 128],
    [encodeFuseAnswer(3n, encodeFuseAttributes(attributes, 0)), 16 + 104],
    [encodeFuseAnswer(3n, encodeFuseInit({ minor: 45, maxReadAhead: 0, flags: 0, maxWrite: 4096 })), 16 + 64],
    [encodeFuseError(3n, 2), 16],
  ] as const;
  for (const [bytes, size] of sizes) {
    assert.equal(bytes.length, size);
    assert.equal(new DataView(bytes.buffer).getUint32(0, true), size);
  }
  assert.equal(Buffer.from(encodeFuseError(3n, 2)).toString('hex'), '10000000feffffff0300000000000000');
  assert.equal(Buffer.from(encodeFuseResend()).toString('hex'), '10000000070000000000000000000000');
});

test('an entry holds its node, how long it is believed, and its attributes', () => {
  const view = new DataView(encodeFuseEntry(9n, attributes, { entry: 0, attributes: 1500 }).buffer);
  assert.deepEqual([view.getBigUint64(0, true), view.getBigUint64(16, true), view.getBigUint64(24, true)], [9n, 0n, 1n]);
  assert.deepEqual([view.getUint32(32, true), view.getUint32(36, true)], [0, 500_000_000]);
  assert.deepEqual([view.getBigUint64(64, true), view.getUint32(88, true)], [1_700_000_000n, 250_000_000]);
  assert.deepEqual([view.getUint32(100, true), view.getUint32(108, true), view.getUint32(112, true)], [0o100444, 1000, 100]);
});

test('a directory holds as many entries as fit', () => {
  const entries = ['stat', 'a-longer-name', 'x'].map((name, n) => ({ inode: BigInt(n + 1), offset: n + 1, type: 8, name }));
  assert.equal(encodeFuseDirectory(entries, 4096).length, 32 + 40 + 32);
  const two = encodeFuseDirectory(entries, 80);
  assert.equal(two.length, 72);
  assert.equal(Buffer.from(two.subarray(24, 28)).toString(), 'stat');
  assert.equal(new DataView(two.buffer, two.byteOffset).getBigUint64(40, true), 2n);
});
