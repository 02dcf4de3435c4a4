/**
 * ptrace(2) of one thread. A tracee belongs to the OS thread that seized it: every call must come from the same worker.
 * Never seize a child that libuv spawned: libuv's own waitpid would consume its stops.
 */
import { ERRNO, SyscallError } from './errno.ts';
import { KorriganError } from './errors.ts';
import { NativeMemory, syscall, trySyscall } from './native.ts';
import { Registers, REGISTERS_SIZE } from './registers.ts';

const REQUEST = {
  CONT: 7,
  SINGLESTEP: 9,
  DETACH: 17,
  SYSCALL: 24,
  GETREGSET: 0x4204,
  SETREGSET: 0x4205,
  SETOPTIONS: 0x4200,
  GETSIGINFO: 0x4202,
  SEIZE: 0x4206,
  INTERRUPT: 0x4207,
  LISTEN: 0x4208,
  PEEKSIGINFO: 0x4209,
  GETSIGMASK: 0x420a,
  SETSIGMASK: 0x420b,
  GET_RSEQ_CONFIGURATION: 0x420f,
} as const;
const NT_PRSTATUS = 1;
const NT_X86_XSTATE = 0x202;
const WNOHANG = 1;
const WALL = 0x40000000;
/** Only what this thread traces, never children of other threads of the process. */
const NO_THREAD = 0x20000000;
const EVENT_STOP = 0x80;
const SYSTEM_CALL_STOP = 0x85; // SIGTRAP | 0x80, with PTRACE_O_TRACESYSGOOD
const SIGTRAP = 5;
/** Bytes of the extended state that fit; the kernel's is 2432 with AVX-512, about 11 KiB with AMX. */
const EXTENDED_STATE_LIMIT = 16384;
/** sizeof(siginfo_t) */
export const SIGINFO_SIZE = 128;
const PEEK_BATCH = 64;

/** Options of PTRACE_SEIZE (include/uapi/linux/ptrace.h). */
export const TRACE_OPTION = {
  /** Stops at the begin and end of system calls are told from breakpoints, and are nothing when the tracer dies. */
  markSystemCalls: 1 << 0,
  traceFork: 1 << 1,
  traceClone: 1 << 3,
  traceExit: 1 << 6,
  traceSeccomp: 1 << 7,
  suspendSeccomp: 1 << 21,
} as const;
/** What every tracee has: the stops that do no harm when the tracer dies. */
const ALWAYS = TRACE_OPTION.markSystemCalls | TRACE_OPTION.traceSeccomp;
/** {@link WaitStatus} of a filter's SECCOMP_RET_TRACE. */
export const EVENT_SECCOMP = 7;

// Scratch outside the JavaScript heap: iovec or peek arguments at 0, small results at 64, register sets from 4096.
const scratch = NativeMemory.allocate(4096 + EXTENDED_STATE_LIMIT);
const IOVEC = 0;
const SMALL = 64;
const LARGE = 4096;

/** The event of {@link TRACE_OPTION}.traceExit: the thread is about to end and still there. */
export const EXIT_EVENT = 6;

/** What a wait reported. */
export type WaitStatus =
  | { kind: 'exited'; status: number }
  | { kind: 'killed'; signal: number; coreDumped: boolean }
  /** A signal is about to be delivered, or a breakpoint or step trapped (signal 5). */
  | { kind: 'signal'; signal: number }
  /** PTRACE_EVENT_STOP: `groupStop` is the stopping signal of a group stop, else 0. */
  | { kind: 'interrupted'; groupStop: number }
  | { kind: 'event'; event: number }
  /** Begin or end of a system call; only with {@link TRACE_OPTION}.markSystemCalls. */
  | { kind: 'system-call' };

