/**
 * A process under our hand: all its threads seized and stopped, with a private region of memory in which the interpreter
 * runs programs on any of its threads. The process gives nothing away: registers, masks and memory are put back by
 * {@link RemoteProcess.release}, and an interrupted system call is restarted as if nothing had been.
 *
 * When this thread dies, at whatever instant, the kernel lets go of the process, and each thread does by itself what
 * it is told to: it goes on as if nothing had been, or, after {@link RemoteProcess.park}, waits for ever. Only the region stays. That needs the container's filter (`STOP_CALL`). A process without it is
 * driven by breakpoints (`guarded: false`), which kill it when nobody traces it any more.
 */
import { SyscallError } from './errno.ts';
import { KorriganError } from './errors.ts';
import { findSystemCallInstruction, Foothold } from './foothold.ts';
import { INTERPRETER_CODE, INTERPRETER_ENTRY, RECORD_SIZE } from './interpreter.ts';
import { syscall } from './native.ts';
import { continuesLater } from './pending-continuation.ts';
import { readMemory, writeMemory } from './process-memory.ts';
import { Program, type Word } from './program.ts';
import { CODE_SIZE, findRegion, type Region, REGION_ADDRESS, regionOf, regionSize, TAIL_IN_CODE_PAGE } from './program-region.ts';
import { type Abandonment, buildTail, TAIL_SIZE, tailAddress } from './program-tail.ts';
import { EVENT_SECCOMP, type Tracee, type WaitStatus } from './ptrace.ts';
import type { Registers } from './registers.ts';
import { awaitEnd, isDeath, resumption, type StoppedThread, type StopOptions, stopThreads, tolerateDeath } from './stopped-threads.ts';
import { SYS, type SystemCallName } from './system-call-numbers.ts';

const SIGTRAP = 5;
const SIGKILL = 9;
const SIGSTOP = 19;
const ALL_SIGNALS = 0xffffffffffffffffn;
/**
 * A breakpoint whose signal is blocked makes the kernel reset the program's own action for it (kernel/signal.c, force_sig_info_to_task).
 */
const ALL_BUT_BREAKPOINTS = ALL_SIGNALS & ~(1n << BigInt(SIGTRAP - 1));
const PROT_READ_WRITE_EXEC = 7;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FIXED_NOREPLACE = 0x100000;

export class RemoteProcess {
  /** Process id in the caller's pid namespace. */
  readonly pid: number;
  /** All threads; the leader first unless it has already exited. */
  threads: readonly StoppedThread[];
  private readonly guarded: boolean;
  private region: Region | undefined;
  private whenAbandoned: Abandonment = 'resume';
  /** In place while threads wait there. */
  private foothold: Foothold | undefined;
  /** A SIGSTOP came while the process was held; it is sent again when it is let go, unless SIGCONT came after it. */
  stopArrived = false;
  /** Threads that have run something of ours: their registers and masks must be put back. */
  private readonly used = new Set<StoppedThread>();
  /** Threads whose tails are in place. */
  private readonly tailed = new Map<StoppedThread, number>();

  private constructor(pid: number, threads: readonly StoppedThread[], guarded: boolean) {
    this.pid = pid;
    this.threads = threads;
    this.guarded = guarded;
  }

  /**
   * Seizes and stops every thread. Signals that arrive stay queued.
   * @param options.guarded false for a process without the container's filter
   * @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_TRACED (somebody else traces it), KRG_CANNOT_STOP; nothing is held then.
   */
  static stop(pid: number, options: StopOptions & { guarded?: boolean } = {}): RemoteProcess {
    const threads = stopThreads(pid, options);
    if (threads.length === 0) throw new KorriganError('KRG_NO_SUCH_PROCESS', 'the process has ended');
    return new RemoteProcess(pid, threads, options.guarded ?? true);
  }

  /** A process whose threads the caller has already stopped by other means. */
  static holding(pid: number, threads: readonly StoppedThread[]): RemoteProcess {
    return new RemoteProcess(pid, threads, true);
  }

  /** The thread that runs programs unless told otherwise. */
  get main(): StoppedThread {
    const [thread] = this.threads;
    if (thread === undefined) throw new Error('a stopped process has a thread');
    return thread;
  }

