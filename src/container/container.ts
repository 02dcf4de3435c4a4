/** The container of a node: made once, adopted by every daemon of the node that comes after, destroyed with all that runs in it. */
import { readFileSync } from 'node:fs';
import { isGroupName } from '../capability/index.ts';
import {
  addListener,
  cgroupMountPoint,
  ControlGroup,
  converse,
  futexWait,
  futexWake,
  INIT_PROCFS_FD,
  KorriganError,
  PidNamespace,
  pidfdOpen,
  pidfdSendSignal,
  readStat,
  syscall,
  SyscallError,
  trySyscall,
  type ClockOffsets,
  type WindowSize,
} from '../linux/index.ts';
import { Arena, ARENA_ADDRESS, JOURNAL, LAUNCHER_LANE, STATE, STREAM_MEMORY_ADDRESS, SUPERBLOCK } from './arena.ts';
import { giveBirth } from './birth.ts';
import { ForeignPids } from './foreign-pids.ts';
import { Lane, recoverLanes } from './lane.ts';
import { buildLaunch, inOwnGroup, launchCapacity, launchedPid, type LaunchOptions } from './launch.ts';
import type { PidRange } from './pid-range.ts';
import { fuseOf } from './proc-mount.ts';
import { RecordSlots } from './record-slots.ts';
import { ReaperRing } from './reaper-ring.ts';
import { setUp } from './setup.ts';
import { buildSpawn, spawnCapacity, type SpawnOptions } from './spawn.ts';
import { shareStreamMemory } from './stream-memory.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { placeThreadPrograms } from './threads.ts';
import { installFilter } from './trapped-calls.ts';

export interface ContainerOptions {
  /** The container's cgroup; see {@link containerCgroup}. It is also how the container is found again. */
  readonly cgroup: ControlGroup;
  readonly hostName: string;
  readonly range: PidRange;
  /** Of the container's clocks against those of the initial time namespace. */
  readonly clockOffsets: ClockOffsets;
}

const SIGKILL = 9;
const LOCK_EXCLUSIVE_NONBLOCKING = 6;
const BOOT_SECONDS = 10;
const END_SECONDS = 10;
const CHILDREN_WORD = ARENA_ADDRESS + SUPERBLOCK.children;
/** The lane of the daemon's main thread. */
const MAIN_LANE = 0;

/** A process that was started. */
export interface StartedProcess {
  /** In the container. */
  readonly pid: number;
  readonly hostPid: number;
}

/** The cgroup of a node's container. */
export function containerCgroup(cluster: string, node: number): ControlGroup {
  return new ControlGroup(cgroupMountPoint()).child('korrigan').child(cluster).child(`node${node}`);
}

export class Container {
  /** Host pid of pid 1. */
  readonly initPid: number;
  readonly range: PidRange;
  /** Holds `init` with pid 1 and `processes` with a group per application. */
  readonly cgroup: ControlGroup;
  /** The lane of the thread that made this object. */
  readonly lane: Lane;
  readonly reaped: ReaperRing;
  /** To be admitted while processes arrive from other nodes. */
  readonly foreignPids: ForeignPids;
  private readonly arena: Arena;
  private readonly lock: number;
  private readonly launcher: Lane;
  private readonly pids: PidNamespace;
  private launching: Promise<unknown> = Promise.resolve();
  private procfs: number | undefined;
  private applications = 0;
  private readonly unborn = new Set<string>();

  private constructor(arena: Arena, initPid: number, cgroup: ControlGroup, lock: number) {
    this.arena = arena;
    this.initPid = initPid;
    this.cgroup = cgroup;
    this.lock = lock;
    this.range = { low: arena.load(SUPERBLOCK.pidLow), high: arena.load(SUPERBLOCK.pidHigh) };
    this.lane = Lane.take(arena, initPid, MAIN_LANE);
    this.launcher = Lane.take(arena, initPid, LAUNCHER_LANE);
    this.reaped = new ReaperRing(arena);
    this.pids = new PidNamespace(initPid);
    this.foreignPids = new ForeignPids(this.lane, this.range);
  }

