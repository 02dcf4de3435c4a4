/** A lane: a thread of pid 1 that runs programs for one thread of the daemon, which waits for them. */
import {
  converse,
  futexWait,
  futexWake,
  KorriganError,
  one,
  Program,
  readStat,
  RECORD_SIZE,
  stealDescriptor,
  syscall,
} from '../linux/index.ts';
import type { CallArgument, ProgramRunner, SystemCallName } from '../linux/index.ts';
import { Arena, ARENA_ADDRESS, ARENA_SIZE, LANE_SIZE, laneOffset } from './arena.ts';
import { RecordSlots } from './record-slots.ts';
import { checkProgram, type AddressRange } from './program-check.ts';
import { LANE, LANE_STATUS, laneEpilogue, laneFailureOffset } from './threads.ts';

/** How long the caller spins before it sleeps: about the time of a wake-up on another processor. */
const SPIN_MICROSECONDS = 30;
/** How often a sleeping caller looks whether pid 1 still lives. */
const LIVENESS_MILLISECONDS = 500;
/** Records that {@link Lane.run} appends. */
const CLOSING_RECORDS = 1;

/**
 * Runs programs in pid 1, one at a time. Belongs to one thread of the daemon. Synchronous unless a method says otherwise, so a program
 * must not wait for anything that this thread has to do.
 */
export class Lane implements ProgramRunner {
  readonly index: number;
  /** Address, in pid 1, of the memory for programs. */
  readonly address: number;
  /** Bytes of it. */
  readonly size: number;
  /** Host pid of pid 1. */
  readonly initPid: number;
  private readonly arena: Arena;
  private readonly offset: number;
  private readonly closed = new WeakSet<Program>();
  private readonly mappings: AddressRange[] = [{ start: ARENA_ADDRESS, end: ARENA_ADDRESS + ARENA_SIZE }];
  private readonly ownsArena: boolean;

  private constructor(arena: Arena, initPid: number, index: number, ownsArena: boolean) {
    this.arena = arena;
    this.initPid = initPid;
    this.index = index;
    this.ownsArena = ownsArena;
    this.offset = laneOffset(index);
    this.address = ARENA_ADDRESS + this.offset + LANE.program;
    this.size = LANE_SIZE - LANE.program;
  }

  /**
   * Takes a lane for the calling thread.
   * @param initPid host pid of the container's pid 1
   * @throws KorriganError KRG_INTERNAL when the lane is taken
   */
  static attach(initPid: number, index: number): Lane {
    const arena = Arena.open(initPid);
    if (arena === undefined) throw new KorriganError('KRG_INTERNAL', `process ${initPid} is not the pid 1 of a container of this version`);
    return Lane.take(arena, initPid, index, true);
  }

  /** As {@link Lane.attach}, on an arena that is mapped already and stays its owner's. */
  static take(arena: Arena, initPid: number, index: number, ownsArena = false): Lane {
    const lane = new Lane(arena, initPid, index, ownsArena);
    const owner = (lane.offset + LANE.owner) / 4;
    const previous = Atomics.compareExchange(arena.words, owner, 0, syscall('gettid'));
    if (previous === 0) return lane;
    if (ownsArena) arena.close();
    throw new KorriganError('KRG_INTERNAL', `lane ${index} of the container is held by thread ${previous} of the daemon`);
  }

  /** An empty program for this lane. Valid until another program runs. */
  newProgram(capacity: { records: number; data: number }): Program {
    return new Program(this.address, { records: capacity.records + CLOSING_RECORDS, data: capacity.data });
  }

  /** Lets programs name memory that pid 1 has mapped outside the arena in operations that would crash it on a wrong address. */
  allow(range: AddressRange): void {
    this.mappings.push(range);
  }

