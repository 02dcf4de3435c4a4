/** Bytes between a program's streams and its user. */
import { ERRNO, SyscallError, trySyscall } from '../../linux/index.ts';
import type { Watcher } from '../watcher.ts';

/** Bytes read at a time: the capacity of a pipe. */
const CHUNK = 65_536;

/** What a program wrote to its terminal just before its end arrives at the master a little later (a work queue of the kernel). */
const SETTLE_MILLISECONDS = 100;

/**
 * Copies what the program writes until there is no one left who could write, or `ended` has resolved and nothing comes any more.
 * @param fd non-blocking @param write resolves when there is room for more
 */
export async function relayOutput(
  watcher: Watcher,
  fd: number,
  write: (bytes: Uint8Array) => Promise<void>,
  ended: Promise<unknown>,
): Promise<void> {
  const settled = ended.then(() => new Promise<'settled'>((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS, 'settled')));
  for (let isLast = false; ; ) {
    const buffer = new Uint8Array(CHUNK);
    const length = trySyscall('read', fd, buffer, CHUNK);
    if (length > 0) await write(buffer.subarray(0, length));
    else if (length === 0 || length === -ERRNO.EIO)
      return; // EIO: nobody has the terminal open (pty(7))
    else if (length !== -ERRNO.EAGAIN && length !== -ERRNO.EINTR) throw new SyscallError('read', -length);
    else if (isLast) return;
    else isLast = (await Promise.race([watcher.readable(fd), settled])) === 'settled';
  }
}

/**
 * Copies what the user sends into the program.
 * @param fd non-blocking @returns false when the program no longer reads
 */
export async function relayInput(watcher: Watcher, fd: number, source: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const bytes of source) {
    let rest = bytes;
    while (rest.length > 0) {
      const length = trySyscall('write', fd, rest, rest.length);
      if (length >= 0) rest = rest.subarray(length);
      else if (length === -ERRNO.EAGAIN) {
        if ((await watcher.writable(fd)) === 0) return false;
      } else if (length === -ERRNO.EPIPE || length === -ERRNO.EIO || length === -ERRNO.EBADF) return false;
      else if (length !== -ERRNO.EINTR) throw new SyscallError('write', -length);
    }
  }
  return true;
}
