import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNAL_RECORD_SIZE, type SignalRecord } from './husk-body.ts';
import { isForwarded, mirroredSignal, RecordReader, signalNumber } from './records.ts';

const RECORD_MAGIC = 0x4b535548; // "HUSK"

function record(pid: number, sequence: number, signal: number, code: number): Uint8Array {
  const bytes = new Uint8Array(SIGNAL_RECORD_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint32(4, pid, true);
  view.setBigUint64(8, BigInt(sequence), true);
  view.setInt32(16, signal, true);
  view.setInt32(24, code, true);
  return bytes;
}

test('records survive any division of the stream', () => {
  const stream = Buffer.concat(Array.from({ length: 20 }, (_, n) => record(65536 + n, n, 1 + n, 0)));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 500 })), (sizes) => {
      const reader = new RecordReader();
      const seen: SignalRecord[] = [];
      let at = 0;
      for (const size of [...sizes, stream.length]) {
        seen.push(...reader.push(stream.subarray(at, at + size)));
        at = Math.min(stream.length, at + size);
      }
      assert.deepEqual(
        seen.map(({ pid, information }) => [pid, signalNumber(information)]),
        Array.from({ length: 20 }, (_, n) => [65536 + n, 1 + n]),
      );
    }),
  );
});

test('a stream of something else is refused', () => {
  assert.throws(() => new RecordReader().push(new Uint8Array(SIGNAL_RECORD_SIZE)));
});

test("a child's end is told by the child's own node, a SIGCHLD that somebody sent goes on", () => {
  const [kernel, user] = new RecordReader().push(Buffer.concat([record(1, 1, 17, 1), record(1, 2, 17, 0)]));
  assert.ok(kernel !== undefined && !isForwarded(kernel.information, true));
  assert.ok(user !== undefined && isForwarded(user.information, true));
});

test("a process's own timers moved with it, so that what their old ones still sent does not go on", () => {
  const records = new RecordReader().push(
    Buffer.concat([record(1, 1, 34, -2), record(1, 2, 14, 128), record(1, 3, 14, 0), record(1, 4, 34, -1)]),
  );
  assert.deepEqual(
    records.map(({ information }) => isForwarded(information, true)),
    [false, false, true, true],
  );
});

test("a child's end by another signal than SIGCHLD is told by the child's own node, too", () => {
  const records = new RecordReader().push(Buffer.concat([record(1, 1, 10, 1), record(1, 2, 10, 0), record(1, 3, 11, 1)]));
  assert.deepEqual(
    records.map(({ information }) => isForwarded(information, true)),
    [false, true, true],
  );
});

test('a terminal speaks at home only, and what a husk is sent by its own node goes nowhere', () => {
  const records = new RecordReader().push(Buffer.concat([record(1, 1, 2, 128), record(1, 2, 1, 128), record(1, 3, 2, 0)]));
  const forwarded = (isHome: boolean): boolean[] => records.map(({ information }) => isForwarded(information, isHome));
  assert.deepEqual(forwarded(true), [true, true, true]);
  assert.deepEqual(forwarded(false), [false, false, true]);
  assert.ok(!isForwarded(mirroredSignal(18), true));
});
