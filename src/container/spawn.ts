/** Processes that execute no file but go on as interpreters: husks, bodies of processes to be restored. */
import { CLONE, KorriganError, type ControlGroup, type Program } from '../linux/index.ts';
import { ARENA_ADDRESS, ARENA_SIZE } from './arena.ts';
import { cloneIntoCgroup } from './launch.ts';

/** Where such a process has its program: private memory right behind the arena, which it also sees. */
export const SPAWN_ADDRESS = ARENA_ADDRESS + ARENA_SIZE;

export interface SpawnOptions {
  /** Where the process is born. */
  readonly cgroup: ControlGroup;
  /** The pid that it must get; the next free one of the node when undefined. */
  readonly pid?: number;
  /** What its parent, pid 1, gets when it ends. */
  readonly exitSignal?: number;
  /** Bytes of its private memory; at least those of its program. */
  readonly memory: number;
  /** A program for {@link SPAWN_ADDRESS}. It starts without a failure program: until it sets one, a failure is a breakpoint. */
  readonly program: Program;
}

const SIGCHLD = 17;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_FIXED = 0x100032;
const EXIT_FAILED = 72;
const READY = 1;
const FAILED = 2;
const PAGE = 4096;
const FUTEX_WAIT = 0;
/** Between two looks at a process that has not begun yet. */
const LOOK_NANOSECONDS = 10_000_000n;

export interface SpawnProgram {
  readonly openCgroup: number;
  /** Result: the pid in the container. */
  readonly clone: number;
  readonly childStart: number;
  /** @throws when the child could not begin */
  check(): void;
}

export function spawnCapacity(options: SpawnOptions): { records: number; data: number } {
  return { records: 24, data: options.program.usedSize + 512 };
}

/** The launcher's part: clone, and wait until the child has its program in memory of its own. */
export function buildSpawn(launcher: Program, options: SpawnOptions, childrenWord: number): SpawnProgram {
  if (options.program.base !== SPAWN_ADDRESS) throw new RangeError('the program is not made for SPAWN_ADDRESS');
  const state = launcher.data(8);
  const image = launcher.data(options.program.image.subarray(0, options.program.usedSize));
  const setTid =
    options.pid === undefined ? {} : { setTid: { address: launcher.data(new Uint8Array(Int32Array.of(options.pid).buffer)), count: 1 } };
  const { openCgroup, clone, childTarget } = cloneIntoCgroup(launcher, options.cgroup, {
    flags: CLONE.intoCgroup,
    exitSignal: options.exitSignal ?? SIGCHLD,
    ...setTid,
  });
  launcher.operation('incrementAndWake', childrenWord);
  launcher.forwardResult(openCgroup, launcher.length + 1, 0);
  launcher.call('close', 0);
  // One that is killed before it has begun never says that it is ready.
  const again = launcher.addressOfRecord(launcher.length + 1);
  launcher.forwardResult(clone, launcher.length + 2, 0);
  launcher.tryCall('futex', state, FUTEX_WAIT, 0, launcher.data(new Uint8Array(BigInt64Array.of(0n, LOOK_NANOSECONDS).buffer)), 0, 0);
  const alive = launcher.tryCall('kill', 0, 0);
  const ended = launcher.operation('jumpIfLess', launcher.addressOfResult(alive), 0, 0);
  launcher.operation('jumpIfLess', state, READY, again);
  const jumpToEnd = launcher.operation('jump', 0);

  const childStart = launcher.length;
  childTarget(launcher.addressOfRecord(childStart));
  const onFailure = launcher.operation('onFailure', 0);
  const memory = Math.ceil(Math.max(options.memory, options.program.usedSize) / PAGE) * PAGE;
  const map = launcher.call('mmap', SPAWN_ADDRESS, memory, PROT_READ_WRITE, MAP_PRIVATE_FIXED, -1, 0);
  const closeAll = launcher.call('close_range', 3, 0xffffffff, 0);
  launcher.operation('copy', SPAWN_ADDRESS, image, options.program.usedSize);
  launcher.operation('onFailure', 0);
  launcher.operation('wake', state, READY);
  launcher.operation('jump', SPAWN_ADDRESS);
  launcher.patch(onFailure, 0, launcher.addressOfRecord(launcher.length));
  launcher.operation('wake', state, FAILED);
  launcher.tryCall('exit_group', EXIT_FAILED);
  launcher.patch(jumpToEnd, 0, launcher.addressOfRecord(launcher.length));
  launcher.patch(ended, 2, launcher.addressOfRecord(launcher.length));
  return {
    openCgroup,
    clone,
    childStart,
    check: () => {
      launcher.checkedResult(clone);
      const reached = launcher.viewAt(state, 4).getUint32(0, true);
      if (reached === 0) throw new KorriganError('KRG_PROCESS_BUSY', 'a new process was killed before it had begun; try again');
      for (const index of [map, closeAll]) launcher.checkedResult(index);
      if (reached !== READY) throw new KorriganError('KRG_INTERNAL', 'the new process did not begin its program');
    },
  };
}
