/** The standard streams of a program that is attached to a user: three pipes, or a terminal. They are made by pid 1 and noted in slots. */
import type { StandardStreams } from '../../container/index.ts';
import { encodeWindowSize, syscall, TTY, type WindowSize } from '../../linux/index.ts';
import type { Streams, StreamSlot } from '../../streams/index.ts';

const F_DUPFD_CLOEXEC = 1030;
const O_RDWR_NOCTTY_NONBLOCK_CLOEXEC = 0o2004402;
const TTY_GROUP = 5;

/** @param slots the run's own and two more @returns what the program is launched with */
export function openPipes(slots: readonly [StreamSlot, StreamSlot, StreamSlot]): StandardStreams {
  const [input, output, error] = slots;
  input.openPipe('sink');
  output.openPipe('source');
  error.openPipe('source');
  const fds = [input.descriptor('programInput'), output.descriptor('programOutput'), error.descriptor('programOutput')] as const;
  return { kind: 'descriptors', fds };
}

/** @param owner user who may open the terminal */
export function openTerminal({ container }: Streams, slot: StreamSlot, owner: number, size: WindowSize): StandardStreams {
  slot.open('source', 'open', '/dev/pts/ptmx', O_RDWR_NOCTTY_NONBLOCK_CLOEXEC);
  const master = slot.descriptor('source');
  const number = new Int32Array(1);
  container.lane.call('ioctl', master, TTY.setLock, new Uint8Array(4));
  container.lane.call('ioctl', master, TTY.getNumber, new Uint8Array(number.buffer));
  container.lane.call('ioctl', master, TTY.setWindowSize, encodeWindowSize(size));
  container.lane.call('chown', `/dev/pts/${number[0]}`, owner, TTY_GROUP);
  // Reading and writing wait independently.
  slot.open('sink', 'fcntl', master, F_DUPFD_CLOEXEC, 0);
  return { kind: 'terminal', number: number[0] ?? -1 };
}

export function resizeTerminal(slot: StreamSlot, size: WindowSize): void {
  if (!slot.has('source')) return;
  const master = slot.take('source');
  try {
    syscall('ioctl', master, TTY.setWindowSize, encodeWindowSize(size));
  } finally {
    syscall('close', master);
  }
}
