/** epoll(7) and eventfd(2) for worker threads that wait in the kernel for descriptors that libuv cannot serve. */
import { ERRNO, SyscallError } from './errno.ts';
import { NativeMemory, syscall, trySyscall } from './native.ts';

/** Event bits (epoll_ctl(2)). */
export const EPOLL = { in: 1, out: 4, error: 8, hangUp: 0x10, once: 0x40000000, edgeTriggered: 0x80000000 } as const;

const CLOEXEC = 0o2000000;
const NONBLOCK = 0o4000;
const CONTROL = { add: 1, remove: 2, modify: 3 } as const;
/** sizeof(struct epoll_event): packed on x86-64. */
const EVENT_SIZE = 12;
const EVENTS_AT_ONCE = 64;

export interface ReadyDescriptor {
  readonly fd: number;
  /** Bits of {@link EPOLL}. */
  readonly events: number;
}

/** A set of descriptors to wait for. The descriptors stay the caller's. */
export class Epoll implements Disposable {
  readonly fd: number;
  private readonly memory = NativeMemory.allocate(4096);

  /** @param fd of a set that another thread has made; only its maker disposes of it */
  constructor(fd: number = syscall('epoll_create1', CLOEXEC)) {
    this.fd = fd;
  }

  add(fd: number, events: number): void {
    this.control(CONTROL.add, fd, events);
  }

  modify(fd: number, events: number): void {
    this.control(CONTROL.modify, fd, events);
  }

  remove(fd: number): void {
    syscall('epoll_ctl', this.fd, CONTROL.remove, fd, 0);
  }

  /** Blocks the calling thread until something is ready; -1: for ever. May return nothing when a signal came. */
  wait(timeoutMilliseconds: number): ReadyDescriptor[] {
    const count = trySyscall('epoll_wait', this.fd, this.memory.address, EVENTS_AT_ONCE, timeoutMilliseconds);
    if (count === -ERRNO.EINTR) return [];
    if (count < 0) throw new SyscallError('epoll_wait', -count);
    const { view } = this.memory;
    return Array.from({ length: count }, (_, n) => ({
      events: view.getUint32(n * EVENT_SIZE, true),
      fd: view.getInt32(n * EVENT_SIZE + 4, true),
    }));
  }

  [Symbol.dispose](): void {
    syscall('close', this.fd);
    this.memory.free();
  }

  private control(operation: number, fd: number, events: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_SIZE));
    event.setUint32(0, events >>> 0, true);
    event.setInt32(4, fd, true);
    syscall('epoll_ctl', this.fd, operation, fd, new Uint8Array(event.buffer));
  }
}

/** A non-blocking counter that epoll can wait for. */
export function createEventfd(): number {
  return syscall('eventfd2', 0, CLOEXEC | NONBLOCK);
}

/** Adds one, which makes the eventfd readable. */
export function signalEventfd(fd: number): void {
  syscall('write', fd, new Uint8Array(BigUint64Array.of(1n).buffer), 8);
}

/** Takes the count and makes the eventfd unreadable; 0 when it was not readable. */
export function drainEventfd(fd: number): number {
  const count = new BigUint64Array(1);
  const result = trySyscall('read', fd, new Uint8Array(count.buffer), 8);
  if (result === -ERRNO.EAGAIN) return 0;
  if (result < 0) throw new SyscallError('read', -result);
  return Number(count[0]);
}