  /**
   * From now on a thread that is abandoned does not go on but waits for ever, with all signals blocked: what it was must not run here any more,
   * or not yet. Whoever finds it stops it and decides.
   */
  park(): void {
    if (this.whenAbandoned === 'park') return;
    this.whenAbandoned = 'park';
    this.tailed.clear();
    if (!this.guarded) return;
    if (this.region !== undefined) for (const thread of this.threads) this.take(thread, this.tail(thread), this.tail(thread));
    else this.parkOutside(this.threads);
  }

  /** True once {@link RemoteProcess.openRegion} or {@link RemoteProcess.useRegion} has given programs a place. */
  get hasRegion(): boolean {
    return this.region !== undefined;
  }

  /**
   * Maps the private region at {@link REGION_ADDRESS}, or makes it larger. By a program of the region that there is, else from a foothold in the vDSO.
   * @param size bytes for programs and their data
   * @param threads for which it is made; more than there are when some will be made later
   */
  openRegion(size: number, threads: number = this.threads.length): void {
    const there = this.region?.address === REGION_ADDRESS ? this.region : undefined;
    const total = regionSize(size, this.guarded ? threads : 0, there);
    const before = there?.size ?? 0;
    if (total === before) return;
    const flags = MAP_PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE;
    this.stepSystemCall('mmap', REGION_ADDRESS + before, total - before, PROT_READ_WRITE_EXEC, flags, -1, 0);
    if (before === 0) writeMemory(this.pid, REGION_ADDRESS, INTERPRETER_CODE);
    this.enter(regionOf(total, this.guarded ? threads : 0));
  }

  /** Takes over the region that somebody has left there who was killed. @returns false when there is none */
  takeOverRegion(): boolean {
    const size = findRegion(this.pid);
    if (size === undefined) return false;
    writeMemory(this.pid, REGION_ADDRESS, INTERPRETER_CODE);
    this.enter(regionOf(size, this.threads.length));
    return true;
  }

  /** Uses an interpreter that lies at `address` already, with `size` bytes in all, its programs from the second page on. Of one thread. */
  useRegion(address: number, size: number): void {
    this.enter({ address, size, programsEnd: address + size, tails: address + TAIL_IN_CODE_PAGE });
  }

  /** Unmaps the region. In a process that is parked all threads wait in the vDSO then, until {@link RemoteProcess.leaveVdso}. */
  closeRegion(): void {
    const region = this.region;
    if (region === undefined) return;
    if (this.whenAbandoned === 'park') this.parkOutside(this.threads);
    else for (const thread of this.threads.slice(1)) if (this.used.has(thread)) this.returnTo(thread);
    this.region = undefined;
    this.tailed.clear();
    this.stepSystemCall('munmap', region.address, region.size);
  }

  /** The threads have registers of their own again: nothing of ours is left in the process. */
  leaveVdso(): void {
    this.foothold?.[Symbol.dispose]();
    this.foothold = undefined;
    this.used.clear();
  }

  get regionAddress(): number {
    return this.requireRegion().address;
  }

  get regionSize(): number {
    return this.requireRegion().size;
  }

  /** Where programs may lie: from the first address up to the second. */
  get programSpace(): readonly [start: number, end: number] {
    const { address, programsEnd } = this.requireRegion();
    return [address + CODE_SIZE, programsEnd];
  }

  /**
   * A program for the region.
   * @param offset distance of the program from the start of the program area, for several at the same time
   */
  newProgram(capacity: { records: number; data: number }, offset = 0): Program {
    const [start, end] = this.programSpace;
    const program = new Program(start + offset, capacity);
    if (program.base + program.size > end) {
      throw new RangeError(`a program of ${program.size} bytes does not fit the ${end - start} bytes for programs`);
    }
    return program;
  }

  /**
   * Runs a program to its end on one thread and reads the results back. What ends it is added.
   * @throws SyscallError of the record that failed, named.
   */
  run(program: Program, thread: StoppedThread = this.main): void {
    this.runTogether([{ program, thread }]);
  }

  /** Runs several programs at the same time, each on a thread of its own. */
  runTogether(jobs: readonly { program: Program; thread: StoppedThread }[]): void {
    for (const { program, thread } of jobs) this.begin(program, thread);
    let failure: Error | undefined;
    for (const { program, thread } of jobs) {
      this.awaitProgramEnd(thread.tracee);
      for (const { offset, length } of program.usedParts) program.load(readMemory(this.pid, program.base + offset, length), offset);
      const failed = this.failedRecord(program, thread);
      if (failed !== undefined)
        failure ??= new SyscallError(`in process ${this.pid}: ${program.describe(failed)}`, -program.result(failed));
    }
    if (failure !== undefined) throw failure;
  }

