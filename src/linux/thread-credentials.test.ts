import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { addressOf, trySyscall } from './native.ts';
import { parseIdentity, ThreadCredentials } from './thread-credentials.ts';

const open = (path: string): number => trySyscall('openat', -100, addressOf(Buffer.from(`${path}\0`)), 0, 0);
const identity = (): ReturnType<typeof parseIdentity> => parseIdentity(readFileSync('/proc/thread-self/status', 'utf8'));

test('a thread acts for another user, and is itself again afterwards, whatever happens', () => {
  const before = identity();
  const credentials = new ThreadCredentials();
  const stranger = { uid: 1000, gid: 1000, groups: [20], capabilities: 0n };
  const [environment, seen] = credentials.as(stranger, () => [open('/proc/self/environ'), identity()] as const);
  assert.equal(environment, -13);
  assert.deepEqual(seen, stranger);
  assert.throws(() =>
    credentials.as(stranger, () => {
      throw new Error('whatever');
    }),
  );
  assert.deepEqual(identity(), before);
  const again = open('/proc/self/environ');
  assert.ok(again >= 0, `${again}`);
  trySyscall('close', again);
  assert.notEqual(readlinkSync('/proc/self/exe'), '');
});

test('an identity is read from a status, also one without groups', () => {
  const status = 'Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t \nNStgid:\t9\nCapEff:\t00000000000000ff\n';
  assert.deepEqual(parseIdentity(status), { uid: 4, gid: 8, groups: [], capabilities: 0xffn });
});

test('nobody gets capabilities that this thread has not', () => {
  const before = identity();
  new ThreadCredentials().as({ uid: 0, gid: 0, groups: [], capabilities: (1n << 63n) - 1n }, () => {
    assert.equal(identity().capabilities, before.capabilities);
  });
});