  /** Makes a container. @throws KorriganError KRG_INTERNAL when another daemon holds one in this cgroup */
  static async create(options: ContainerOptions): Promise<Container> {
    const { cgroup, range } = options;
    const init = cgroup.child('init').create();
    cgroup.child('processes').create();
    const lock = lockCgroup(cgroup);
    if (init.populated) throw new KorriganError('KRG_INTERNAL', `there is a container in ${cgroup.path} already`);
    const arena = Arena.create();
    arena.store(SUPERBLOCK.pidLow, range.low);
    arena.store(SUPERBLOCK.pidHigh, range.high);
    placeThreadPrograms(arena, range);
    const initPid = giveBirth({ arena, cgroup: init, clockOffsets: options.clockOffsets, arguments: ['korrigan-init', options.hostName] });
    waitUntilUp(arena);
    const container = new Container(arena, initPid, cgroup, lock);
    const kept = converse(container.lane, setUp(options.hostName, range));
    arena.store(SUPERBLOCK.lastPidFd, kept.lastPid);
    futexWake(arena.addressHere(SUPERBLOCK.lastPidFd));
    arena.store(SUPERBLOCK.listenerFd, converse(container.launcher, installFilter(range)));
    arena.store(SUPERBLOCK.state, STATE.ready);
    return container;
  }

  /**
   * Takes over the container that an earlier daemon left in this cgroup. One that was not finished is destroyed.
   * @param serveProc told of its pid 1 and /dev/fuse, where that is mounted over /proc: what pid 1 is still doing may wait for it
   * @returns undefined when there is none
   * @throws KorriganError KRG_INTERNAL when another daemon holds it
   */
  static async adopt(cgroup: ControlGroup, serveProc?: (initPid: number, fuse: number) => void): Promise<Container | undefined> {
    const init = cgroup.child('init');
    if (!init.exists || !init.populated) return undefined;
    const lock = lockCgroup(cgroup);
    const [pid] = init.processes();
    const arena = pid === undefined ? undefined : openArena(pid);
    if (pid === undefined || arena === undefined || arena.load(SUPERBLOCK.state) !== STATE.ready) {
      arena?.close();
      await destroyCgroup(cgroup);
      syscall('close', lock);
      return undefined;
    }
    const fuse = fuseOf(pid, arena);
    if (fuse !== undefined) serveProc?.(pid, fuse);
    await recoverLanes(arena, LAUNCHER_LANE + 1);
    const container = new Container(arena, pid, cgroup, lock);
    container.foreignPids.shut();
    return container;
  }

  /** Records of moves, which outlive the daemon. */
  get records(): RecordSlots {
    return new RecordSlots(this.arena);
  }

  /** 64 KiB that outlive the daemon, for small words of those who join the modules; zero at first. */
  get journal(): DataView {
    return new DataView(this.arena.view.buffer, JOURNAL.offset, JOURNAL.size);
  }

  /**
   * Memory that outlives the daemon, for what streams must not lose: a sparse memfd of pid 1, which has it mapped at `address`.
   * Made when first asked for.
   * @returns a descriptor here, the caller's
   */
  shareStreamMemory(size: number): { fd: number; address: number } {
    if (this.arena.load(SUPERBLOCK.streamMemoryFd) === 0) shareStreamMemory(this.lane, size);
    const range = { start: STREAM_MEMORY_ADDRESS, end: STREAM_MEMORY_ADDRESS + size };
    for (const lane of [this.lane, this.launcher]) lane.allow(range);
    return { fd: this.takeDescriptor(this.arena.load(SUPERBLOCK.streamMemoryFd)), address: range.start };
  }

  /** Starts a program. @throws KorriganError KRG_COMMAND_NOT_FOUND, KRG_COMMAND_NOT_EXECUTABLE, KRG_BAD_REQUEST; SyscallError */
  async launch(options: LaunchOptions): Promise<StartedProcess> {
    return this.exclusively(async () => {
      const placed = inOwnGroup(options);
      const launch = buildLaunch(this.launcher.newProgram(launchCapacity(placed)), placed, CHILDREN_WORD);
      try {
        await this.runLauncher(launch);
        return this.started(launchedPid(launch, options));
      } finally {
        this.settle(options.cgroup);
      }
    });
  }

