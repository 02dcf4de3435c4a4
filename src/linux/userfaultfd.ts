/**
 * userfaultfd(2) in write-protect-async mode: the kernel itself notes writes to registered ranges, no fault ever reaches user space,
 * and PAGEMAP_SCAN reports them. The descriptor must be created by the process whose memory it watches; all ioctls work from outside
 * on a copy taken with pidfd_getfd(2).
 */
import { NativeMemory, syscall, trySyscall } from './native.ts';
import { ERRNO, SyscallError } from './errno.ts';

/** Argument of userfaultfd(2) in the watched process: O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY, allowed to every user. */
export const USERFAULTFD_FLAGS = 0o2000000 | 0o4000 | 1;

const UFFDIO_API = 0xc018aa3f;
const UFFDIO_REGISTER = 0xc020aa00;
const API_VERSION = 0xaa;
const FEATURE_WP_UNPOPULATED = 1 << 13;
const FEATURE_WP_ASYNC = 1 << 15;
const MODE_WRITE_PROTECT = 2;

const argument = NativeMemory.allocate(64);

/** A userfaultfd of another process, held through our own copy of the descriptor. */
export class WriteTracker implements Disposable {
  private readonly fd: number;

  /** @param fd our copy of a fresh userfaultfd; owned by the tracker from now on. */
  constructor(fd: number) {
    this.fd = fd;
    argument.view.setBigUint64(0, BigInt(API_VERSION), true);
    argument.view.setBigUint64(8, BigInt(FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED), true);
    argument.view.setBigUint64(16, 0n, true);
    syscall('ioctl', fd, UFFDIO_API, argument.address);
  }

  /** Registers a range of private anonymous memory. @returns false when it cannot be tracked (EINVAL, EBUSY): treat it as always dirty. */
  register(start: number, length: number): boolean {
    argument.view.setBigUint64(0, BigInt(start), true);
    argument.view.setBigUint64(8, BigInt(length), true);
    argument.view.setBigUint64(16, BigInt(MODE_WRITE_PROTECT), true);
    argument.view.setBigUint64(24, 0n, true);
    const result = trySyscall('ioctl', this.fd, UFFDIO_REGISTER, argument.address);
    if (result >= 0) return true;
    if (result === -ERRNO.EINVAL || result === -ERRNO.EBUSY || result === -ERRNO.EPERM) return false;
    throw new SyscallError('ioctl(UFFDIO_REGISTER)', -result);
  }

  [Symbol.dispose](): void {
    syscall('close', this.fd);
  }
}
