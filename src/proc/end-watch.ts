/** Watches processes and husks by their pidfds: when they end, and when their parents have collected them. */
import { Epoll, EPOLL, pidfdOpen, pidfdStatus, readProcessFile, syscall } from '../linux/index.ts';
import type { MonitorEvent } from './monitor-events.ts';

interface Watched {
  readonly pid: number;
  readonly hostPid: number;
  hasEnded: boolean;
}

export class EndWatch implements Disposable {
  private readonly report: (event: MonitorEvent) => void;
  /** By descriptor. */
  private readonly watched = new Map<number, Watched>();
  private readonly epoll = new Epoll();

  constructor(report: (event: MonitorEvent) => void) {
    this.report = report;
  }

  watch(pid: number, hostPid: number): void {
    if ([...this.watched.values()].some((known) => known.hostPid === hostPid)) return;
    const pidfd = pidfdOpen(hostPid);
    this.watched.set(pidfd, { pid, hostPid, hasEnded: false });
    this.epoll.add(pidfd, EPOLL.in);
  }

  /** What has happened since the last look is reported. */
  look(): void {
    if (this.isBusy) for (const { fd } of this.epoll.wait(0)) this.lookAt(fd);
  }

  get isBusy(): boolean {
    return this.watched.size > 0;
  }

  /** The end of this one is no news. */
  forget(hostPid: number): void {
    for (const [pidfd, watched] of this.watched) if (watched.hostPid === hostPid) this.unwatch(pidfd);
  }

  [Symbol.dispose](): void {
    for (const pidfd of this.watched.keys()) syscall('close', pidfd);
    this.epoll[Symbol.dispose]();
  }

  private lookAt(pidfd: number): void {
    const watched = this.watched.get(pidfd);
    if (watched === undefined) return;
    const { pid, hostPid } = watched;
    const collected = pidfdStatus(pidfd);
    if (!watched.hasEnded) {
      const status = collected ?? zombieStatus(hostPid) ?? pidfdStatus(pidfd);
      if (status === undefined) return; // its tracer has not seen its end yet
      watched.hasEnded = true;
      this.report({ kind: 'ended', pid, status });
      // From now on only when it is collected, which is always reported.
      this.epoll.modify(pidfd, 0);
    }
    if (collected === undefined) return;
    this.unwatch(pidfd);
    this.report({ kind: 'collected', pid });
  }

  private unwatch(pidfd: number): void {
    this.epoll.remove(pidfd);
    this.watched.delete(pidfd);
    syscall('close', pidfd);
  }
}

/** Field 52 of /proc/PID/stat; undefined when it is no zombie, or its threads have not all ended. */
function zombieStatus(hostPid: number): number | undefined {
  const text = readProcessFile(hostPid, 'stat');
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? Number(fields[49]) : undefined;
}