  /** Makes a process that runs a program and executes no file. @throws SyscallError, EEXIST when the pid is taken */
  async spawn(options: SpawnOptions): Promise<StartedProcess> {
    return this.exclusively(async () => {
      const program = this.launcher.newProgram(spawnCapacity(options));
      const spawn = buildSpawn(program, options, CHILDREN_WORD);
      await this.runLauncher({ ...spawn, program });
      spawn.check();
      return this.started(program.checkedResult(spawn.clone));
    });
  }

  /** A new cgroup for an application. It is kept until something was started in it and everything there has ended. */
  newApplication(): ControlGroup {
    const cgroup = this.cgroup.child('processes').child(`a${Date.now().toString(36)}${(this.applications++).toString(36)}`);
    this.unborn.add(cgroup.name);
    return cgroup.create();
  }

  /** Lets a cgroup of {@link Container.newApplication} be removed when it is empty. A launch into it does so itself. */
  settle(cgroup: ControlGroup): void {
    this.unborn.delete(cgroup.name);
  }

  /** Removes the cgroups of applications that have ended. */
  removeEndedApplications(): void {
    for (const cgroup of this.cgroup.child('processes').children()) if (!this.unborn.has(cgroup.name)) cgroup.removeIfEmpty(isGroupName);
  }

  /** Makes a terminal of the container. Its master stays in pid 1. */
  openTerminal(owner: { uid: number }, size: WindowSize): Terminal {
    return converse(this.lane, openTerminal(owner.uid, size));
  }

  /** A pipe of pid 1, close-on-exec. */
  openPipe(): { readEnd: number; writeEnd: number } {
    const ends = new Int32Array(2);
    this.lane.call('pipe2', new Uint8Array(ends.buffer), 0o2000000);
    const [readEnd = -1, writeEnd = -1] = ends;
    return { readEnd, writeEnd };
  }

  /**
   * Opens a listening socket of pid 1: while it is open, the container lives, whatever becomes of the daemon. Its descriptor stands in the journal, in 8 bytes at
   * `at`, as soon as there is one.
   * @throws KorriganError KRG_PORT_IN_USE
   */
  openListener(host: string, port: number, at: number): void {
    const program = this.lane.newProgram({ records: 16, data: 256 });
    const fd = addListener(program, host, port);
    program.operation('copy', ARENA_ADDRESS + JOURNAL.offset + at, program.addressOfResult(fd), 8);
    try {
      this.lane.run(program);
    } catch (cause) {
      if (!(cause instanceof SyscallError)) throw cause;
      const opened = program.result(fd);
      if (opened > 0) this.closeDescriptor(opened);
      throw new KorriganError('KRG_PORT_IN_USE', `cannot listen on ${host}:${port}: ${cause.message}`, { cause });
    }
  }

