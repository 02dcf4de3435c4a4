/**
 * A process under our hand: all its threads seized and stopped, with a private region of memory in which the interpreter
 * runs programs on any of its threads. The process gives nothing away: registers, masks and memory are put back by
 * {@link RemoteProcess.release}, and an interrupted system call is restarted by the kernel as if nothing had been.
 */
import { readdirSync } from 'node:fs';
import { isErrno, SyscallError } from './errno.ts';
import { KorriganError } from './errors.ts';
import { INTERPRETER_CODE, INTERPRETER_ENTRY } from './interpreter.ts';
import { syscall } from './native.ts';
import { readMemory, writeMemory } from './process-memory.ts';
import { readMaps, readProcessFile } from './process-files.ts';
import { Program, type Word } from './program.ts';
import { Tracee, type WaitStatus } from './ptrace.ts';
import type { Registers } from './registers.ts';
import { SYS, type SystemCallName } from './system-call-numbers.ts';

const SIGTRAP = 5;
const SIGKILL = 9;
/**
 * All but SIGTRAP: a breakpoint whose signal is blocked makes the kernel reset the program's own action for it (kernel/signal.c,
 * force_sig_info_to_task).
 */
const BLOCKED_WHILE_HELD = 0xffffffffffffffffn & ~(1n << BigInt(SIGTRAP - 1));
const PAGE = 4096;
const PROT_READ_WRITE_EXEC = 7;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FIXED_NOREPLACE = 0x100000;

/** Where in the target the interpreter and its programs lie. */
interface Region {
  readonly address: number;
  readonly size: number;
}

/** One thread of a stopped process, with what it was doing when it stopped. */
export interface StoppedThread {
  readonly tracee: Tracee;
  /** Registers at the stop, as the thread must get them back. */
  readonly registers: Registers;
  /** The blocked signals at the stop; while we hold the thread all are blocked. */
  readonly signalMask: bigint;
  /** Stopping signal when the thread was group-stopped already, else 0. */
  readonly groupStop: number;
}

export class RemoteProcess {
  /** Process id in the caller's pid namespace. */
  readonly pid: number;
  /** All threads; the leader first unless it has already exited. */
  threads: readonly StoppedThread[];
  private region: Region | undefined;
  private gadget: number | undefined;

  private constructor(pid: number, threads: readonly StoppedThread[]) {
    this.pid = pid;
    this.threads = threads;
  }

