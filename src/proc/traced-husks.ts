/** The husks that the monitor traces: what happens to them is seen before it has an effect. */
import {
  EXIT_EVENT,
  isErrno,
  KorriganError,
  readStat,
  releaseLate,
  type RemoteProcess,
  syscall,
  tolerateDeath,
  TRACE_OPTION,
  Tracee,
  tracerOf,
  trySyscall,
  type WaitStatus,
} from '../linux/index.ts';
import { holdHusk, isHusk } from './held-husk.ts';
import type { MonitorEvent } from './monitor-events.ts';
import { plainSignal } from './records.ts';

const SIGSTOP = 19;
/** State in /proc/PID/stat of a process that its tracer has stopped. */
const TRACED_STOP = 't';

interface Traced {
  readonly pid: number;
  readonly tracee: Tracee;
  /** Killed, and held in its last stop. */
  dying: boolean;
}

export class TracedHusks implements Disposable {
  private readonly report: (event: MonitorEvent) => void;
  /** By host pid. */
  private readonly traced = new Map<number, Traced>();
  /** The only one that may do anything to them. */
  private readonly thread = syscall('gettid');
  /** Host pids of husks that are stopped as their processes are. */
  private readonly stopped = new Set<number>();

  constructor(report: (event: MonitorEvent) => void) {
    this.report = report;
  }

  /** What has happened since the last look is reported. */
  look(): void {
    for (let stop = Tracee.pollAny(); stop !== undefined; stop = Tracee.pollAny()) {
      const traced = this.traced.get(stop.tid);
      if (traced !== undefined) this.take(stop.tid, traced, stop.status);
      else releaseLate(stop);
    }
  }

  get isBusy(): boolean {
    return this.traced.size > 0;
  }

  /** Pid in the container of a traced husk. */
  pidOf(hostPid: number): number | undefined {
    return this.traced.get(hostPid)?.pid;
  }

  /** The husk is stopped because its process is. */
  noteStop(hostPid: number): void {
    this.stopped.add(hostPid);
  }

  [Symbol.dispose](): void {
    for (const hostPid of this.traced.keys()) this.letGo(hostPid);
  }

  /**
   * A husk that was held is on its own again: a stop that was kept from it comes now, under our eyes.
   * @param wasTraced one that was not belongs to another thread, which makes it a process or a husk again
   */
  resumed(pid: number, remote: RemoteProcess, wasTraced: boolean): void {
    if (wasTraced) this.trace(pid, remote.pid);
    if (remote.stopArrived) trySyscall('kill', remote.pid, SIGSTOP);
  }

  /** @throws KorriganError KRG_PROCESS_BUSY for one that is about to end */
  hold(hostPid: number): RemoteProcess {
    if (!this.traced.has(hostPid) && tracerOf(hostPid) === this.thread) letGoOfForgotten(hostPid);
    const traced = this.traced.get(hostPid);
    if (traced?.dying === true || !this.letGo(hostPid)) {
      throw new KorriganError('KRG_PROCESS_BUSY', `the husk of process ${traced?.pid ?? hostPid} is just ending; try again`);
    }
    const remote = this.holdAgain(hostPid, traced?.pid);
    // It was stopped when nobody traced it.
    if (traced !== undefined && remote.main.groupStop !== 0 && !this.stopped.has(hostPid)) {
      this.stopped.add(hostPid);
      this.report({ kind: 'signal', pid: traced.pid, information: plainSignal(SIGSTOP) });
    }
    return remote;
  }

  /** One that cannot be held stays traced, if it is a husk. */
  private holdAgain(hostPid: number, pid: number | undefined): RemoteProcess {
    try {
      return holdHusk(hostPid);
    } catch (error) {
      if (pid !== undefined && isHusk(hostPid)) this.trace(pid, hostPid);
      throw error;
    }
  }

  /** Nothing happens when it has ended, is just being held, or is traced already. */
  trace(pid: number, hostPid: number): void {
    if (this.traced.has(hostPid)) return;
    try {
      this.traced.set(hostPid, { pid, tracee: Tracee.seize(hostPid, TRACE_OPTION.traceExit), dying: false });
    } catch (error) {
      // It has ended, which is reported, or is just being held.
      if (!isErrno(error, 'ESRCH', 'EPERM')) throw error;
    }
  }

  /** @returns false when the husk is about to end */
  letGo(hostPid: number): boolean {
    const traced = this.traced.get(hostPid);
    if (traced === undefined) return true;
    if (traced.dying) return false;
    const { tracee } = traced;
    try {
      tracee.interrupt();
      for (;;) {
        const status = tracee.wait();
        if (status.kind === 'interrupted') {
          this.traced.delete(hostPid);
          tracee.detach(status.groupStop);
          return true;
        }
        this.take(hostPid, traced, status);
        if (traced.dying || !this.traced.has(hostPid)) return false;
      }
    } catch (error) {
      if (isErrno(error, 'ESRCH')) return false;
      throw error;
    }
  }

  private take(hostPid: number, traced: Traced, status: WaitStatus): void {
    const { pid, tracee } = traced;
    switch (status.kind) {
      case 'exited':
      case 'killed':
        this.traced.delete(hostPid);
        this.stopped.delete(hostPid);
        return;
      case 'event':
        if (status.event !== EXIT_EVENT) {
          tracee.resume();
          return;
        }
        traced.dying = true;
        this.report({ kind: 'killed', pid });
        return;
      case 'system-call':
        tracee.resume();
        return;
      case 'interrupted':
        if (status.groupStop === 0) {
          this.stopped.delete(hostPid);
          tracee.resume();
        } else tracee.listen();
        return;
      case 'signal':
        if (status.signal === SIGSTOP) this.report({ kind: 'signal', pid, information: tracee.signalInformation() });
        tracee.resume();
    }
  }

  /** Lets a husk that was killed, and held, come to its end. @returns false for any other */
  letDie(hostPid: number): boolean {
    const traced = this.traced.get(hostPid);
    if (traced?.dying !== true) return false;
    const { tracee } = traced;
    tracee.resume();
    this.traced.delete(hostPid);
    for (let status = tracee.wait(); status.kind !== 'exited' && status.kind !== 'killed'; status = tracee.wait()) tracee.resume();
    return true;
  }
}

/** Of one that this thread holds and nobody knows of any more: nobody could ever hold it again. */
function letGoOfForgotten(hostPid: number): void {
  const tracee = new Tracee(hostPid);
  tolerateDeath(tracee, () => {
    if (readStat(hostPid)?.state !== TRACED_STOP) {
      tracee.interrupt();
      tracee.wait();
    }
    tracee.detach();
  });
}
