/**
 * The monitor: the one thread of a node that holds husks. It traces each of them, so that a SIGSTOP or SIGKILL that reaches a husk is seen before
 * it has an effect, and does everything else that is done to husks. It also watches, by their pidfds, processes whose end must be told
 * to other nodes. Belongs to the thread that makes it; {@link HuskMonitor.look} has to be called again and again.
 *
 * Rules: a husk that is killed stays in its last stop (PTRACE_EVENT_EXIT) until {@link HuskMonitor.end}, so its parent hears of the end
 * when it is true. SIGSTOP is swallowed and reported: the process stops, and then the husk by {@link HuskMonitor.stop}.
 */
import { ControlGroup, isErrno, isKorriganError, readStat, type RemoteProcess, trySyscall } from '../linux/index.ts';
import { EndWatch } from './end-watch.ts';
import type { FamilyDescription } from './family-description.ts';
import { holdProcess, isHusk, resumeHusk } from './held-husk.ts';
import { TracedHusks } from './traced-husks.ts';
import { endHeldHusk, stopHeldHusk } from './husk-end.ts';
import { HuskFamily, type HuskFamilyOptions } from './husk-family.ts';
import type { MonitorEvent } from './monitor-events.ts';
import { planProxies, proxySteps } from './group-proxies.ts';
import { type HuskStep, planHusks } from './husk-plan.ts';
import { type ChildChange, collectFrom, isSubreaper, takeChildChanges } from './husk-children.ts';
import type { ContainerTable } from './process-table.ts';
import { HUSK_NAME } from './template.ts';
import { mirroredSignal } from './records.ts';
import { INIT_PID, superfluousHusks } from './relatives.ts';

const PR_GET_PDEATHSIG = 2;
const SIGKILL = 9;
const SIGCONT = 18;

export interface MonitorOptions {
  readonly table: ContainerTable;
  readonly hostPidOf: (pid: number) => number | undefined;
  /** Where husks are born that stay husks. */
  readonly group: ControlGroup;
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

export class HuskMonitor {
  private readonly options: MonitorOptions;
  private readonly husks: TracedHusks;
  private readonly ends: EndWatch;

  constructor(options: MonitorOptions) {
    this.options = options;
    this.husks = new TracedHusks(options.report);
    this.ends = new EndWatch(options.report);
  }

  /** Sees to it that the end of a process or husk is reported. */
  watch(pid: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid !== undefined) this.ends.watch(pid, hostPid);
  }

  /** What is gone of these is no news. @returns their host pids */
  forgetEnded(hostPids: readonly number[]): number[] {
    const gone = hostPids.filter((hostPid) => hasEnded(hostPid));
    for (const hostPid of gone) this.ends.forget(hostPid);
    return gone;
  }

