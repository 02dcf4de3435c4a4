/** Process descriptors (pidfd_open(2), pidfd_getfd(2)). Pids are those of this process's pid namespace. */
import { ERRNO, SyscallError } from './errno.ts';
import { syscall, trySyscall } from './native.ts';

/** A descriptor for a process, close-on-exec; readable (poll) when the process has ended. */
export function pidfdOpen(pid: number): number {
  return syscall('pidfd_open', pid, 0);
}

/** A duplicate, close-on-exec, of descriptor `fd` of the process. */
export function pidfdGetfd(pidfd: number, fd: number): number {
  return syscall('pidfd_getfd', pidfd, fd, 0);
}

/** Sends a signal. @returns false when the process has ended */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const result = trySyscall('pidfd_send_signal', pidfd, signal, 0, 0);
  if (result === -ERRNO.ESRCH) return false;
  if (result < 0) throw new SyscallError('pidfd_send_signal', -result);
  return true;
}

/** A duplicate, close-on-exec, of one descriptor of a process. */
export function stealDescriptor(pid: number, fd: number): number {
  const pidfd = pidfdOpen(pid);
  try {
    return pidfdGetfd(pidfd, fd);
  } finally {
    syscall('close', pidfd);
  }
}

/** PIDFD_GET_INFO of struct pidfd_info (include/uapi/linux/pidfd.h), PIDFD_INFO_EXIT since Linux 6.15. */
const GET_INFO = 0xc040ff0b;
const INFO_EXIT = 8n;
const INFO_SIZE = 64;
const INFO_EXIT_CODE = 60;

/** The wait status word of a process that has ended and was collected; undefined while it was not, and where the kernel does not tell. */
export function pidfdStatus(pidfd: number): number | undefined {
  const info = new Uint8Array(INFO_SIZE);
  const view = new DataView(info.buffer);
  view.setBigUint64(0, INFO_EXIT, true);
  if (trySyscall('ioctl', pidfd, GET_INFO, info) < 0 || (view.getBigUint64(0, true) & INFO_EXIT) === 0n) return undefined;
  return view.getInt32(INFO_EXIT_CODE, true);
}
