/**
 * Carries a family plan out on the husks of a node. Belongs to one thread, which holds every husk that it touches by ptrace until
 * {@link HuskFamily.finish} or {@link HuskFamily.discard}. A husk makes a husk by one clone; the child is held from its birth.
 */
import {
  CLONE,
  cloneArguments,
  CLONE_ARGUMENTS_CGROUP,
  CLONE_ARGUMENTS_SIZE,
  type ControlGroup,
  converse,
  inProcess,
  isErrno,
  KorriganError,
  OPEN,
  RemoteProcess,
  TRACE_OPTION,
  Tracee,
  type StoppedThread,
} from '../linux/index.ts';
import { takeNewTerminal } from '../streams/index.ts';
import type { HuskStep } from './husk-plan.ts';
import { holdHusk, resumeHusk } from './held-husk.ts';
import { becomeHusk, HUSK_ADDRESS, HUSK_REGION_SIZE } from './husk-body.ts';
import { endHeldHusk } from './husk-end.ts';
import type { Appearance } from './process-table.ts';
import { INIT_PID } from './relatives.ts';
import { signalNumber } from './records.ts';

const SIGCHLD = 17;
const WALL = 0x40000000;
const PR_SET_NAME = 15;
const ALL_SIGNALS = 0xffffffffffffffffn;
/** setresuid(2): leave as it is. */
const UNCHANGED = -1;
const ROOT = 0;
const HIGHEST_DESCRIPTOR = 0xffffffff;

export interface HuskFamilyOptions {
  /** Host pid of a process of the container, or undefined when there is none. */
  readonly hostPidOf: (pid: number) => number | undefined;
  /** How the husk of a relative looks; those of temporary processes look like their creator's. */
  readonly appearanceOf: (pid: number) => Appearance | undefined;
  /** Where a husk is born: moving it there later takes the kernel milliseconds. Without one it is born where its creator is. */
  readonly cgroupOf?: (pid: number) => ControlGroup;
  /** Holds the husk with this host pid. */
  readonly hold?: (hostPid: number) => RemoteProcess;
}

interface Held {
  readonly remote: RemoteProcess;
}

export class HuskFamily {
  private readonly options: HuskFamilyOptions;
  private readonly held = new Map<number, Held>();
  /** Pids of temporary processes by the number that the plan gives them. */
  private readonly temporaries = new Map<number, number>();
  /** Made by this plan and living, in the order of their birth. */
  private readonly made: { pid: number; parent: number }[] = [];
  /** Made by this plan and ended again, for good. */
  private readonly zombies: { pid: number; parent: number; hostPid: number }[] = [];

  constructor(options: HuskFamilyOptions) {
    this.options = options;
  }

  /** @throws KorriganError; what was made so far is for {@link HuskFamily.discard} */
  execute(steps: readonly HuskStep[]): void {
    for (const step of steps) this.perform(step);
  }

  /** All husks go into their loops. @returns the host pids of those that were made, by pid */
  finish(): Map<number, number> {
    const living = this.made.map(({ pid }) => ({ pid, hostPid: this.held.get(pid)?.remote.pid ?? 0 }));
    const made = new Map([...living, ...this.zombies].map(({ pid, hostPid }) => [pid, hostPid]));
    for (const { remote } of this.held.values()) resumeHusk(remote);
    this.held.clear();
    return made;
  }

  /** Removes what was made, and nothing else. Husks that were here before go on. */
  discard(): void {
    for (const { pid, parent } of this.made.toReversed()) {
      const remote = this.held.get(pid)?.remote;
      if (remote === undefined) continue;
      remote.kill();
      this.held.delete(pid);
      if (parent !== INIT_PID) this.collect(pid, parent);
    }
    for (const { pid, parent } of this.zombies) if (this.held.has(parent)) this.collect(pid, parent);
    for (const { remote } of this.held.values()) resumeHusk(remote);
    this.held.clear();
  }

