/**
 * The programs of pid 1's threads: boot, which starts the others; a loop for each lane; the reaper, which is the main thread;
 * the keeper of the pid range. They never end and no failure stops them. All state is in the arena.
 */
import { argumentOffset, CLONE_THREAD_FLAGS, cloneArguments, CLONE_ARGUMENTS_SIZE, Program, setWord } from '../linux/index.ts';
import {
  ARENA_ADDRESS,
  BOOT_OFFSET,
  KEEPER_OFFSET,
  laneOffset,
  LAUNCHER_LANE,
  REAPER_OFFSET,
  REAPER_RING,
  STATE,
  SUPERBLOCK,
  type Arena,
} from './arena.ts';
import type { PidRange } from './pid-range.ts';

const PR_SET_NAME = 15;
const EFD_CLOEXEC_NONBLOCK = 0o2004000;
const WALL = 0x40000000;
const FUTEX_WAIT = 0;
const EXIT_BOOT_FAILED = 71;
const RUSAGE_SIZE = 144;

/** Words at the start of a lane: u32 futexes, then who holds the lane (thread id in the daemon). */
export const LANE = { command: 0, status: 8, owner: 16, loop: 256, program: 4096 } as const;
/** Values of a lane's status word. */
export const LANE_STATUS = { running: 0, done: 1, failed: 2 } as const;

/** Records of a lane's loop that others name. */
const LANE_RECORD = { reset: 1, epilogue: 4, jumpBeforeFailure: 6, failure: 7 } as const;

const superblock = (field: keyof typeof SUPERBLOCK): number => ARENA_ADDRESS + SUPERBLOCK[field];

/** Where a lane's program jumps when it is done. */
export function laneEpilogue(index: number): number {
  return laneLoop(index).addressOfRecord(LANE_RECORD.epilogue);
}

/** Offset in the arena of the u64 with the address of the record that failed last on a lane. */
export function laneFailureOffset(index: number): number {
  return laneLoop(index).addressOfResult(LANE_RECORD.jumpBeforeFailure) - ARENA_ADDRESS;
}

/** Writes all programs into a new arena. */
export function placeThreadPrograms(arena: Arena, range: PidRange): void {
  const reaper = reaperProgram();
  const keeper = keeperProgram(range);
  const lanes = Array.from({ length: LAUNCHER_LANE + 1 }, (_, index) => laneLoop(index));
  const boot = bootProgram([keeper, ...lanes], reaper);
  for (const program of [boot, reaper.program, keeper, ...lanes]) arena.place(program.base, program.image.subarray(0, program.usedSize));
}

function bootProgram(threads: readonly Program[], reaper: Reaper): Program {
  const boot = new Program(ARENA_ADDRESS + BOOT_OFFSET, { records: 40, data: 1024 });
  boot.tryCall('prctl', PR_SET_NAME, boot.string('korrigan-init'));
  const onFailure = boot.operation('onFailure', 0);
  const eventfd = boot.call('eventfd2', 0, EFD_CLOEXEC_NONBLOCK);
  boot.operation('copy', superblock('reaperEventfd'), boot.addressOfResult(eventfd), 4);
  boot.operation('copy', reaper.eventfdArgument, boot.addressOfResult(eventfd), 8);
  const clone = boot.data(cloneArguments({ flags: CLONE_THREAD_FLAGS, exitSignal: 0 }));
  for (const thread of threads) boot.operation('spawn', clone, CLONE_ARGUMENTS_SIZE, thread.base);
  boot.operation('wake', superblock('state'), STATE.up);
  boot.operation('jump', reaper.program.base);
  boot.patch(onFailure, 0, boot.addressOfRecord(boot.length));
  boot.operation('wake', superblock('state'), STATE.failed);
  boot.call('exit_group', EXIT_BOOT_FAILED);
  return boot;
}

/** Waits for a command, goes into the program, comes back through one of the two ends. */
function laneLoop(index: number): Program {
  const lane = ARENA_ADDRESS + laneOffset(index);
  const loop = new Program(lane + LANE.loop, { records: 12, data: 32 });
  loop.tryCall('prctl', PR_SET_NAME, loop.string(index === LAUNCHER_LANE ? 'launcher' : `lane ${index}`));
  loop.operation('onFailure', loop.addressOfRecord(LANE_RECORD.failure));
  loop.operation('waitWhileEqual', lane + LANE.command, 0);
  loop.operation('jump', lane + LANE.program);
  loop.operation('store', lane + LANE.command, 0);
  loop.operation('wake', lane + LANE.status, LANE_STATUS.done);
  // The result of this record, which no operation writes, is the word before the failure program.
  loop.operation('jump', loop.addressOfRecord(LANE_RECORD.reset));
  loop.operation('store', lane + LANE.command, 0);
  loop.operation('wake', lane + LANE.status, LANE_STATUS.failed);
  loop.operation('jump', loop.addressOfRecord(LANE_RECORD.reset));
  return loop;
}

interface Reaper {
  readonly program: Program;
  /** Address of the argument that must become the eventfd. */
  readonly eventfdArgument: number;
}

