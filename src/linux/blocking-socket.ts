/**
 * Blocking TCP sockets on raw descriptors, for workers that move memory: no event loop, no JavaScript object per chunk. Every operation has
 * a deadline, so that a dead peer ends in an error.
 */
import { ERRNO, SyscallError } from './errno.ts';
import { KorriganError } from './errors.ts';
import { NativeMemory, restartingSyscall, syscall, trySyscall } from './native.ts';

const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SO_KEEPALIVE = 9;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;
const PROBE_SECONDS = 1;
const PROBES = 4;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const ADDRESS_SIZE = 16;

const SHUT_WR = 1;
const DROPPED_SIZE = 65_536;

const small = NativeMemory.allocate(256);
const dropped = NativeMemory.allocate(DROPPED_SIZE);

function socketAddress(host: string, port: number): Uint8Array {
  const octets = host.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255))) throw new RangeError(`not an IPv4 address: ${host}`);
  return Uint8Array.from([AF_INET, 0, port >> 8, port & 0xff, ...octets, 0, 0, 0, 0, 0, 0, 0, 0]);
}

function setOption(fd: number, level: number, option: number, value: Uint8Array): void {
  syscall('setsockopt', fd, level, option, value, value.length);
}

function integer(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

function timeValue(milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setBigInt64(8, BigInt((milliseconds % 1000) * 1000), true);
  return bytes;
}

/** A connected stream. Reads and writes are complete or throw; after an error the stream is of no use. */
export class BlockingSocket implements Disposable {
  readonly fd: number;

  /** @param deadlineMs how long one read or write may make no progress */
  constructor(fd: number, deadlineMs: number) {
    this.fd = fd;
    setOption(fd, IPPROTO_TCP, TCP_NODELAY, integer(1));
    // A link that is cut is noticed although nobody sends, and long before a deadline that a large memory needs.
    setOption(fd, SOL_SOCKET, SO_KEEPALIVE, integer(1));
    setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, integer(PROBE_SECONDS));
    setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, integer(PROBE_SECONDS));
    setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, integer(PROBES));
    setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, integer(PROBE_SECONDS * PROBES * 1000));
    this.setDeadline(deadlineMs);
  }

  static connect(host: string, port: number, deadlineMs: number): BlockingSocket {
    const fd = syscall('socket', AF_INET, SOCK_STREAM_CLOEXEC, 0);
    try {
      setOption(fd, SOL_SOCKET, SO_SNDTIMEO, timeValue(deadlineMs)); // bounds connect(2) too
      // An interrupted connect goes on in the kernel; the next call waits for the same connection (net/ipv4/af_inet.c).
      restartingSyscall('connect', fd, socketAddress(host, port), ADDRESS_SIZE);
      return new BlockingSocket(fd, deadlineMs);
    } catch (error) {
      syscall('close', fd);
      throw new KorriganError('KRG_NODE_DEAD', `cannot connect to ${host}:${port}: ${(error as Error).message}`, { cause: error });
    }
  }

  setDeadline(deadlineMs: number): void {
    setOption(this.fd, SOL_SOCKET, SO_RCVTIMEO, timeValue(deadlineMs));
    setOption(this.fd, SOL_SOCKET, SO_SNDTIMEO, timeValue(deadlineMs));
  }

  /** Sends `length` bytes of native memory. */
  writeFrom(address: number, length: number): void {
    for (let done = 0; done < length; ) {
      done += this.checked('sendto', trySyscall('sendto', this.fd, address + done, length - done, MSG_NOSIGNAL, 0, 0));
    }
  }

  /**
   * Reads between 1 and `length` bytes into native memory.
   * @param attentiveMs how long to look again and again before sleeping: waking a thread that sleeps takes 30 to 700 us
   * @returns how many
   */
  readSome(address: number, length: number, attentiveMs = 0): number {
    for (const until = attentiveMs === 0 ? 0 : performance.now() + attentiveMs; performance.now() < until; trySyscall('sched_yield')) {
      const result = trySyscall('recvfrom', this.fd, address, length, MSG_DONTWAIT, 0, 0);
      if (result > 0) return result;
      if (result !== -ERRNO.EAGAIN) break;
    }
    for (;;) {
      const result = trySyscall('recvfrom', this.fd, address, length, 0, 0, 0);
      if (result === 0) throw new KorriganError('KRG_NODE_DEAD', 'the other node closed the connection of the migration');
      const count = this.checked('recvfrom', result);
      if (count > 0) return count;
    }
  }

  /**
   * Sends no more, and drops what still comes until the other side closes. A connection that is closed over unread bytes is reset
   * (tcp(7)): the last word would be lost on a peer that is sending.
   * @param patienceMs how long in all
   */
  finish(patienceMs: number): void {
    trySyscall('shutdown', this.fd, SHUT_WR);
    this.setDeadline(patienceMs);
    const until = performance.now() + patienceMs;
    while (performance.now() < until && trySyscall('recvfrom', this.fd, dropped.address, DROPPED_SIZE, 0, 0, 0) > 0);
  }

  [Symbol.dispose](): void {
    trySyscall('close', this.fd);
  }

  private checked(name: string, result: number): number {
    if (result >= 0) return result;
    if (result === -ERRNO.EINTR) return 0;
    const cause = new SyscallError(name, -result);
    const silent = result === -ERRNO.EAGAIN;
    throw new KorriganError(
      'KRG_NODE_DEAD',
      `the connection of the migration ${silent ? 'made no progress in time' : 'broke'}: ${cause.message}`,
      { cause },
    );
  }
}

/** A listening socket; accepts with a deadline. */
export class BlockingListener implements Disposable {
  readonly fd: number;
  readonly port: number;

  /** @param port 0: the kernel chooses */
  constructor(host: string, port = 0) {
    this.fd = syscall('socket', AF_INET, SOCK_STREAM_CLOEXEC, 0);
    setOption(this.fd, SOL_SOCKET, SO_REUSEADDR, integer(1));
    syscall('bind', this.fd, socketAddress(host, port), ADDRESS_SIZE);
    syscall('listen', this.fd, 64);
    const name = new Uint8Array(ADDRESS_SIZE);
    syscall('getsockname', this.fd, name, integer(ADDRESS_SIZE));
    this.port = ((name[2] ?? 0) << 8) | (name[3] ?? 0);
  }

  /** @returns undefined when nobody connected within `waitMs`. */
  accept(waitMs: number, deadlineMs: number): BlockingSocket | undefined {
    small.view.setInt32(0, this.fd, true);
    small.view.setInt32(4, POLLIN, true);
    if (restartingSyscall('poll', small.address, 1, waitMs) === 0) return undefined;
    return new BlockingSocket(restartingSyscall('accept4', this.fd, 0, 0, 0o2000000), deadlineMs);
  }

  [Symbol.dispose](): void {
    trySyscall('close', this.fd);
  }
}
