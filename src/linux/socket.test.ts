import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syscall } from './native.ts';
import { peerCredentials } from './socket.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;

test('the peer of a socketpair made by this process is this process', () => {
  const ends = new Int32Array(2);
  syscall('socketpair', AF_UNIX, SOCK_STREAM, 0, new Uint8Array(ends.buffer));
  const [a = -1, b = -1] = ends;
  assert.deepEqual(peerCredentials(a), { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  syscall('close', a);
  syscall('close', b);
});

test('a descriptor that is no socket is refused', () => {
  assert.throws(() => peerCredentials(999), { code: 'EBADF' });
});