/**
 * Waits for any child and puts what became of it into the ring; while the ring is full (the daemon is away) the dead stay
 * zombies. Without a child there is nothing to wait for: then until someone makes one, or a tenth of a second, since a
 * process that was moved into the pid namespace from outside may become an orphan.
 */
function reaperProgram(): Reaper {
  const reaper = new Program(ARENA_ADDRESS + REAPER_OFFSET, { records: 32, data: 512 });
  const entry = reaper.data(24 + RUSAGE_SIZE);
  const slot = reaper.data(word(ARENA_ADDRESS + REAPER_RING.offset));
  const seen = reaper.data(8);
  const one = reaper.data(word(1));
  const whileFull = reaper.data(timespec(20));
  const whileChildless = reaper.data(timespec(100));
  const argument = (record: number, n: number): number => reaper.addressOfRecord(record) + argumentOffset(n);

  reaper.tryCall('prctl', PR_SET_NAME, reaper.string('korrigan-init'));
  const onFailure = reaper.operation('onFailure', 0);
  const loop = reaper.operation('copy', argument(reaper.length + 1, 1), superblock('reapLimit'), 8);
  reaper.operation('jumpIfLess', superblock('reaped'), 0, reaper.addressOfRecord(reaper.length + 3));
  reaper.tryCall('nanosleep', whileFull, 0);
  reaper.operation('jump', reaper.addressOfRecord(loop));
  reaper.operation('copy', seen, superblock('children'), 4);
  const wait = reaper.call('wait4', -1, entry + 16, WALL, entry + 24);
  reaper.operation('copy', entry + 8, reaper.addressOfResult(wait), 8);
  reaper.operation('copy', entry, superblock('reaped'), 8);
  reaper.operation('copy', argument(reaper.length + 1, 0), slot, 8);
  reaper.operation('copy', 0, entry, 24 + RUSAGE_SIZE);
  reaper.operation('add', slot, REAPER_RING.size);
  reaper.operation(
    'jumpIfLess',
    slot,
    ARENA_ADDRESS + REAPER_RING.offset + REAPER_RING.count * REAPER_RING.size,
    reaper.addressOfRecord(reaper.length + 2),
  );
  reaper.operation('store', slot, ARENA_ADDRESS + REAPER_RING.offset);
  reaper.operation('add', superblock('reaped'), 1);
  const notify = reaper.tryCall('write', 0, one, 8);
  reaper.operation('jump', reaper.addressOfRecord(loop));
  reaper.patch(onFailure, 0, reaper.addressOfRecord(reaper.length));
  reaper.operation('copy', argument(reaper.length + 1, 2), seen, 4);
  reaper.tryCall('futex', superblock('children'), FUTEX_WAIT, 0, whileChildless);
  reaper.operation('jump', reaper.addressOfRecord(loop));
  return { program: reaper, eventfdArgument: argument(notify, 0) };
}

/**
 * The kernel allocates pids in a circle up to pid_max and has no lower bound: every 20 ms the keeper sets the allocator back to the
 * start of the range when it has come into the upper half.
 */
function keeperProgram(range: PidRange): Program {
  const keeper = new Program(ARENA_ADDRESS + KEEPER_OFFSET, { records: 16, data: 256 });
  const start = Buffer.from(String(range.low - 1));
  const text = keeper.data(32);
  const pause = keeper.data(timespec(20));
  keeper.tryCall('prctl', PR_SET_NAME, keeper.string('keeper'));
  const onFailure = keeper.operation('onFailure', 0);
  keeper.operation('waitWhileEqual', superblock('lastPidFd'), 0);
  const copyToRead = keeper.operation('copy', 0, superblock('lastPidFd'), 4);
  const copyToWrite = keeper.operation('copy', 0, superblock('lastPidFd'), 4);
  const loop = keeper.tryCall('nanosleep', pause, 0);
  const read = keeper.call('pread64', 0, text, 31, 0);
  const parse = keeper.operation('parseDecimal', text);
  keeper.operation(
    'jumpIfLess',
    keeper.addressOfResult(parse),
    range.low + Math.floor((range.high - range.low) / 2),
    keeper.addressOfRecord(loop),
  );
  const write = keeper.call('pwrite64', 0, keeper.data(start), start.length, 0);
  keeper.operation('add', superblock('keeperResets'), 1);
  keeper.operation('jump', keeper.addressOfRecord(loop));
  keeper.patch(onFailure, 0, keeper.addressOfRecord(keeper.length));
  keeper.operation('jump', keeper.addressOfRecord(loop));
  keeper.patch(copyToRead, 0, keeper.addressOfRecord(read) + argumentOffset(0));
  keeper.patch(copyToWrite, 0, keeper.addressOfRecord(write) + argumentOffset(0));
  return keeper;
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  setWord(new DataView(bytes.buffer), 0, value);
  return bytes;
}

/** struct timespec */
function timespec(milliseconds: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(BigInt(Math.floor(milliseconds / 1000)), BigInt((milliseconds % 1000) * 1e6)).buffer);
}
