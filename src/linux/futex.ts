/** Waiting on 32-bit words in memory shared between processes (futex(2), without the private flag). */
import { ERRNO, SyscallError } from './errno.ts';
import { syscall, trySyscall } from './native.ts';

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

/** Wakes every waiter. @param address of the word, 4-byte aligned */
export function futexWake(address: number): void {
  syscall('futex', address, FUTEX_WAKE, 0x7fffffff, 0);
}

/**
 * Sleeps while the word equals `value`, at most `timeoutMilliseconds`; may return early. The caller tests the word again.
 * Blocks the calling thread.
 */
export function futexWait(address: number, value: number, timeoutMilliseconds: number): void {
  const timeout = new BigInt64Array([
    BigInt(Math.floor(timeoutMilliseconds / 1000)),
    BigInt(Math.floor((timeoutMilliseconds % 1000) * 1e6)),
  ]);
  const result = trySyscall('futex', address, FUTEX_WAIT, value, new Uint8Array(timeout.buffer));
  if (result < 0 && result !== -ERRNO.EAGAIN && result !== -ERRNO.EINTR && result !== -ERRNO.ETIMEDOUT)
    throw new SyscallError('futex', -result);
}