/** Decodes a wait4 status word (man 2 wait, man 2 ptrace "ptrace-stops"). */
export function decodeWaitStatus(word: number): WaitStatus {
  if ((word & 0x7f) === 0) return { kind: 'exited', status: (word >> 8) & 0xff };
  if ((word & 0xff) !== 0x7f) return { kind: 'killed', signal: word & 0x7f, coreDumped: (word & 0x80) !== 0 };
  const signal = (word >> 8) & 0xff;
  const event = word >> 16;
  if (event === 0) return signal === SYSTEM_CALL_STOP ? { kind: 'system-call' } : { kind: 'signal', signal };
  if (event === EVENT_STOP) return { kind: 'interrupted', groupStop: signal === SIGTRAP ? 0 : signal };
  return { kind: 'event', event };
}

/** The restartable-sequence area of a thread, as registered with rseq(2); pointer 0 when there is none. */
export interface RestartableSequence {
  pointer: bigint;
  length: number;
  signature: number;
  flags: number;
}

/** A seized thread; `tid` is its number in the caller's pid namespace. */
export class Tracee {
  readonly tid: number;

  constructor(tid: number) {
    this.tid = tid;
  }

  /**
   * Attaches without stopping. The tracee is not killed when the tracer dies: it goes on, so that a crash of the daemon
   * never harms a process.
   * @throws SyscallError EPERM when somebody else traces the thread or it is a zombie, ESRCH when it is gone.
   */
  static seize(tid: number, options = 0): Tracee {
    syscall('ptrace', REQUEST.SEIZE, tid, 0, ALWAYS | options);
    return new Tracee(tid);
  }

  /** Replaces the options given to {@link Tracee.seize}, see {@link TRACE_OPTION}. The thread must be stopped. */
  setOptions(options: number): void {
    syscall('ptrace', REQUEST.SETOPTIONS, this.tid, 0, ALWAYS | options);
  }

  interrupt(): void {
    syscall('ptrace', REQUEST.INTERRUPT, this.tid, 0, 0);
  }

  /**
   * Waits for the next stop or end. Polls with sched_yield first: on a machine where waking a sleeping thread costs 30 us,
   * a stop is seen in 10 to 15 us.
   * @param deadlineMs after so long the thread counts as unstoppable (e.g. in a vfork or on a dead network file system)
   */
  wait(deadlineMs = 10_000): WaitStatus {
    const started = performance.now();
    for (let turn = 0; ; turn++) {
      const status = this.poll();
      if (status !== undefined) return status;
      if (turn < 2000) {
        trySyscall('sched_yield');
        continue;
      }
      if (performance.now() - started > deadlineMs) {
        throw new KorriganError('KRG_CANNOT_STOP', `thread ${this.tid} did not stop within ${deadlineMs} ms`);
      }
      sleepMicroseconds(200);
    }
  }

  /** A stop or end that is there already, else undefined. */
  poll(): WaitStatus | undefined {
    const reaped = syscall('wait4', this.tid, scratch.address + SMALL, WNOHANG | WALL, 0);
    return reaped === 0 ? undefined : decodeWaitStatus(scratch.view.getInt32(SMALL, true));
  }

  /** A stop or end, that is there already, of any tracee of the calling thread. */
  static pollAny(): { tid: number; status: WaitStatus } | undefined {
    const tid = trySyscall('wait4', -1, scratch.address + SMALL, WNOHANG | WALL | NO_THREAD, 0);
    return tid <= 0 ? undefined : { tid, status: decodeWaitStatus(scratch.view.getInt32(SMALL, true)) };
  }

  /** The siginfo_t of the signal that is about to be delivered. */
  signalInformation(): Uint8Array {
    syscall('ptrace', REQUEST.GETSIGINFO, this.tid, 0, scratch.address + LARGE);
    return scratch.bytes.slice(LARGE, LARGE + SIGINFO_SIZE);
  }

  /** Resumes, delivering `signal` (0: none). */
  resume(signal = 0): void {
    syscall('ptrace', REQUEST.CONT, this.tid, 0, signal);
  }

  /** Resumes until the next begin or end of a system call. */
  resumeToSystemCall(): void {
    syscall('ptrace', REQUEST.SYSCALL, this.tid, 0, 0);
  }

  step(): void {
    syscall('ptrace', REQUEST.SINGLESTEP, this.tid, 0, 0);
  }

  /** Lets a group-stopped thread stay stopped while SIGCONT is watched for. */
  listen(): void {
    syscall('ptrace', REQUEST.LISTEN, this.tid, 0, 0);
  }

