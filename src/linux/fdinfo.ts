/** Parsers for /proc/PID/fdinfo/FD (man 5 proc_pid_fdinfo): what the kernel tells about an open file beyond stat. */

/** A lock on a file, as fdinfo and /proc/locks show it. */
export interface FileLock {
  readonly type: 'flock' | 'posix' | 'open-file' | 'lease';
  readonly access: 'read' | 'write';
  /** Byte range; `end` is the last byte, or undefined for "to the end of the file". */
  readonly start: number;
  readonly end?: number | undefined;
}

/** An entry of an epoll instance. */
export interface EpollEntry {
  /** Descriptor number under which the file was added. */
  readonly fd: number;
  readonly events: number;
  readonly data: bigint;
}

export interface TimerfdInfo {
  readonly clock: number;
  /** Expirations not yet read. */
  readonly ticks: bigint;
  /** Flags of the last timerfd_settime. */
  readonly settimeFlags: number;
  /** Nanoseconds until the next expiration; 0 when disarmed or, for a one-shot timer, expired. */
  readonly value: bigint;
  readonly interval: bigint;
}

export interface InotifyWatch {
  readonly descriptor: number;
  readonly inode: number;
  readonly device: number;
  readonly mask: number;
  /** struct file_handle without its header. */
  readonly handleType: number;
  readonly handle: Uint8Array;
}

/** Values of the `key: value` lines of one fdinfo file; lines that repeat keep their order. */
export class DescriptorInfo {
  private readonly lines: readonly string[];

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  /** The value of the first line with this key, trimmed. */
  get(key: string): string | undefined {
    const start = `${key}:`;
    return this.lines
      .find((line) => line.startsWith(start))
      ?.slice(start.length)
      .trim();
  }

  /** The file offset, exactly: offsets of directories may use all 63 bits. */
  get offset(): bigint {
    return BigInt(this.get('pos') ?? 0);
  }

  get closeOnExec(): boolean {
    return (Number.parseInt(this.get('flags') ?? '0', 8) & 0o2000000) !== 0;
  }

  get locks(): FileLock[] {
    return this.lines.filter((line) => line.startsWith('lock:')).map((line) => parseLock(line.slice(5).trim()));
  }

  get epollEntries(): EpollEntry[] {
    return Array.from(this.matches(/^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/), ([, fd, events = '', data = '']) => ({
      fd: Number(fd),
      events: Number.parseInt(events, 16),
      data: BigInt(`0x${data}`),
    }));
  }

  get timer(): TimerfdInfo | undefined {
    if (this.get('clockid') === undefined) return undefined;
    return {
      clock: Number(this.get('clockid')),
      ticks: BigInt(this.get('ticks') ?? 0),
      settimeFlags: Number.parseInt(this.get('settime flags') ?? '0', 8),
      value: parseTime(this.get('it_value')),
      interval: parseTime(this.get('it_interval')),
    };
  }

  get inotifyWatches(): InotifyWatch[] {
    const line =
      /^inotify wd:([0-9a-f]+) ino:([0-9a-f]+) sdev:([0-9a-f]+) mask:([0-9a-f]+).*?(?:fhandle-bytes:([0-9a-f]+) fhandle-type:([0-9a-f]+) f_handle:([0-9a-f]+))?\s*$/;
    return Array.from(this.matches(line), ([, descriptor = '', inode = '', device = '', mask = '', , handleType = '0', handle = '']) => ({
      descriptor: Number.parseInt(descriptor, 16),
      inode: Number.parseInt(inode, 16),
      device: Number.parseInt(device, 16),
      mask: Number.parseInt(mask, 16),
      handleType: Number.parseInt(handleType, 16),
      handle: Buffer.from(handle, 'hex'),
    }));
  }

  private *matches(pattern: RegExp): Generator<RegExpExecArray> {
    for (const line of this.lines) {
      const match = pattern.exec(line);
      if (match !== null) yield match;
    }
  }
}

/** `1: POSIX  ADVISORY  WRITE 1234 00:15:6 0 EOF` */
function parseLock(text: string): FileLock {
  const [, type = '', , access, , , start, end] = text.split(/\s+/);
  return {
    type: type === 'FLOCK' ? 'flock' : type === 'POSIX' ? 'posix' : type === 'OFDLCK' ? 'open-file' : 'lease',
    access: access === 'WRITE' ? 'write' : 'read',
    start: Number(start),
    end: end === undefined || end === 'EOF' ? undefined : Number(end),
  };
}

/** `(seconds, nanoseconds)` */
function parseTime(text: string | undefined): bigint {
  const match = /\((\d+), (\d+)\)/.exec(text ?? '');
  return match === null ? 0n : BigInt(match[1] ?? 0) * 1_000_000_000n + BigInt(match[2] ?? 0);
}
