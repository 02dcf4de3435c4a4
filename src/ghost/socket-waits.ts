/**
 * Calls on sockets that give up after a time: that of the socket, which they read as they begin (SO_RCVTIMEO, SO_SNDTIMEO in socket(7)). Begun again they
 * are lent what remains of it.
 */
import { isErrno, readProcessLink, type Registers, stealDescriptor, SYS, syscall } from '../linux/index.ts';
import { TIME_SIZE } from './time-bytes.ts';

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;

const OPTIONS: ReadonlyMap<number, number> = new Map([
  ...(['read', 'readv', 'recvfrom', 'recvmsg', 'recvmmsg', 'accept', 'accept4'] as const).map((name) => [SYS[name], SO_RCVTIMEO] as const),
  ...(['write', 'writev', 'sendto', 'sendmsg', 'sendmmsg'] as const).map((name) => [SYS[name], SO_SNDTIMEO] as const),
]);

export interface SocketWait {
  readonly kind: 'socket';
  readonly descriptor: number;
  /** In which the time stands. */
  readonly option: number;
}

/** What such a call waits by; undefined for others, and for sockets that wait without an end. */
export function socketWait(pid: number, number: number, registers: Registers): SocketWait | undefined {
  const option = OPTIONS.get(number);
  if (option === undefined) return undefined;
  const descriptor = registers.getNumber('rdi');
  if (readProcessLink(pid, `fd/${descriptor}`)?.startsWith('socket:') !== true) return undefined;
  const wait = { kind: 'socket', descriptor, option } as const;
  const time = onSocket(pid, wait, (fd) => readTime(fd, option));
  return time === undefined || time.every((byte) => byte === 0) ? undefined : wait;
}

/** @param time struct timeval @returns what gives the socket its own time back, if nobody else has given it one */
export function lendTime(pid: number, wait: SocketWait, time: Uint8Array): () => void {
  const { option } = wait;
  const lent = onSocket(pid, wait, (fd) => {
    const own = readTime(fd, option);
    setTime(fd, option, time);
    return { own, rounded: readTime(fd, option) };
  });
  return () =>
    onSocket(pid, wait, (fd) => {
      if (lent !== undefined && Buffer.compare(readTime(fd, option), lent.rounded) === 0) setTime(fd, option, lent.own);
    });
}

/** @returns undefined when the process has ended, or has closed the socket */
function onSocket<T>(pid: number, { descriptor }: SocketWait, action: (fd: number) => T): T | undefined {
  let fd: number;
  try {
    fd = stealDescriptor(pid, descriptor);
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EBADF')) return undefined;
    throw error;
  }
  try {
    return action(fd);
  } finally {
    syscall('close', fd);
  }
}

function readTime(fd: number, option: number): Uint8Array {
  const time = new Uint8Array(TIME_SIZE);
  syscall('getsockopt', fd, SOL_SOCKET, option, time, new Uint8Array(Uint32Array.of(TIME_SIZE).buffer));
  return time;
}

function setTime(fd: number, option: number, time: Uint8Array): void {
  syscall('setsockopt', fd, SOL_SOCKET, option, time, TIME_SIZE);
}
