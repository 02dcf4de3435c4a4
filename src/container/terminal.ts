/** Pseudo-terminals of the container. */
import { call, encodeWindowSize, one, TTY, type Conversation, type WindowSize } from '../linux/index.ts';

/** A pty whose master is a descriptor of pid 1. */
export interface Terminal {
  /** N of /dev/pts/N in the container. */
  readonly number: number;
  readonly master: number;
}

const O_RDWR_NOCTTY_NONBLOCK_CLOEXEC = 0o2004402;
const TTY_GROUP = 5;

/** @param owner user who may open the slave */
export function* openTerminal(owner: number, size: WindowSize): Conversation<Terminal> {
  const master = yield* one('open', '/dev/pts/ptmx', O_RDWR_NOCTTY_NONBLOCK_CLOEXEC);
  const number = new Int32Array(1);
  yield [
    call('ioctl', master, TTY.setLock, new Uint8Array(4)),
    call('ioctl', master, TTY.getNumber, new Uint8Array(number.buffer)),
    call('ioctl', master, TTY.setWindowSize, encodeWindowSize(size)),
  ];
  const [n = -1] = number;
  yield [call('chown', `/dev/pts/${n}`, owner, TTY_GROUP)];
  return { number: n, master };
}
