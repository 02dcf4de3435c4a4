/** Waits for the end of processes on this node, whoever their parents are. */
import type { Container } from '../../container/index.ts';
import { EPOLL, Epoll, parseStat, pidfdOpen, pidfdStatus, readProcessFile, SyscallError, syscall } from '../../linux/index.ts';
import type { ExitStatus } from '../api/types.ts';

/** How often it is looked while somebody waits: nothing tells the main thread of pidfds. */
const LOOK_MILLISECONDS = 25;

/** What has come of a process that was waited for here. A status that nobody can tell any more is null. */
export type EndHere = { readonly kind: 'ended'; readonly status: ExitStatus | null } | { readonly kind: 'moved' };

interface Waiting {
  readonly pid: number;
  readonly hostPid: number;
  readonly resolve: (end: EndHere) => void;
}

export class EndWatch implements Disposable {
  private readonly container: Container;
  private readonly isHusk: (pid: number) => boolean;
  /** By pidfd. */
  private readonly waiting = new Map<number, Waiting>();
  private readonly epoll = new Epoll();
  private timer: NodeJS.Timeout | undefined;

  constructor(container: Container, isHusk: (pid: number) => boolean) {
    this.container = container;
    this.isHusk = isHusk;
  }

  /** @returns undefined when there is no such process here */
  async endOf(pid: number, abort: AbortSignal): Promise<EndHere | undefined> {
    if (this.isHusk(pid)) return { kind: 'moved' };
    const hostPid = this.container.hostPidOf(pid);
    const pidfd = hostPid === undefined ? undefined : open(hostPid);
    if (hostPid === undefined || pidfd === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<EndHere>();
    const onAbort = (): void => resolve({ kind: 'moved' });
    try {
      // The number may have come to another process before it was opened.
      if (this.container.hostPidOf(pid) !== hostPid) return undefined;
      this.waiting.set(pidfd, { pid, hostPid, resolve });
      this.epoll.add(pidfd, EPOLL.in);
      this.timer ??= setInterval(() => this.look(), LOOK_MILLISECONDS);
      abort.addEventListener('abort', onAbort);
      this.look();
      return await promise;
    } finally {
      abort.removeEventListener('abort', onAbort);
      this.waiting.delete(pidfd);
      syscall('close', pidfd); // which takes it out of the set, epoll(7)
      if (this.waiting.size === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { resolve } of this.waiting.values()) resolve({ kind: 'moved' });
    this.epoll[Symbol.dispose]();
  }

  private look(): void {
    for (const { pid, resolve } of this.waiting.values()) if (this.isHusk(pid)) resolve({ kind: 'moved' });
    for (const { fd } of this.epoll.wait(0)) {
      const ended = this.waiting.get(fd);
      ended?.resolve({ kind: 'ended', status: statusOf(fd, ended.hostPid) });
    }
  }
}

function open(hostPid: number): number | undefined {
  try {
    return pidfdOpen(hostPid);
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/** Of a process that has ended, and may have been collected by its parent. */
function statusOf(pidfd: number, hostPid: number): ExitStatus | null {
  const word = pidfdStatus(pidfd) ?? zombieStatus(hostPid) ?? pidfdStatus(pidfd);
  if (word === undefined) return null;
  const signal = word & 0x7f;
  return signal === 0 ? { kind: 'exited', code: (word >> 8) & 0xff } : { kind: 'signalled', signal, coreDumped: (word & 0x80) !== 0 };
}

function zombieStatus(hostPid: number): number | undefined {
  const text = readProcessFile(hostPid, 'stat');
  const stat = text === undefined ? undefined : parseStat(text);
  return stat?.state === 'Z' ? stat.exitCode : undefined;
}