  detach(signal = 0): void {
    syscall('ptrace', REQUEST.DETACH, this.tid, 0, signal);
  }

  registers(): Registers {
    this.registerSet(REQUEST.GETREGSET, NT_PRSTATUS, REGISTERS_SIZE);
    return new Registers(scratch.bytes.slice(LARGE, LARGE + REGISTERS_SIZE));
  }

  setRegisters(registers: Registers): void {
    scratch.bytes.set(registers.bytes, LARGE);
    this.registerSet(REQUEST.SETREGSET, NT_PRSTATUS, REGISTERS_SIZE);
  }

  /** FPU, SSE, AVX … state in XSAVE format, as long as the kernel's layout is. */
  extendedState(): Uint8Array {
    const length = this.registerSet(REQUEST.GETREGSET, NT_X86_XSTATE, EXTENDED_STATE_LIMIT);
    return scratch.bytes.slice(LARGE, LARGE + length);
  }

  setExtendedState(state: Uint8Array): void {
    scratch.bytes.set(state, LARGE);
    this.registerSet(REQUEST.SETREGSET, NT_X86_XSTATE, state.length);
  }

  /** Blocked signals, bit n−1 for signal n. */
  signalMask(): bigint {
    syscall('ptrace', REQUEST.GETSIGMASK, this.tid, 8, scratch.address + SMALL);
    return scratch.view.getBigUint64(SMALL, true);
  }

  setSignalMask(mask: bigint): void {
    scratch.view.setBigUint64(SMALL, mask, true);
    syscall('ptrace', REQUEST.SETSIGMASK, this.tid, 8, scratch.address + SMALL);
  }

  /** The queue of pending signals, oldest first, as raw siginfo_t; the process's shared queue or the thread's own. */
  pendingSignals(queue: 'shared' | 'thread'): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (;;) {
      scratch.view.setBigUint64(IOVEC, BigInt(found.length), true);
      scratch.view.setUint32(IOVEC + 8, queue === 'shared' ? 1 : 0, true);
      scratch.view.setInt32(IOVEC + 12, PEEK_BATCH, true);
      const count = syscall('ptrace', REQUEST.PEEKSIGINFO, this.tid, scratch.address + IOVEC, scratch.address + LARGE);
      for (let n = 0; n < count; n++) found.push(scratch.bytes.slice(LARGE + n * SIGINFO_SIZE, LARGE + (n + 1) * SIGINFO_SIZE));
      if (count < PEEK_BATCH) return found;
    }
  }

  restartableSequence(): RestartableSequence {
    // struct ptrace_rseq_configuration: u64 pointer, u32 size, u32 signature, u32 flags, u32 pad (Linux 5.13)
    syscall('ptrace', REQUEST.GET_RSEQ_CONFIGURATION, this.tid, 24, scratch.address + SMALL);
    const view = scratch.view;
    return {
      pointer: view.getBigUint64(SMALL, true),
      length: view.getUint32(SMALL + 8, true),
      signature: view.getUint32(SMALL + 12, true),
      flags: view.getUint32(SMALL + 16, true),
    };
  }

  private registerSet(request: number, type: number, length: number): number {
    scratch.view.setBigUint64(IOVEC, BigInt(scratch.address + LARGE), true);
    scratch.view.setBigUint64(IOVEC + 8, BigInt(length), true);
    syscall('ptrace', request, this.tid, type, scratch.address + IOVEC);
    return Number(scratch.view.getBigUint64(IOVEC + 8, true));
  }
}

/** Blocks the calling thread. */
export function sleepMicroseconds(microseconds: number): void {
  scratch.view.setBigInt64(IOVEC, BigInt(Math.floor(microseconds / 1e6)), true);
  scratch.view.setBigInt64(IOVEC + 8, BigInt(Math.floor((microseconds % 1e6) * 1000)), true);
  const result = trySyscall('nanosleep', scratch.address + IOVEC, 0);
  if (result < 0 && result !== -ERRNO.EINTR) throw new SyscallError('nanosleep', -result);
}