  /** Starts a program whose end the caller waits for. */
  begin(program: Program, thread: StoppedThread): void {
    if (this.guarded) program.operation('jump', tailAddress(this.tail(thread)));
    else program.operation('trap');
    this.place(program);
    this.start(program, thread);
  }

  /** Whether this is how a thread stops at the end of a program. */
  isProgramEnd(status: WaitStatus): boolean {
    return this.guarded ? status.kind === 'event' && status.event === EVENT_SECCOMP : status.kind === 'signal' && status.signal === SIGTRAP;
  }

  /** Runs a program that ends its thread. The thread is no longer ours, and no longer there, afterwards. */
  runToExit(program: Program, thread: StoppedThread): void {
    this.place(program);
    this.start(program, thread);
    for (;;) {
      const status = thread.tracee.wait();
      if (status.kind === 'exited' || status.kind === 'killed') break;
      if (status.kind === 'signal' || status.kind === 'event')
        throw new KorriganError('KRG_INTERNAL', `thread ${thread.tracee.tid} stopped (${JSON.stringify(status)}) instead of ending`);
      thread.tracee.resume();
    }
    this.threads = this.threads.filter((other) => other !== thread);
  }

  /** Runs one system call. @throws SyscallError */
  stepSystemCall(name: SystemCallName, ...args: Word[]): number {
    if (this.region !== undefined) {
      const program = this.newProgram({ records: 2, data: 0 });
      const record = program.call(name, ...args);
      this.run(program);
      return program.result(record);
    }
    const thread = this.main;
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
    const frame = thread.registers.copy().set('originalRax', -1).set('rax', SYS[name]);
    frame.set('rdi', a).set('rsi', b).set('rdx', c).set('r10', d).set('r8', e).set('r9', f);
    const result = this.guarded ? this.callFromFoothold(thread, frame) : this.singleStep(thread, frame);
    if (result < 0 && result >= -4095) throw new SyscallError(`in process ${this.pid}: ${name}`, -result);
    return result;
  }

  read = (address: number, length: number): Uint8Array => readMemory(this.pid, address, length);
  write = (address: number, bytes: Uint8Array): void => writeMemory(this.pid, address, bytes);

  /** Puts everything back as it was at the stop and lets the process go on. Nothing happens to one that was killed meanwhile. */
  release(): void {
    try {
      this.closeRegion();
    } catch (error) {
      if (!isDeath(error)) throw error;
    } finally {
      this.leave();
    }
  }

  /** Lets go of a process that is parked, or held by something else: nothing is put back. */
  abandon(): void {
    for (const { tracee } of this.threads) tolerateDeath(tracee, () => tracee.detach());
  }

  /** As {@link RemoteProcess.release}, but the region stays. */
  leave(): void {
    const stops = this.stopArrived && !continuesLater(this.main.tracee);
    for (const thread of this.threads) {
      tolerateDeath(thread.tracee, () => {
        if (this.used.has(thread)) this.returnTo(thread);
        // A thread that was group-stopped is so again (kernel/ptrace.c, __ptrace_unlink).
        thread.tracee.detach(this.guarded ? 0 : thread.groupStop);
      });
    }
    if (stops) tolerateDeath(this.main.tracee, () => void syscall('kill', this.pid, SIGSTOP));
  }

  /** Ends the process. While we hold it, its end is shown to its parent only after we have seen that of every thread; the leader's comes last. */
  kill(): void {
    syscall('kill', this.pid, SIGKILL);
    for (const { tracee } of this.threads.toReversed()) awaitEnd(tracee);
  }

  private enter(region: Region): void {
    this.region = region;
    this.tailed.clear();
  }

  private place({ base, image, usedParts }: Program): void {
    for (const { offset, length } of usedParts) writeMemory(this.pid, base + offset, image.subarray(offset, offset + length));
  }

  private start(program: Program, thread: StoppedThread): void {
    this.take(thread, program.base, this.guarded ? this.tail(thread) : 0);
    thread.tracee.resume();
  }

  /** Points a thread at a program. @param tail its place, 0 without one */
  private take(thread: StoppedThread, record: number, tail: number): void {
    const entry = this.requireRegion().address + INTERPRETER_ENTRY;
    const failure = tail === 0 ? 0 : tailAddress(tail);
    const first = record === tail ? failure : record;
    // The mask comes second: a thread that is abandoned in between restores it.
    thread.tracee.setRegisters(thread.registers.copy().set('originalRax', -1).set('rip', entry).set('rbx', first).set('r12', failure));
    this.block(thread);
  }