  /**
   * Runs a program and loads its results into it.
   * @param uncheckedFrom index of the first record that pid 1 itself never runs: programs of its children
   * @throws SyscallError of the first system call that failed and was not tolerated; what follows it did not run
   */
  run(program: Program, uncheckedFrom?: number): void {
    this.start(program, uncheckedFrom);
    const deadline = performance.now() + SPIN_MICROSECONDS / 1000;
    while (this.status() === LANE_STATUS.running && performance.now() < deadline);
    while (this.status() === LANE_STATUS.running) {
      futexWait(this.arena.addressHere(this.offset + LANE.status), LANE_STATUS.running, LIVENESS_MILLISECONDS);
      this.checkAlive();
    }
    this.finish(program);
  }

  /** As {@link Lane.run} without blocking the thread: for programs that may wait. Nothing else may run on the lane meanwhile. */
  async runWithoutBlocking(program: Program, uncheckedFrom?: number): Promise<void> {
    this.start(program, uncheckedFrom);
    for (let round = 0; this.status() === LANE_STATUS.running; round++) {
      await new Promise((resolve) => (round < 50 ? setImmediate(resolve) : setTimeout(resolve, 1)));
      if (round % 256 === 255) this.checkAlive();
    }
    this.finish(program);
  }

  /** One system call in pid 1; byte arrays go there and come back. @returns its result @throws SyscallError */
  call(name: SystemCallName, ...args: CallArgument[]): number {
    return converse(this, one(name, ...args));
  }

  /** A duplicate here, close-on-exec, of a descriptor of pid 1. */
  takeDescriptor(fd: number): number {
    return stealDescriptor(this.initPid, fd);
  }

  /** The container's records of moves. */
  get records(): RecordSlots {
    return new RecordSlots(this.arena);
  }

  /** Gives the lane back. */
  detach(): void {
    this.arena.store(this.offset + LANE.owner, 0);
    if (this.ownsArena) this.arena.close();
  }

  private status(): number {
    return this.arena.load(this.offset + LANE.status);
  }

  private start(program: Program, uncheckedFrom?: number): void {
    if (program.base !== this.address)
      throw new RangeError(`the program is made for address ${program.base.toString(16)}, not for this lane`);
    if (!this.closed.has(program)) {
      program.operation('jump', laneEpilogue(this.index));
      this.closed.add(program);
    }
    if (program.usedSize > this.size) throw new RangeError(`the program has ${program.usedSize} bytes, the lane ${this.size}`);
    checkProgram(program, this.mappings, uncheckedFrom);
    this.arena.place(program.base, program.image.subarray(0, program.usedSize));
    this.arena.store(this.offset + LANE.status, LANE_STATUS.running);
    this.arena.store(this.offset + LANE.command, 1);
    futexWake(this.arena.addressHere(this.offset + LANE.command));
  }

  private finish(program: Program): void {
    const start = this.offset + LANE.program;
    program.load(this.arena.memory.bytes.subarray(start, start + program.usedSize));
    if (this.status() === LANE_STATUS.done) return;
    const failed = (this.arena.loadCounter(laneFailureOffset(this.index)) - program.base) / RECORD_SIZE;
    program.checkedResult(failed);
    throw new KorriganError('KRG_INTERNAL', `record ${failed} (${program.describe(failed)}) of a program failed without an error`);
  }

  private checkAlive(): void {
    const stat = readStat(this.initPid);
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') {
      throw new KorriganError(
        'KRG_CONTAINER_LOST',
        `the container (its pid 1 is host process ${this.initPid}) has ended, and all its processes with it`,
      );
    }
  }
}

/** Frees the lanes of a daemon that has died, after their programs have ended. */
export async function recoverLanes(arena: Arena, lanes: number): Promise<void> {
  for (let index = 0; index < lanes; index++) {
    const command = laneOffset(index) + LANE.command;
    // The dead daemon may have stored the command without waking the lane.
    for (let round = 0; arena.load(command) !== 0; round++) {
      if (round % 16 === 0) futexWake(arena.addressHere(command));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    arena.store(laneOffset(index) + LANE.owner, 0);
  }
}