  /**
   * Seizes and stops every thread, and blocks all signals in each, so that no handler runs on our programs. Signals that arrive stay queued.
   * @param options.traceOptions options of PTRACE_SEIZE
   * @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_TRACED (somebody else traces it), KRG_CANNOT_STOP; nothing is held then.
   */
  static stop(pid: number, options: { traceOptions?: number; deadlineMs?: number } = {}): RemoteProcess {
    const held = new Map<number, StoppedThread>();
    const stopping: Tracee[] = [];
    try {
      for (let found = true; found; ) {
        found = false;
        // All are told to stop before any is waited for: they stop side by side.
        for (const tid of listThreads(pid)) {
          if (held.has(tid)) continue;
          const tracee = seizeThread(tid, options.traceOptions);
          if (tracee !== undefined) stopping.push(tracee);
        }
        for (let tracee = stopping.shift(); tracee !== undefined; tracee = stopping.shift()) {
          const thread = awaitStop(tracee, options.deadlineMs);
          if (thread === undefined) continue;
          held.set(tracee.tid, thread);
          found = true;
        }
      }
    } catch (error) {
      for (const tracee of stopping) {
        try {
          const thread = awaitStop(tracee, options.deadlineMs);
          if (thread !== undefined) held.set(tracee.tid, thread);
        } catch (further) {
          if (!(further instanceof KorriganError)) throw further; // it cannot be stopped either; the first failure is the one to tell
        }
      }
      for (const { tracee, signalMask } of held.values()) letGo(tracee, signalMask);
      throw translate(pid, error);
    }
    if (held.size === 0) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} has ended`);
    return new RemoteProcess(pid, [...held.values()]);
  }

  /** A process whose threads the caller has already stopped by other means. */
  static holding(pid: number, threads: readonly StoppedThread[]): RemoteProcess {
    return new RemoteProcess(pid, threads);
  }

  /** The thread that runs programs unless told otherwise. */
  get main(): StoppedThread {
    const [thread] = this.threads;
    if (thread === undefined) throw new Error('a stopped process has a thread');
    return thread;
  }

  /** True once {@link RemoteProcess.openRegion} or {@link RemoteProcess.useRegion} has given programs a place. */
  get hasRegion(): boolean {
    return this.region !== undefined;
  }

  /**
   * Maps the private region, by a single-stepped mmap at a `syscall` instruction of the vDSO (or of a region that is there).
   * @param size bytes for programs and their data
   * @param at fixed address; else the kernel chooses one that is free
   */
  openRegion(size: number, at?: number): void {
    const total = PAGE + Math.ceil(size / PAGE) * PAGE;
    const flags = MAP_PRIVATE_ANONYMOUS | (at === undefined ? 0 : MAP_FIXED_NOREPLACE);
    const address = this.stepSystemCall('mmap', at ?? 0, total, PROT_READ_WRITE_EXEC, flags, -1, 0);
    writeMemory(this.pid, address, INTERPRETER_CODE);
    this.region = { address, size: total };
  }

  /** Uses an interpreter that lies at `address` already, with `size` bytes in all, its programs from the second page on. */
  useRegion(address: number, size: number): void {
    this.region = { address, size };
    this.gadget = address + interpreterSyscallOffset();
  }

  /** Forgets the region without unmapping it, e.g. because the address space was replaced. */
  forgetRegion(): void {
    this.region = undefined;
    this.gadget = undefined;
  }

  /** Forgets where single-stepped calls run, after the memory that held the place was replaced. */
  forgetGadget(): void {
    this.gadget = undefined;
  }

  /** Unmaps the region. */
  closeRegion(): void {
    const region = this.region;
    if (region === undefined) return;
    // The gadget must not lie in the region itself unless nothing else is left: the step's return address would be gone, but
    // the thread is stopped before it executes there.
    this.stepSystemCall('munmap', region.address, region.size);
    this.region = undefined;
  }

  get regionAddress(): number {
    return this.requireRegion().address;
  }

  get regionSize(): number {
    return this.requireRegion().size;
  }

  /**
   * A program for the region.
   * @param offset distance of the program from the start of the program area, for several at the same time
   */
  newProgram(capacity: { records: number; data: number }, offset = 0): Program {
    const region = this.requireRegion();
    const program = new Program(region.address + PAGE + offset, capacity);
    if (PAGE + offset + program.size > region.size) {
      throw new RangeError(`a program of ${program.size} bytes does not fit the region of ${region.size}`);
    }
    return program;
  }

  /**
   * Runs a program to its end on one thread and reads the results back. A closing trap is added.
   * @throws SyscallError of the record that failed, named.
   */
  run(program: Program, thread: StoppedThread = this.main): void {
    this.runTogether([{ program, thread }]);
  }

  /** Runs several programs at the same time, each on a thread of its own. */
  runTogether(jobs: readonly { program: Program; thread: StoppedThread }[]): void {
    for (const { program, thread } of jobs) {
      program.operation('trap');
      this.place(program);
      this.start(program, thread);
    }
    let failure: Error | undefined;
    for (const { program, thread } of jobs) {
      const stop = waitForTrap(thread.tracee);
      for (const { offset, length } of program.usedParts) program.load(readMemory(this.pid, program.base + offset, length), offset);
      const last = (Number(stop.get('rbx')) - program.base) / 64;
      if (last !== program.length - 1)
        failure ??= new SyscallError(`in process ${this.pid}: ${program.describe(last)}`, -program.result(last));
    }
    if (failure !== undefined) throw failure;
  }

  /** Runs a program that ends its thread. The thread is no longer ours, and no longer there, afterwards. */
  runToExit(program: Program, thread: StoppedThread): void {
    this.place(program);
    this.start(program, thread);
    for (;;) {
      const status = thread.tracee.wait();
      if (status.kind === 'exited' || status.kind === 'killed') break;
      if (status.kind === 'signal')
        throw new KorriganError('KRG_INTERNAL', `thread ${thread.tracee.tid} got signal ${status.signal} instead of ending`);
      thread.tracee.resume();
    }
    this.threads = this.threads.filter((other) => other !== thread);
  }

  /** Runs one system call by a single step. @throws SyscallError */
  stepSystemCall(name: SystemCallName, ...args: Word[]): number {
    const { tracee, registers } = this.main;
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
    const frame = registers.copy().set('originalRax', -1).set('rax', SYS[name]).set('rip', this.findGadget());
    frame.set('rdi', a).set('rsi', b).set('rdx', c).set('r10', d).set('r8', e).set('r9', f);
    tracee.setRegisters(frame);
    tracee.step();
    const result = waitForTrap(tracee, () => tracee.step()).getNumber('rax');
    if (result < 0 && result >= -4095) throw new SyscallError(`in process ${this.pid}: ${name}`, -result);
    return result;
  }

  read(address: number, length: number): Uint8Array {
    return readMemory(this.pid, address, length);
  }

  write(address: number, bytes: Uint8Array): void {
    writeMemory(this.pid, address, bytes);
  }

  /** Puts everything back as it was at the stop and lets the process go on. */
  release(): void {
    this.closeRegion();
    for (const { tracee, registers, signalMask, groupStop } of this.threads) {
      tracee.setRegisters(registers);
      letGo(tracee, signalMask, groupStop);
    }
  }

  /** Ends the process. While we hold it, its end is shown to its parent only after we have seen that of every thread; the leader's comes last. */
  kill(): void {
    syscall('kill', this.pid, SIGKILL);
    for (const { tracee } of this.threads.toReversed()) {
      for (let status = tracee.wait(); status.kind !== 'exited' && status.kind !== 'killed'; status = tracee.wait()) tracee.resume();
    }
  }

  private place({ base, image, usedParts }: Program): void {
    for (const { offset, length } of usedParts) writeMemory(this.pid, base + offset, image.subarray(offset, offset + length));
  }

  private start(program: Program, { tracee, registers }: StoppedThread): void {
    const entry = this.requireRegion().address + INTERPRETER_ENTRY;
    tracee.setRegisters(registers.copy().set('originalRax', -1).set('rip', entry).set('rbx', program.base).set('r12', 0));
    tracee.resume();
  }

  private requireRegion(): Region {
    if (this.region === undefined) throw new Error(`process ${this.pid} has no region for programs`);
    return this.region;
  }

  private findGadget(): number {
    this.gadget ??= findSystemCallInstruction(this.pid);
    return this.gadget;
  }
}

function listThreads(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .toSorted((a, b) => Number(b === pid) - Number(a === pid) || a - b);
  } catch {
    return [];
  }
}

/** Attaches to a thread and asks it to stop. @returns undefined for one that ended meanwhile. */
function seizeThread(tid: number, traceOptions?: number): Tracee | undefined {
  let tracee: Tracee;
  try {
    tracee = Tracee.seize(tid, traceOptions);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return undefined;
    // A zombie leader cannot be seized while its other threads live; any other EPERM is a tracer.
    if (isErrno(error, 'EPERM') && threadIsZombie(tid)) return undefined;
    throw error;
  }
  try {
    tracee.interrupt();
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
  return tracee;
}

/** @returns undefined for a thread that ended meanwhile. */
function awaitStop(tracee: Tracee, deadlineMs?: number): StoppedThread | undefined {
  // A signal on its way is reported before our interrupt. It must not be lost: it is delivered while the thread goes on, until
  // the thread reports the interrupt.
  for (;;) {
    const status: WaitStatus = tracee.wait(deadlineMs);
    if (status.kind === 'exited' || status.kind === 'killed') return undefined;
    if (status.kind === 'interrupted') {
      const signalMask = tracee.signalMask();
      const registers = hideInterruption(tracee.registers());
      tracee.setSignalMask(BLOCKED_WHILE_HELD);
      return { tracee, registers, signalMask, groupStop: status.groupStop };
    }
    tracee.resume(status.kind === 'signal' ? status.signal : 0);
  }
}

const EINTR = -4;
const SYSCALL_INSTRUCTION_SIZE = 2n;
/** Calls that fail with EINTR even when a mere stop interrupts them (man 7 signal); others are restarted by the kernel. */
const NEVER_RESTARTED = new Set<number>(
  (['epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'rt_sigtimedwait', 'semop', 'semtimedop', 'io_getevents', 'io_pgetevents'] as const).map(
    (name) => SYS[name],
  ),
);

/** Our stop must not be seen: such a call begins anew. A signal that really came is still pending and interrupts it again. */
function hideInterruption(registers: Registers): Registers {
  const number = registers.getNumber('originalRax');
  if (registers.getNumber('rax') !== EINTR || !NEVER_RESTARTED.has(number)) return registers;
  return registers
    .set('rax', number)
    .set('rip', registers.get('rip') - SYSCALL_INSTRUCTION_SIZE)
    .set('originalRax', -1);
}

function threadIsZombie(tid: number): boolean {
  return /\) [ZX] /.test(readProcessFile(tid, 'stat') ?? ') X ');
}

function letGo(tracee: Tracee, signalMask: bigint, groupStop = 0): void {
  try {
    tracee.setSignalMask(signalMask);
    tracee.detach(groupStop);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error; // killed while we held it
  }
}

function translate(pid: number, error: unknown): unknown {
  if (!isErrno(error, 'EPERM')) return error;
  const tracer = /TracerPid:\t(\d+)/.exec(readProcessFile(pid, 'status') ?? '')?.[1];
  return tracer !== undefined && tracer !== '0'
    ? new KorriganError('KRG_TRACED', `process ${pid} is being traced by process ${tracer}; end the debugger or tracer first`, {
        cause: error,
      })
    : error;
}

/** Waits for the breakpoint or step trap; what else stops the thread meanwhile is let through. */
function waitForTrap(tracee: Tracee, goOn: () => void = () => tracee.resume()): Registers {
  for (;;) {
    const status = tracee.wait();
    if (status.kind === 'signal' && status.signal === SIGTRAP) return tracee.registers();
    if (status.kind === 'interrupted' || status.kind === 'event') goOn();
    else if (status.kind === 'signal') {
      throw new KorriganError(
        'KRG_INTERNAL',
        `thread ${tracee.tid} got signal ${status.signal} at ${tracee.registers().get('rip').toString(16)} while it ran a program`,
      );
    } else throw new KorriganError('KRG_NO_SUCH_PROCESS', `thread ${tracee.tid} ended while it ran a program`);
  }
}

function interpreterSyscallOffset(): number {
  return indexOfSystemCall(INTERPRETER_CODE);
}

function indexOfSystemCall(code: Uint8Array): number {
  return Buffer.from(code.buffer, code.byteOffset, code.length).indexOf(Buffer.of(0x0f, 0x05));
}

let vdsoOffset: number | undefined;

/** The address of a `syscall` instruction in the process's vDSO; its offset is the same in all processes of one kernel. */
function findSystemCallInstruction(pid: number): number {
  const vdso = readMaps(pid).find((area) => area.name === '[vdso]');
  if (vdso === undefined) throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} has no vDSO to run a system call in`);
  vdsoOffset ??= indexOfSystemCall(readMemory(pid, vdso.start, vdso.end - vdso.start));
  return vdso.start + vdsoOffset;
}