  /** Threads that wait in the vDSO, where no region is needed. */
  private parkOutside(threads: readonly StoppedThread[]): void {
    if (!this.guarded) return;
    this.foothold ??= new Foothold(this.pid);
    this.foothold.place('park', stateOf(this.main));
    for (const thread of threads) {
      thread.tracee.setRegisters(thread.registers.copy().set('originalRax', -1).set('rip', this.foothold.parking));
      this.block(thread);
    }
  }

  private callFromFoothold(thread: StoppedThread, frame: Registers): number {
    const foothold = this.foothold ?? new Foothold(this.pid);
    foothold.place(this.whenAbandoned, stateOf(thread));
    thread.tracee.setRegisters(frame.set('rip', foothold.address));
    this.block(thread);
    thread.tracee.resume();
    this.awaitProgramEnd(thread.tracee);
    const result = thread.tracee.registers().getNumber('rbx');
    if (this.whenAbandoned === 'park') {
      this.foothold = foothold;
    } else {
      // The instructions go away now, so nobody may come back to them.
      this.returnTo(thread);
      foothold[Symbol.dispose]();
    }
    return result;
  }

  private singleStep(thread: StoppedThread, frame: Registers): number {
    thread.tracee.setRegisters(frame.set('rip', findSystemCallInstruction(this.pid)));
    this.block(thread);
    thread.tracee.step();
    this.awaitProgramEnd(thread.tracee, () => thread.tracee.step());
    return thread.tracee.registers().getNumber('rax');
  }

  private block(thread: StoppedThread): void {
    if (!this.used.has(thread)) thread.tracee.setSignalMask(this.guarded ? ALL_SIGNALS : ALL_BUT_BREAKPOINTS);
    this.used.add(thread);
  }

  /** The mask comes first here, for the same reason. */
  private returnTo(thread: StoppedThread): void {
    thread.tracee.setSignalMask(thread.signalMask);
    thread.tracee.setRegisters(resumption(thread.registers));
    this.used.delete(thread);
  }

  /** The place of a thread's tail, which is written when it is first needed. */
  private tail(thread: StoppedThread): number {
    const known = this.tailed.get(thread);
    if (known !== undefined) return known;
    const place = this.requireRegion().tails + this.threads.indexOf(thread) * TAIL_SIZE;
    writeMemory(this.pid, place, buildTail(place, this.whenAbandoned, stateOf(thread)));
    this.tailed.set(thread, place);
    return place;
  }

  /** The record at which a program that has stopped did so before its end. */
  private failedRecord(program: Program, thread: StoppedThread): number | undefined {
    if (!this.guarded) {
      const last = (thread.tracee.registers().getNumber('rbx') - program.base) / RECORD_SIZE;
      return last === program.length - 1 ? undefined : last;
    }
    const word = readMemory(this.pid, this.tail(thread), 8);
    const address = Number(new DataView(word.buffer).getBigUint64(0, true));
    if (address === 0) return undefined;
    writeMemory(this.pid, this.tail(thread), new Uint8Array(8));
    return (address - program.base) / RECORD_SIZE;
  }

  /** What else stops the thread meanwhile is let through. */
  private awaitProgramEnd(tracee: Tracee, goOn: () => void = () => tracee.resume()): void {
    for (;;) {
      const status = tracee.wait();
      if (this.isProgramEnd(status)) return;
      if (status.kind === 'signal' && status.signal === SIGSTOP) this.stopArrived = true;
      else if (status.kind === 'signal') {
        const place = tracee.registers().get('rip').toString(16);
        throw new KorriganError('KRG_INTERNAL', `thread ${tracee.tid} got signal ${status.signal} at ${place} while it ran a program`);
      }
      if (status.kind === 'exited' || status.kind === 'killed')
        throw new KorriganError('KRG_NO_SUCH_PROCESS', 'the process was killed while it was held');
      goOn();
    }
  }

  private requireRegion(): Region {
    if (this.region === undefined) throw new Error(`process ${this.pid} has no region for programs`);
    return this.region;
  }
}

function stateOf({ registers, signalMask }: StoppedThread): { registers: Registers; signalMask: bigint } {
  return { registers: resumption(registers), signalMask };
}
