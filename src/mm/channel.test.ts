import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { BlockingListener, BlockingSocket, isKorriganError, NativeMemory, readMemory, readMemoryInto } from '../linux/index.ts';
import { MigrationChannel } from './channel.ts';
import { RECORD_LIMIT, type SharedSecret } from './record-stream.ts';

const HOST = '127.0.0.1';
const DEADLINE = 5000;
const HEADER = 4;
const TAG = 16;
const shared: SharedSecret = { secret: randomBytes(32), conversation: 'a move' };

function connection(t: TestContext): [BlockingSocket, BlockingSocket] {
  using listener = new BlockingListener(HOST);
  const one = BlockingSocket.connect(HOST, listener.port, DEADLINE);
  const other = listener.accept(DEADLINE, DEADLINE);
  assert.ok(other);
  t.after(() => {
    one[Symbol.dispose]();
    other[Symbol.dispose]();
  });
  return [one, other];
}

/** What a sender puts on the wire, record by record. */
function recorded(
  t: TestContext,
  send: (channel: MigrationChannel) => void,
  secret = shared,
  end: 'source' | 'target' = 'source',
): Buffer[] {
  const [near, far] = connection(t);
  send(new MigrationChannel(near, secret, end));
  near.finish(0);
  const wire = Buffer.from(readAll(far));
  const records: Buffer[] = [];
  for (let at = 0; at < wire.length; ) {
    const size = HEADER + wire.readUInt32LE(at) + TAG;
    records.push(wire.subarray(at, at + size));
    at += size;
  }
  return records;
}

function readAll(socket: BlockingSocket): Uint8Array {
  const memory = NativeMemory.allocate(4 << 20);
  try {
    let used = 0;
    for (;;) {
      try {
        used += socket.readSome(memory.address + used, memory.length - used);
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_NODE_DEAD'));
        return memory.bytes.slice(0, used);
      }
    }
  } finally {
    memory.free();
  }
}

/** What the target takes from these bytes until an error ends it. */
function received(t: TestContext, wire: readonly Uint8Array[]): { taken: unknown[]; code: string } {
  const [near, far] = connection(t);
  const bytes = NativeMemory.allocate(4 << 20);
  let used = 0;
  for (const part of wire) {
    bytes.bytes.set(part, used);
    used += part.length;
  }
  near.writeFrom(bytes.address, used);
  near.finish(0);
  bytes.free();
  const channel = new MigrationChannel(far, shared, 'target');
  const taken: unknown[] = [];
  const receiver =
    (kind: string) =>
    (owner: number, address: number, native: number, length: number): void => {
      taken.push([kind, owner, address, Buffer.from(readMemory(process.pid, native, length)).toString('latin1')]);
    };
  try {
    for (;;) taken.push(channel.receive({ pages: receiver('pages'), contents: receiver('contents') }));
  } catch (error) {
    assert.ok(isKorriganError(error), String(error));
    return { taken, code: error.code };
  }
}

const PAGE = 4096;
const page = NativeMemory.allocate(2 * PAGE);
page.bytes.fill('m'.charCodeAt(0), 0, PAGE).fill('n'.charCodeAt(0), PAGE);
const content = page.bytes.slice();

const conversation = (channel: MigrationChannel): void => {
  channel.send({ kind: 'first', text: 'a secret message' });
  channel.sendPages(
    7,
    page.address,
    page.address + 2 * PAGE,
    (address, native, length) => void readMemoryInto(process.pid, address, native, length),
  );
  channel.flush();
  channel.sendContents(3, 0, PAGE, (_, native, length) => void readMemoryInto(process.pid, page.address, native, length));
  channel.send({ kind: 'last' });
};
const whole = [
  { kind: 'first', text: 'a secret message' },
  ['pages', 7, page.address, Buffer.from(content).toString('latin1')],
  ['contents', 3, 0, 'm'.repeat(PAGE)],
  { kind: 'last' },
];

test('messages, pages and contents arrive in their order; nothing of them is seen on the way', (t) => {
  const records = recorded(t, conversation);
  assert.equal(records.length, 3);
  const wire = Buffer.concat(records);
  for (const clear of ['secret', 'first', 'mmmm', 'nnnn']) assert.ok(!wire.includes(clear), clear);
  assert.deepEqual(received(t, records), { taken: whole, code: 'KRG_NODE_DEAD' });
});

test('a message may be longer than a record', (t) => {
  const text = randomBytes(RECORD_LIMIT).toString('hex');
  const records = recorded(t, (channel) => channel.send({ text }));
  assert.equal(records.length, 3);
  assert.deepEqual(received(t, records).taken, [{ text }]);
});

test('a bit that is changed anywhere is noticed, and nothing of its record is taken', (t) => {
  const records = recorded(t, conversation);
  for (const [n, record] of records.entries()) {
    const before = whole.slice(0, n);
    for (const at of [0, 1, HEADER, HEADER + 30, record.length - TAG, record.length - 1]) {
      const changed = Buffer.from(record);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const wire = records.with(n, changed);
      // A length that became greater than all that follows waits for more.
      const { taken, code } = received(t, at < HEADER ? [...wire, Buffer.alloc(1024)] : wire);
      assert.deepEqual(taken, before, `record ${n}, byte ${at}`);
      assert.equal(code, 'KRG_PEER_FORGED', `record ${n}, byte ${at}`);
    }
  }
});

test('records that are repeated, left out, exchanged or made up are refused', (t) => {
  const [first, second, third] = recorded(t, conversation) as [Buffer, Buffer, Buffer];
  const cases: [string, Buffer[], number][] = [
    ['repeated', [first, first, second, third], 1],
    ['repeated at the end', [first, second, third, first], 4],
    ['left out', [first, third], 1],
    ['the first left out', [second, third], 0],
    ['exchanged', [first, third, second], 1],
    ['made up', [first, Buffer.concat([Buffer.of(32, 0, 0, 0), randomBytes(32 + TAG)])], 1],
    ['empty and made up', [first, Buffer.alloc(HEADER + TAG)], 1],
    ['longer than any record', [first, Buffer.of(1, 0, 4, 0)], 1],
  ];
  for (const [name, wire, count] of cases)
    assert.deepEqual(received(t, wire), { taken: whole.slice(0, count), code: 'KRG_PEER_FORGED' }, name);
});

test('what was recorded of another move, or of the other direction, is refused', (t) => {
  const strangers: [string, Buffer[]][] = [
    ['another secret', recorded(t, conversation, { ...shared, secret: randomBytes(32) })],
    ['another conversation', recorded(t, conversation, { ...shared, conversation: 'an earlier move' })],
    ['sent back', recorded(t, conversation, shared, 'target')],
  ];
  for (const [name, wire] of strangers) assert.deepEqual(received(t, wire), { taken: [], code: 'KRG_PEER_FORGED' }, name);
});

test('a stream that ends too early is a lost link, and no half record is taken', (t) => {
  const wire = Buffer.concat(recorded(t, conversation));
  const ends = [0, 2, HEADER, HEADER + 10, wire.length - TAG, wire.length - 1];
  for (const end of ends) {
    const { taken, code } = received(t, [wire.subarray(0, end)]);
    assert.equal(code, 'KRG_NODE_DEAD');
    assert.ok(!taken.some((message) => (message as { kind?: string }).kind === 'last'), `cut at ${end}`);
  }
});