  /** Names this container among all that any machine ever had: the boot of the machine, and when pid 1 began in it. */
  get life(): string {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${readStat(this.initPid)?.startTime ?? 0}`;
  }

  /** Closes a descriptor of pid 1. */
  closeDescriptor(fd: number): void {
    this.lane.call('close', fd);
  }

  /** A duplicate here, close-on-exec, of a descriptor of pid 1. The caller closes it. */
  takeDescriptor(fd: number): number {
    return this.lane.takeDescriptor(fd);
  }

  /** Duplicates here: readable when someone was reaped; the listener of trapped calls. The caller closes them. */
  takeEvents(): { reaper: number; trappedCalls: number } {
    return {
      reaper: this.takeDescriptor(this.arena.load(SUPERBLOCK.reaperEventfd)),
      trappedCalls: this.takeDescriptor(this.arena.load(SUPERBLOCK.listenerFd)),
    };
  }

  /** Directory, for this process, of the container's own procfs. */
  get procfsPath(): string {
    this.procfs ??= this.takeDescriptor(INIT_PROCFS_FD);
    return `/proc/self/fd/${this.procfs}`;
  }

  /** How often the keeper has set the pid allocator back. */
  get keeperResets(): number {
    return this.arena.loadCounter(SUPERBLOCK.keeperResets);
  }

  /** Host pid of a process (or thread) of the container, or undefined. */
  hostPidOf(pid: number): number | undefined {
    return this.pids.toHere(pid);
  }

  /** Pid in the container of a host process (or thread), or undefined when it is not in it. */
  containerPidOf(hostPid: number): number | undefined {
    return this.pids.toThere(hostPid);
  }

  /** Lets go of the container, which lives on. */
  release(): void {
    this.lane.detach();
    this.launcher.detach();
    this.pids[Symbol.dispose]();
    if (this.procfs !== undefined) syscall('close', this.procfs);
    this.arena.close();
    syscall('close', this.lock);
  }

  /** Ends pid 1, and every process of the container with it. */
  async kill(): Promise<void> {
    trySyscall('kill', this.initPid, SIGKILL);
    await until(END_SECONDS, 'the container to end', () => hasEnded(this.initPid));
  }

  /** Ends every process of the container and leaves nothing of it. */
  async destroy(): Promise<void> {
    await destroyCgroup(this.cgroup);
    // Those of the cluster and of Korrigan, when this was the last container in them.
    for (const above of [this.cgroup.parent, this.cgroup.parent.parent]) above.removeIfEmpty();
    this.release();
  }

  private started(pid: number): StartedProcess {
    return { pid, hostPid: this.hostPidOf(pid) ?? 0 };
  }

  /** The launcher does one thing after the other. */
  private async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.launching.then(work);
    this.launching = result.catch(() => undefined);
    return result;
  }

  private async runLauncher(launch: {
    program: Parameters<Lane['run']>[0];
    openCgroup: number;
    clone: number;
    childStart: number;
  }): Promise<void> {
    try {
      await this.launcher.runWithoutBlocking(launch.program, launch.childStart);
    } catch (error) {
      const fd = launch.program.result(launch.openCgroup);
      if (launch.program.result(launch.clone) < 0 && fd > 0) this.closeDescriptor(fd);
      throw error;
    }
  }
}

/** Ends whatever runs in a container's cgroup and removes it, without adopting the container. */
export async function destroyCgroup(cgroup: ControlGroup): Promise<void> {
  if (!cgroup.exists) return;
  const pids = cgroup.child('init').exists ? cgroup.child('init').processes() : [];
  for (const pid of pids) {
    const pidfd = pidfdOpen(pid);
    pidfdSendSignal(pidfd, SIGKILL);
    syscall('close', pidfd);
  }
  cgroup.kill();
  await until(END_SECONDS, `the processes in ${cgroup.path} to end`, () => !cgroup.populated && pids.every((pid) => hasEnded(pid)));
  await until(END_SECONDS, `${cgroup.path} to become removable`, () => {
    try {
      cgroup.remove();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
      throw error;
    }
  });
}

function hasEnded(pid: number): boolean {
  const state = readStat(pid)?.state;
  return state === undefined || state === 'Z' || state === 'X';
}

async function until(seconds: number, what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > deadline) throw new KorriganError('KRG_DEADLINE', `waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function waitUntilUp(arena: Arena): void {
  const deadline = performance.now() + BOOT_SECONDS * 1000;
  for (;;) {
    const state = arena.load(SUPERBLOCK.state);
    if (state === STATE.up) return;
    if (state === STATE.failed || performance.now() > deadline)
      throw new KorriganError('KRG_INTERNAL', 'pid 1 of the container did not start its threads');
    futexWait(arena.addressHere(SUPERBLOCK.state), state, 100);
  }
}

function openArena(pid: number): Arena | undefined {
  return hasEnded(pid) ? undefined : Arena.open(pid);
}

/** Two daemons must never hold one container. The lock goes with the process that took it. */
function lockCgroup(cgroup: ControlGroup): number {
  const fd = cgroup.open();
  if (trySyscall('flock', fd, LOCK_EXCLUSIVE_NONBLOCKING) === 0) return fd;
  cgroup.close(fd);
  throw new KorriganError('KRG_INTERNAL', `another daemon holds the container in ${cgroup.path}`);
}