  /** Traces a husk, and watches it. */
  adopt(pid: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) return;
    this.watch(pid);
    this.husks.trace(pid, hostPid);
  }

  /** Lets go of husks, so that other threads can hold them. They stay watched. */
  release(pids: readonly number[]): void {
    for (const pid of pids) {
      const hostPid = this.options.hostPidOf(pid);
      if (hostPid !== undefined) this.husks.letGo(hostPid);
    }
  }

  /** Ends what a killed daemon was making here: a husk that stands for nobody, or what has not become one. */
  discard(pid: number): void {
    const { hostPidOf, table } = this.options;
    const hostPid = hostPidOf(pid);
    if (hostPid === undefined) return;
    if (isHusk(hostPid)) this.remove(pid, table.find(pid)?.parent ?? INIT_PID);
    else trySyscall('kill', hostPid, SIGKILL);
  }

  /** Everything that has happened since the last look is reported. */
  look(): void {
    this.husks.look();
    this.ends.look();
  }

  /** Is there anything to look at? */
  get isBusy(): boolean {
    return this.ends.isBusy || this.husks.isBusy;
  }

  /**
   * Makes what is missing of a family; see planHusks. Those that are to move in are let go of.
   * @param group where those are born
   * @returns those of the family that are husks, or zombies, of this node's making
   */
  prepare(family: FamilyDescription, husks: readonly number[], template: number, group: string): number[] {
    const { table, hostPidOf } = this.options;
    const known = new Set([...husks, template]);
    for (const { pid } of family.members) if (!known.has(pid) && isHusk(hostPidOf(pid) ?? 0)) known.add(pid);
    const { members: wanted, moving: arriving } = family;
    const steps = planHusks({ wanted, here: table.all(), isHusk: (pid) => known.has(pid), template, moving: arriving });
    const strays = family.members.map(({ pid }) => pid).filter((pid) => known.has(pid) && !husks.includes(pid));
    const appearance = new Map(family.members.map((member) => [member.pid, member]));
    const moving = new Set(family.moving);
    const made = this.perform(
      steps,
      (pid) => appearance.get(pid),
      (pid) => (moving.has(pid) ? new ControlGroup(group) : this.options.group),
    );
    for (const [pid, hostPid] of made) {
      this.watch(pid);
      if (!moving.has(pid) && isHusk(hostPid)) this.husks.trace(pid, hostPid);
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
        for (const [pid, hostPid] of this.perform(
          proxySteps(group, creator),
          () => looks,
          () => this.options.group,
        )) {
          proxies.set(group, pid);
          this.husks.trace(pid, hostPid);
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
      const wasTraced = this.husks.pidOf(hostPid) !== undefined;
      const letGo = (remote: RemoteProcess): void => this.letGoOf(pid, remote, wasTraced);
      try {
        if (isSubreaper(isHusk(hostPid) ? this.husks.hold(hostPid) : holdProcess(hostPid), letGo)) return true;
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

  private letGoOf(pid: number, remote: RemoteProcess, wasTraced: boolean): void {
    if (!isHusk(remote.pid)) {
      remote.release();
      return;
    }
    resumeHusk(remote);
    this.husks.resumed(pid, remote, wasTraced);
  }

  /** Carries a plan out. @returns the host pids of the husks that were made, by pid; they are not traced */
  private perform(
    steps: readonly HuskStep[],
    appearanceOf: HuskFamilyOptions['appearanceOf'],
    cgroupOf: (pid: number) => ControlGroup,
  ): Map<number, number> {
    const held: { pid: number; remote: RemoteProcess }[] = [];
    const work = new HuskFamily({
      hostPidOf: this.options.hostPidOf,
      appearanceOf,
      cgroupOf: (pid) => cgroupOf(pid).create(),
      hold: (hostPid) => {
        const pid = this.husks.pidOf(hostPid);
        const remote = this.husks.hold(hostPid);
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
      for (const { pid, remote } of held) this.husks.resumed(pid, remote, true);
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
    if (hostPid === undefined) return;
    if (!this.husks.letDie(hostPid) && isHusk(hostPid)) endHeldHusk(this.husks.hold(hostPid), status);
    this.look();
  }

  /** Stops a husk as its process was stopped. */
  stop(pid: number, signal: number): void {
    this.whileHeld(pid, (remote) => {
      this.husks.noteStop(remote.pid);
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
    const remote = holdProcess(hostPid);
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
    this.husks[Symbol.dispose]();
    this.ends[Symbol.dispose]();
  }

  private remove(pid: number, parent: number): void {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) return;
    const remote = this.husks.hold(hostPid);
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
    const wasTraced = this.husks.pidOf(hostPid) !== undefined;
    let remote = this.husks.hold(hostPid);
    try {
      remote = action(remote);
    } finally {
      resumeHusk(remote);
      this.husks.resumed(pid, remote, wasTraced);
    }
  }
}

function hasEnded(hostPid: number): boolean {
  const state = readStat(hostPid)?.state;
  return state === undefined || state === 'Z' || state === 'X';
}
