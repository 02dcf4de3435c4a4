/**
 * The monitor: the one thread of a node that holds husks. It traces each of them, so that a SIGSTOP or SIGKILL that reaches a husk is seen before
 * it has an effect, and does everything else that is done to husks. It also watches, by their pidfds, processes whose end must be told
 * to other nodes. Belongs to the thread that makes it; {@link HuskMonitor.look} has to be called again and again.
 *
 * Rules: a husk that is killed stays in its last stop (PTRACE_EVENT_EXIT) until {@link HuskMonitor.end}, so its parent hears of the end
 * when it is true. SIGSTOP is swallowed and reported: the process stops, and then the husk by {@link HuskMonitor.stop}.
 */
import {
  EXIT_EVENT,
  isErrno,
  isKorriganError,
  KorriganError,
  RemoteProcess,
  TRACE_OPTION,
  Tracee,
  trySyscall,
  type WaitStatus,
} from '../linux/index.ts';
import { EndWatch } from './end-watch.ts';
import type { FamilyDescription } from './family-description.ts';
import { holdHusk, isHusk, resumeHusk } from './held-husk.ts';
import { endHeldHusk, stopHeldHusk } from './husk-end.ts';
import { HuskFamily, type HuskFamilyOptions } from './husk-family.ts';
import type { MonitorEvent } from './monitor-events.ts';
import { planProxies, proxySteps } from './group-proxies.ts';
import { type HuskStep, planHusks } from './husk-plan.ts';
import { type ChildChange, collectFrom, isSubreaper, takeChildChanges } from './husk-children.ts';
import type { ContainerTable } from './process-table.ts';
import { HUSK_NAME } from './template.ts';
import { mirroredSignal, plainSignal } from './records.ts';
import { INIT_PID, superfluousHusks } from './relatives.ts';

const PR_GET_PDEATHSIG = 2;
const SIGSTOP = 19;
const SIGCONT = 18;

export interface MonitorOptions {
  readonly table: ContainerTable;
  readonly hostPidOf: (pid: number) => number | undefined;
  readonly report: (event: MonitorEvent) => void;
}

/** Which of the node's husks may go. */
export interface TidyRequest {
  /** All husks of the node but the template, and those that are about to become processes. */
  readonly husks: readonly number[];
  /** Husks that stay as long as their processes live: those of this home. */
  readonly kept: readonly number[];
  readonly proxies: readonly number[];
}

interface Traced {
  readonly pid: number;
  readonly tracee: Tracee;
  /** Killed, and held in its last stop. */
  dying: boolean;
}

export class HuskMonitor {
  private readonly options: MonitorOptions;
  /** By host pid. */
  private readonly traced = new Map<number, Traced>();
  /** Host pids of husks that are stopped as their processes are. */
  private readonly stopped = new Set<number>();
  private readonly ends: EndWatch;

  constructor(options: MonitorOptions) {
    this.options = options;
    this.ends = new EndWatch(options.report);
  }