  private perform(step: HuskStep): void {
    switch (step.kind) {
      case 'clone':
        return this.clone(step);
      case 'setsid':
        return this.call(step.pid, 'setsid');
      case 'setpgid':
        return this.call(step.pid, 'setpgid', 0, step.group);
      case 'terminal':
        return converse(inProcess(this.hold(step.pid).remote), takeNewTerminal(step.number));
      case 'end':
        return this.end(step.pid, 0, step.reaper);
      case 'die':
        return this.die(step.pid, step.status);
    }
  }

  private pidOf(pid: number): number {
    return this.temporaries.get(pid) ?? pid;
  }

  private hold(named: number): Held {
    const pid = this.pidOf(named);
    const known = this.held.get(pid);
    if (known !== undefined) return known;
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) throw new KorriganError('KRG_PROCESS_BUSY', `the husk of process ${pid} has just ended; try again`);
    const held = { remote: (this.options.hold ?? holdHusk)(hostPid) };
    this.held.set(pid, held);
    return held;
  }

  private call(pid: number, name: 'setsid' | 'setpgid', ...args: number[]): void {
    this.hold(pid).remote.stepSystemCall(name, ...args);
  }

  private clone(step: HuskStep & { kind: 'clone' }): void {
    const { pid: named, creator, sibling } = step;
    const { remote } = this.hold(creator);
    const { tracee } = remote.main;
    tracee.setOptions(TRACE_OPTION.traceFork | TRACE_OPTION.traceClone);
    let pid: number;
    try {
      pid = this.bear(step, remote, this.options.cgroupOf?.(named));
    } catch (error) {
      throw refusal(error, named, this.pidOf(creator)) ?? error;
    } finally {
      tracee.setOptions(0);
    }
    if (named < 0) this.temporaries.set(named, pid);
    const child = this.holdNewborn(pid, remote.main);
    this.held.set(pid, { remote: child });
    this.made.push({ pid, parent: sibling ? INIT_PID : this.pidOf(creator) });
    this.present(pid, child, named < 0);
  }

  /** @returns the pid of the child, which stops at its birth */
  private bear(step: HuskStep & { kind: 'clone' }, remote: RemoteProcess, cgroup: ControlGroup | undefined): number {
    const { pid: named, sibling, temporary } = step;
    const program = remote.newProgram({ records: 7, data: CLONE_ARGUMENTS_SIZE + 32 + (cgroup?.path.length ?? 0) });
    const setTid = named > 0 ? { setTid: { address: program.data(new Uint8Array(Int32Array.of(named, 0).buffer)), count: 1 } } : {};
    const exitSignal = sibling || temporary ? 0 : (this.options.appearanceOf(named)?.exitSignal ?? SIGCHLD);
    const flags = (sibling ? CLONE.parent : 0) + (cgroup === undefined ? 0 : CLONE.intoCgroup);
    const args = program.data(cloneArguments({ flags, exitSignal, ...setTid }));
    if (cgroup !== undefined) {
      const open = program.tryCall('open', program.string(cgroup.path), OPEN.path | OPEN.directory | OPEN.closeOnExec, 0);
      program.operation('copy', args + CLONE_ARGUMENTS_CGROUP, program.addressOfResult(open), 8);
      program.forwardResult(open, program.length + 2, 0);
    }
    const spawn = program.operation('spawn', args, CLONE_ARGUMENTS_SIZE, 0);
    // A child whose tracer dies goes on as its creator does, and is found (kindOfHusk).
    program.patch(spawn, 2, program.addressOfRecord(program.length));
    if (cgroup !== undefined) program.tryCall('close', 0);
    try {
      remote.run(program);
    } catch (error) {
      // The husk of an ordinary user, or one with a root directory of its own, or a group that was empty and has been tidied up.
      if (cgroup === undefined || !isErrno(error, 'EACCES', 'EBADF', 'EINVAL', 'ENODEV', 'EPERM')) throw error;
      return this.bear(step, remote, undefined);
    }
    return program.result(spawn);
  }

  private holdNewborn(pid: number, creator: StoppedThread): RemoteProcess {
    const hostPid = this.options.hostPidOf(pid);
    if (hostPid === undefined) throw new KorriganError('KRG_INTERNAL', `husk ${pid} was made but is not there`);
    const tracee = new Tracee(hostPid);
    tracee.wait();
    const thread = { tracee, registers: creator.registers.copy(), signalMask: ALL_SIGNALS, groupStop: 0 };
    const remote = RemoteProcess.holding(hostPid, [thread]);
    remote.useRegion(HUSK_ADDRESS, HUSK_REGION_SIZE);
    return remote;
  }

  /** The copy of its creator becomes a husk of its own. */
  private present(pid: number, remote: RemoteProcess, standsForNobody: boolean): void {
    const { command, commandLine, users } = this.options.appearanceOf(pid) ?? {
      command: 'husk',
      commandLine: new Uint8Array(),
      users: [ROOT, ROOT],
    };
    const program = remote.newProgram({ records: 11, data: 1536 });
    // The husk of a leader keeps its terminal, for itself.
    program.call('close_range', 1, HIGHEST_DESCRIPTOR, 0);
    becomeHusk(program, pid, commandLine, standsForNobody);
    program.call('prctl', PR_SET_NAME, program.string(command.slice(0, 15)), 0, 0, 0);
    // Kill(2) compares real and saved ids; the effective one keeps the privilege to make husks and to become anybody.
    program.tryCall('setresuid', users[0], UNCHANGED, users[1]);
    remote.run(program);
  }

  private end(named: number, status: number, reaper: number): void {
    const pid = this.pidOf(named);
    endHeldHusk(this.hold(pid).remote, status);
    this.forget(pid);
    if (reaper !== INIT_PID) this.collect(pid, this.pidOf(reaper));
    for (const husk of this.made) if (husk.parent === pid) husk.parent = INIT_PID;
    this.temporaries.delete(named);
  }

  /** The parent must not hear of a death that is no news to its process. */
  private die(pid: number, status: number): void {
    const parent = this.made.find((husk) => husk.pid === pid)?.parent ?? INIT_PID;
    const held = this.held.get(parent)?.remote;
    const before = held?.main.tracee.pendingSignals('shared').some((information) => signalNumber(information) === SIGCHLD);
    const { remote } = this.hold(pid);
    endHeldHusk(remote, status);
    this.forget(pid);
    this.zombies.push({ pid, parent, hostPid: remote.pid });
    if (held === undefined || before === true) return;
    const program = held.newProgram({ records: 2, data: 64 });
    const mask = new Uint8Array(8);
    new DataView(mask.buffer).setBigUint64(0, 1n << BigInt(SIGCHLD - 1), true);
    program.tryCall('rt_sigtimedwait', program.data(mask), 0, program.data(16), 8);
    held.run(program);
  }

  private forget(pid: number): void {
    this.held.delete(pid);
    const index = this.made.findIndex((husk) => husk.pid === pid);
    if (index >= 0) this.made.splice(index, 1);
  }

  /** The parent takes the status of a child that has ended. */
  private collect(pid: number, parent: number): void {
    const { remote } = this.hold(parent);
    const program = remote.newProgram({ records: 2, data: 0 });
    program.call('wait4', pid, 0, WALL, 0);
    remote.run(program);
  }
}

function refusal(error: unknown, pid: number, creator: number): KorriganError | undefined {
  if (isErrno(error, 'EEXIST'))
    return new KorriganError('KRG_PROCESS_BUSY', `pid ${pid} is taken on the target node; try again`, { cause: error });
  if (!isErrno(error, 'EPERM')) return undefined;
  const why = `its parent ${creator} was left there without privileges, and only privileged processes can give a child its pid`;
  return new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot be given its place on the target node: ${why}`, { cause: error });
}
