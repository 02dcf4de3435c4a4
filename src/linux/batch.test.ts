import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { attempt, call, converse, onThisThread, one, resultOf, settled, together, type Conversation } from './batch.ts';
import { isErrno } from './errno.ts';
import type { Program } from './program.ts';

test('conversations run in lockstep and get their own results', () => {
  const rounds: number[] = [];
  function* open(path: string): Conversation<string> {
    const [fd = -1] = yield [call('open', path, 0)];
    const bytes = new Uint8Array(16);
    const [length = 0] = yield [call('read', fd, bytes, bytes.length), call('close', fd)];
    return Buffer.from(bytes.subarray(0, length)).toString('latin1');
  }
  const paths = ['/proc/self/comm', '/etc/passwd', '/proc/sys/kernel/ostype'];
  let calls = 0;
  const texts = converse(onThisThread(), together(paths.map(open)), () => rounds.push(++calls));
  assert.deepEqual(
    texts,
    paths.map((path) => readFileSync(path, 'latin1').slice(0, 16)),
  );
  assert.equal(rounds.length, 9);
});

test('a result goes into later calls of its batch, also when the batch takes several programs', () => {
  const small = onThisThread();
  const runner = { address: small.address, size: 3000, run: (program: Program) => small.run(program) };
  function* read(path: string): Conversation<string> {
    const bytes = new Uint8Array(400);
    const calls = [attempt('open', path, 0), attempt('read', resultOf(0), bytes, bytes.length), attempt('close', resultOf(0))];
    const [fd = -1, length = 0, closed] = yield calls;
    return fd < 0 ? `no ${length} ${closed}` : Buffer.from(bytes.subarray(0, length)).toString('latin1');
  }
  const paths = ['/proc/self/comm', '/no/such/file', '/proc/sys/kernel/ostype', '/proc/sys/kernel/osrelease', '/etc/hostname'];
  const closed: unknown[] = [];
  const texts = converse(runner, together(paths.map(read)), ({ name, args }) => name === 'close' && closed.push(args[0]));
  assert.deepEqual(
    texts,
    paths.map((path) => (path === '/no/such/file' ? 'no -9 -9' : readFileSync(path, 'latin1'))),
  );
  assert.ok(closed.every((fd) => typeof fd === 'number'));
});

test('a failure ends only its own conversation', () => {
  const [good, bad] = converse(onThisThread(), settled([one('getpid'), one('close', 99999)]));
  assert.deepEqual(good, { value: process.pid });
  assert.ok(bad !== undefined && 'error' in bad && isErrno(bad.error, 'EBADF'));
  assert.throws(() => converse(onThisThread(), one('open', '/no/such/file', 0)), /ENOENT/);
});

test('an attempt hands its failure out as a result', () => {
  function* ask(): Conversation<number> {
    const [result = 0] = yield [attempt('close', 99999)];
    return result;
  }
  assert.equal(converse(onThisThread(), ask()), -9);
});

test('pointers of structures are filled in, what the kernel wrote comes back', () => {
  const fd = openSync('/etc/passwd', 'r');
  function* readVector(): Conversation<[Uint8Array, Uint8Array]> {
    const parts: [Uint8Array, Uint8Array] = [new Uint8Array(3), new Uint8Array(5)];
    const vector = new Uint8Array(32);
    const view = new DataView(vector.buffer);
    view.setUint32(8, 3, true);
    view.setUint32(24, 5, true);
    yield [
      call(
        'readv',
        fd,
        {
          bytes: vector,
          pointers: [
            { offset: 0, to: parts[0] },
            { offset: 16, to: parts[1] },
          ],
        },
        2,
      ),
    ];
    return parts;
  }
  const [first, second] = converse(onThisThread(), readVector());
  closeSync(fd);
  assert.equal(Buffer.concat([first, second]).toString(), readFileSync('/etc/passwd', 'utf8').slice(0, 8));
});

test('more calls than the memory holds run in several programs', () => {
  const runner = onThisThread();
  const small = { ...runner, size: 64 * 10 };
  const results = converse(small, together(Array.from({ length: 100 }, () => one('getpid'))));
  assert.ok(results.every((pid) => pid === process.pid));
  assert.throws(() => converse({ ...runner, size: 128 }, one('getpid')), RangeError);
});