  /** Sees to it that the end of a process or husk is reported. */
  watch(pid: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid !== undefined) this.ends.watch(pid, hostPid);
  }

  /** Traces a husk, and watches it. */
  adopt(pid: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined || this.traced.has(hostPid)) return;
    this.watch(pid);
    this.trace(pid, hostPid);
  }

  /** Lets go of husks, so that other threads can hold them. They stay watched. */
  release(pids: readonly number[]): void {
    for (const pid of pids) {
      const hostPid = this.options.hostPidOf(pid);
      if (hostPid !== undefined) this.letGo(hostPid);
    }
  }

  /** Everything that has happened since the last look is reported. */
  look(): void {
    for (let stop = Tracee.pollAny(); stop !== undefined; stop = Tracee.pollAny()) {
      const traced = this.traced.get(stop.tid);
      if (traced !== undefined) this.take(stop.tid, traced, stop.status);
    }
    this.ends.look();
  }

  /** Is there anything to look at? */
  get isBusy(): boolean {
    return this.ends.isBusy || this.traced.size > 0;
  }

  /**
   * Makes what is missing of a family; see planHusks. Those that are to move in are let go of.
   * @returns those of the family that are husks, or zombies, of this node's making
   */
  prepare(family: FamilyDescription, husks: readonly number[], template: number): number[] {
    const { table, hostPidOf } = this.options;
    const known = new Set([...husks, template]);
    for (const { pid } of family.members) if (!known.has(pid) && isHusk(hostPidOf(pid) ?? 0)) known.add(pid);
    const steps = planHusks({ wanted: family.members, here: table.all(), isHusk: (pid) => known.has(pid), template });
    const strays = family.members.map(({ pid }) => pid).filter((pid) => known.has(pid) && !husks.includes(pid));
    const appearance = new Map(family.members.map((member) => [member.pid, member]));
    const made = this.perform(steps, (pid) => appearance.get(pid));
    const moving = new Set(family.moving);
    for (const [pid, hostPid] of made) {
      this.watch(pid);
      if (!moving.has(pid) && isHusk(hostPid)) this.trace(pid, hostPid);
    }
    for (const pid of strays) this.adopt(pid);
    this.release(family.moving);
    return [...made.keys(), ...strays];
  }

  /** Makes and removes proxies as the groups need them. @returns the proxies that there are now, by group */
  proxies(husks: readonly number[], visitors: readonly number[], present: ReadonlyMap<number, number>): Map<number, number> {
    const { table, hostPidOf } = this.options;
    const proxies = new Map([...present].filter(([, pid]) => isHusk(hostPidOf(pid) ?? 0)));
    const { missing, superfluous } = planProxies(table.all(), new Set(husks), new Set(visitors), proxies);
    for (const pid of superfluous) this.end(pid, 0);
    for (const { group, creator } of missing) {
      if (this.hasSubreaper(creator)) continue;
      const like = table.appearanceOf(creator);
      const looks = like === undefined ? undefined : { ...like, command: HUSK_NAME };
      try {
        for (const [pid, hostPid] of this.perform(proxySteps(group, creator), () => looks)) {
          proxies.set(group, pid);
          this.trace(pid, hostPid);
        }
      } catch (error) {
        // The group or the creator has ended meanwhile.
        if (!isErrno(error, 'EPERM', 'ESRCH') && !isKorriganError(error, 'KRG_PROCESS_BUSY')) throw error;
      }
    }
    return new Map([...proxies].filter(([, pid]) => !superfluous.includes(pid)));
  }

  /** Whether an orphan of this husk would not come to init (PR_SET_CHILD_SUBREAPER of it or an ancestor), or that cannot be told now. */
  private hasSubreaper(husk: number): boolean {
    const { table, hostPidOf } = this.options;
    for (let pid = husk; pid > INIT_PID; pid = table.find(pid)?.parent ?? INIT_PID) {
      const hostPid = hostPidOf(pid);
      if (hostPid === undefined) return true;
      try {
        if (isSubreaper(isHusk(hostPid) ? this.hold(hostPid) : RemoteProcess.stop(hostPid), (remote) => this.letGoOf(pid, remote)))
          return true;
      } catch (error) {
        if (
          isKorriganError(error, 'KRG_PROCESS_BUSY') ||
          isKorriganError(error, 'KRG_TRACED') ||
          isKorriganError(error, 'KRG_NO_SUCH_PROCESS')
        )
          return true;
        throw error;
      }
    }
    return false;
  }

  private letGoOf(pid: number, remote: RemoteProcess): void {
    if (!isHusk(remote.pid)) {
      remote.release();
      return;
    }
    resumeHusk(remote);
    this.resumed(pid, remote);
  }

  /** Carries a plan out. @returns the host pids of the husks that were made, by pid; they are not traced */
  private perform(steps: readonly HuskStep[], appearanceOf: HuskFamilyOptions['appearanceOf']): Map<number, number> {
    const held: { pid: number; remote: RemoteProcess }[] = [];
    const work = new HuskFamily({
      hostPidOf: this.options.hostPidOf,
      appearanceOf,
      hold: (hostPid) => {
        const pid = this.traced.get(hostPid)?.pid;
        const remote = this.hold(hostPid);
        if (pid !== undefined) held.push({ pid, remote });
        return remote;
      },
    });
    try {
      work.execute(steps);
      return work.finish();
    } catch (error) {
      work.discard();
      throw error;
    } finally {
      for (const { pid, remote } of held) this.resumed(pid, remote);
    }
  }

  /** The parent-death signal of a husk (PR_SET_PDEATHSIG). */
  deathSignal(pid: number): number {
    let signal = 0;
    this.whileHeld(pid, (remote) => {
      const program = remote.newProgram({ records: 2, data: 8 });
      const place = program.data(8);
      program.call('prctl', PR_GET_PDEATHSIG, place, 0, 0, 0);
      remote.run(program);
      signal = program.viewAt(place, 4).getInt32(0, true);
      return remote;
    });
    return signal;
  }

  /** Ends a husk as its process ended. Nothing happens when there is none. */
  end(pid: number, status: number): void {
    const hostPid = this.options.hostPidOf(pid);
    const traced = hostPid === undefined ? undefined : this.traced.get(hostPid);
    if (hostPid === undefined) return;
    if (traced?.dying === true) {
      traced.tracee.resume();
      this.awaitEnd(hostPid, traced.tracee);
    } else if (isHusk(hostPid)) {
      endHeldHusk(this.hold(hostPid), status);
    }
    this.look();
  }

  /** Stops a husk as its process was stopped. */
  stop(pid: number, signal: number): void {
    this.whileHeld(pid, (remote) => {
      this.stopped.add(remote.pid);
      return stopHeldHusk(remote, signal);
    });
  }

  continue(pid: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid !== undefined) trySyscall('rt_sigqueueinfo', hostPid, SIGCONT, mirroredSignal(SIGCONT));
  }

  /** Stops and continuations of a husk's children that were not taken yet. */
  children(pid: number): ChildChange[] {
    let changes: ChildChange[] = [];
    this.whileHeld(pid, (remote) => {
      changes = takeChildChanges(remote);
      return remote;
    });
    return changes;
  }

  /** Lets the husk of the parent collect a child that has ended. @returns false when its parent is no husk */
  collect(pid: number): boolean {
    const member = this.options.table.find(pid);
    if (member?.ended === undefined || member.parent === INIT_PID) return false;
    let hasCollected = false;
    this.whileHeld(member.parent, (remote) => {
      hasCollected = collectFrom(remote, pid);
      return remote;
    });
    return hasCollected;
  }

  /** A husk, or a process, leads a session of its own (`group` 0) or enters another group. Nothing happens where the kernel refuses it. */
  relate(pid: number, group: number): void {
    const enter = (remote: RemoteProcess): RemoteProcess => {
      try {
        if (group === 0) remote.stepSystemCall('setsid');
        else remote.stepSystemCall('setpgid', 0, group);
      } catch (error) {
        if (!isErrno(error, 'EPERM', 'ESRCH', 'EACCES')) throw error;
      }
      return remote;
    };
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) return;
    if (isHusk(hostPid)) {
      this.whileHeld(pid, enter);
      return;
    }
    const remote = RemoteProcess.stop(hostPid);
    try {
      enter(remote);
    } finally {
      remote.release();
    }
  }

  /** Removes the husks that nobody needs. What was queued to them is reported. @returns who is gone */
  tidy({ husks, kept, proxies }: TidyRequest): number[] {
    const known = new Set(husks);
    const stays = new Set(kept);
    const without = new Set(proxies);
    const here = this.options.table.all().filter(({ pid }) => !without.has(pid));
    const superfluous = superfluousHusks(
      here,
      (pid) => known.has(pid),
      (pid) => stays.has(pid),
    );
    for (const pid of superfluous) this.remove(pid, here.find((member) => member.pid === pid)?.parent ?? INIT_PID);
    return superfluous;
  }

  [Symbol.dispose](): void {
    for (const hostPid of this.traced.keys()) this.letGo(hostPid);
    this.ends[Symbol.dispose]();
  }

  private remove(pid: number, parent: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) return;
    const remote = this.hold(hostPid);
    for (const queue of ['thread', 'shared'] as const) {
      for (const information of remote.main.tracee.pendingSignals(queue)) this.options.report({ kind: 'signal', pid, information });
    }
    this.ends.forget(hostPid);
    endHeldHusk(remote, 0);
    if (parent !== INIT_PID) this.collect(pid);
  }

  private whileHeld(pid: number, action: (remote: RemoteProcess) => RemoteProcess): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined || !isHusk(hostPid)) return;
    let remote = this.hold(hostPid);
    try {
      remote = action(remote);
    } finally {
      resumeHusk(remote);
      this.resumed(pid, remote);
    }
  }

  /** A husk that was held is on its own again: a stop that was kept from it comes now, under our eyes. */
  private resumed(pid: number, remote: RemoteProcess): void {
    this.trace(pid, remote.pid);
    if (remote.stopArrived) trySyscall('kill', remote.pid, SIGSTOP);
  }

  /** @throws KorriganError KRG_PROCESS_BUSY for one that is about to end */
  private hold(hostPid: number): RemoteProcess {
    const traced = this.traced.get(hostPid);
    if (traced?.dying === true || !this.letGo(hostPid)) {
      throw new KorriganError('KRG_PROCESS_BUSY', `the husk of process ${traced?.pid ?? hostPid} is just ending; try again`);
    }
    const remote = holdHusk(hostPid);
    // It was stopped when nobody traced it.
    if (traced !== undefined && remote.main.groupStop !== 0 && !this.stopped.has(hostPid)) {
      this.stopped.add(hostPid);
      this.options.report({ kind: 'signal', pid: traced.pid, information: plainSignal(SIGSTOP) });
    }
    return remote;
  }

  private trace(pid: number, hostPid: number): void {
    try {
      this.traced.set(hostPid, { pid, tracee: Tracee.seize(hostPid, TRACE_OPTION.traceExit), dying: false });
    } catch (error) {
      // It has ended, which is reported, or is just being held.
      if (!isErrno(error, 'ESRCH', 'EPERM')) throw error;
    }
  }

  /** @returns false when the husk is about to end */
  private letGo(hostPid: number): boolean {
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
        this.options.report({ kind: 'killed', pid });
        return;
      case 'interrupted':
        if (status.groupStop === 0) {
          this.stopped.delete(hostPid);
          tracee.resume();
        } else tracee.listen();
        return;
      case 'signal':
        if (status.signal === SIGSTOP) this.options.report({ kind: 'signal', pid, information: tracee.signalInformation() });
        tracee.resume();
    }
  }

  private awaitEnd(hostPid: number, tracee: Tracee): void {
    this.traced.delete(hostPid);
    for (let status = tracee.wait(); status.kind !== 'exited' && status.kind !== 'killed'; status = tracee.wait()) tracee.resume();
  }
}
