/** Stopping all threads of a process, and what a stop does to the system call that it interrupts. */
import { readdirSync } from 'node:fs';
import { stateBehind, type ThreadState } from './abandoned-threads.ts';
import { isErrno } from './errno.ts';
import { KorriganError } from './errors.ts';
import { trySyscall } from './native.ts';
import { readProcessFile } from './process-files.ts';
import { Tracee, type WaitStatus } from './ptrace.ts';
import type { Registers } from './registers.ts';
import { SYS } from './system-call-numbers.ts';

/** One thread of a stopped process, with what it was doing when it stopped. */
export interface StoppedThread {
  readonly tracee: Tracee;
  /** Registers at the stop, as the thread must get them back. */
  readonly registers: Registers;
  /** The blocked signals at the stop. */
  readonly signalMask: bigint;
  /** Stopping signal when the thread was group-stopped already, else 0. */
  readonly groupStop: number;
}

export interface StopOptions {
  /** Options of PTRACE_SEIZE. */
  readonly traceOptions?: number;
  readonly deadlineMs?: number;
  /** How long to wait for another thread of this daemon that holds the process for a moment. */
  readonly colleagueMs?: number;
}

const COLLEAGUE_MILLISECONDS = 500;

/** Those of this thread that did not stop in time. They stop when they can, and must not stay so. */
let late: Tracee[] = [];

/**
 * Lets go of threads that stopped too late. To be called now and then by every thread that stops processes.
 * @param seen a stop of any tracee that the caller has been told of and does not know
 */
export function releaseLate(seen?: { readonly tid: number; readonly status: WaitStatus }): void {
  late = late.filter((tracee) => {
    try {
      const status = seen?.tid === tracee.tid ? seen.status : tracee.poll();
      if (status === undefined) return true;
      if (status.kind === 'exited' || status.kind === 'killed') return false;
      if (status.kind !== 'interrupted') {
        tracee.resume(status.kind === 'signal' ? status.signal : 0);
        return true;
      }
      hideInterruption(tracee);
      tracee.detach();
      return false;
    } catch (error) {
      if (isErrno(error, 'ESRCH')) return true; // killed in its stop: its end is reported next
      if (isErrno(error, 'ECHILD')) return false;
      throw error;
    }
  });
}

/**
 * Seizes and stops every thread. Signals that arrive stay queued.
 * @returns the threads, the leader first unless it has already exited; none when the process has ended
 * @throws KorriganError KRG_TRACED, KRG_CANNOT_STOP; nothing is held then
 */
export function stopThreads(pid: number, options: StopOptions): StoppedThread[] {
  const deadline = performance.now() + (options.colleagueMs ?? COLLEAGUE_MILLISECONDS);
  for (;;) {
    try {
      return tryStopThreads(pid, options);
    } catch (error) {
      const isTraced = error instanceof KorriganError && error.code === 'KRG_TRACED';
      if (!isTraced || performance.now() > deadline || !isHeldByColleague(pid)) throw error;
      trySyscall('sched_yield');
    }
  }
}

/** Whether a thread of this daemon traces the process, or nobody does any more. */
export function isHeldByColleague(pid: number): boolean {
  const tracer = tracerOf(pid);
  return tracer === 0 || readProcessFile(process.pid, `task/${tracer}/comm`) !== undefined;
}

/** The thread that traces a process; 0: none does. */
export function tracerOf(pid: number): number {
  return Number(/^TracerPid:\t(\d+)$/m.exec(readProcessFile(pid, 'status') ?? '')?.[1] ?? '0');
}

function tryStopThreads(pid: number, { traceOptions, deadlineMs }: StopOptions): StoppedThread[] {
  const held = new Map<number, StoppedThread>();
  const stopping: Tracee[] = [];
  try {
    for (let found = true; found; ) {
      found = false;
      // All are told to stop before any is waited for: they stop side by side.
      for (const tid of listThreads(pid)) {
        if (held.has(tid)) continue;
        const tracee = seizeThread(tid, traceOptions);
        if (tracee !== undefined) stopping.push(tracee);
      }
      for (let tracee = stopping.shift(); tracee !== undefined; tracee = stopping.shift()) {
        const thread = awaitStop(tracee, deadlineMs);
        if (thread === undefined) continue;
        held.set(tracee.tid, thread);
        found = true;
      }
    }
  } catch (error) {
    for (const tracee of stopping) {
      try {
        const thread = awaitStop(tracee, deadlineMs);
        if (thread !== undefined) held.set(tracee.tid, thread);
      } catch (further) {
        if (!(further instanceof KorriganError)) throw further; // it cannot be stopped either; the first failure is the one to tell
      }
    }
    for (const { tracee } of held.values()) tolerateDeath(tracee, () => tracee.detach());
    throw translate(pid, error);
  }
  return [...held.values()];
}

/**
 * Does something to a held thread. One that was killed meanwhile is collected: its end is shown to nobody else before its tracer has seen it.
 */
export function tolerateDeath(tracee: Tracee, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
    awaitEnd(tracee);
  }
}

/** Whether something failed because the process was killed. */
export function isDeath(error: unknown): boolean {
  return isErrno(error, 'ESRCH') || (error instanceof KorriganError && error.code === 'KRG_NO_SUCH_PROCESS');
}

/** Waits for the end of a thread that has been killed. */
export function awaitEnd(tracee: Tracee): void {
  for (;;) {
    let status: WaitStatus;
    try {
      status = tracee.wait();
    } catch (error) {
      if (isErrno(error, 'ECHILD')) return; // it is not ours any more
      throw error;
    }
    if (status.kind === 'exited' || status.kind === 'killed') return;
    try {
      tracee.resume();
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
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
    const status = waitInTime(tracee, deadlineMs);
    if (status.kind === 'exited' || status.kind === 'killed') return undefined;
    try {
      if (status.kind === 'interrupted') {
        return { tracee, ...leaveOurCode(tracee), groupStop: status.groupStop };
      }
      tracee.resume(status.kind === 'signal' ? status.signal : 0);
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error; // killed in its stop: its end is reported next
    }
  }
}

/** A thread that a killed tracer has left in our code is where he took it from, from here on. */
function leaveOurCode(tracee: Tracee): ThreadState {
  const state = stateBehind(tracee.tid, tracee.registers());
  if (state === undefined) return { registers: hideInterruption(tracee), signalMask: tracee.signalMask() };
  // The mask comes first: a thread that is abandoned in between sets it itself.
  tracee.setSignalMask(state.signalMask);
  tracee.setRegisters(state.registers);
  return state;
}

function waitInTime(tracee: Tracee, deadlineMs?: number): WaitStatus {
  try {
    return tracee.wait(deadlineMs);
  } catch (error) {
    if (error instanceof KorriganError && error.code === 'KRG_CANNOT_STOP') late.push(tracee);
    throw error;
  }
}

const EINTR = -4;
const ERESTART_FIRST = -516;
const ERESTART_LAST = -512;
const ERESTART_RESTARTBLOCK = -516;
const SYSCALL_INSTRUCTION_SIZE = 2n;
/**
 * Calls that fail with EINTR even when a mere stop interrupts them (man 7 signal); others are restarted by the kernel. Those on sockets
 * do when the socket has a time-out.
 */
const NEVER_RESTARTED = new Set<number>(
  (
    [
      ...([
        'epoll_wait',
        'epoll_pwait',
        'epoll_pwait2',
        'rt_sigtimedwait',
        'semop',
        'semtimedop',
        'io_getevents',
        'io_pgetevents',
      ] as const),
      ...(['recvfrom', 'recvmsg', 'recvmmsg', 'sendto', 'sendmsg', 'sendmmsg', 'accept', 'accept4'] as const),
      ...(['read', 'readv', 'write', 'writev'] as const),
    ] as const
  ).map((name) => SYS[name]),
);

/** Our stop must not be seen: such a call begins anew. A signal that really came is still pending and interrupts it again. */
function hideInterruption(tracee: Tracee): Registers {
  const registers = tracee.registers();
  const number = registers.getNumber('originalRax');
  if (registers.getNumber('rax') !== EINTR || !NEVER_RESTARTED.has(number)) return registers;
  tracee.setRegisters(aboutToCall(registers, number));
  return registers;
}

/** The thread will execute the `syscall` instruction before its current one. */
function aboutToCall(registers: Registers, number: number): Registers {
  return registers
    .set('rax', number)
    .set('rip', registers.get('rip') - SYSCALL_INSTRUCTION_SIZE)
    .set('originalRax', -1);
}

/**
 * Registers with which a thread that was stopped goes on, whatever it has done meanwhile: an interrupted system call is about to be made
 * again. The kernel would have arranged the same on the way back from the stop itself (arch/x86/kernel/signal.c, arch_do_signal_or_restart).
 */
export function resumption(registers: Registers): Registers {
  const result = registers.getNumber('rax');
  const number = registers.getNumber('originalRax');
  const again = registers.copy();
  if (number < 0 || result < ERESTART_FIRST || result > ERESTART_LAST) return again.set('originalRax', -1);
  return aboutToCall(again, result === ERESTART_RESTARTBLOCK ? SYS.restart_syscall : number);
}

function threadIsZombie(tid: number): boolean {
  return /\) [ZX] /.test(readProcessFile(tid, 'stat') ?? ') X ');
}

function translate(pid: number, error: unknown): unknown {
  if (!isErrno(error, 'EPERM')) return error;
  const tracer = /TracerPid:\t(\d+)/.exec(readProcessFile(pid, 'status') ?? '')?.[1];
  if (tracer === undefined) return error;
  if (tracer === '0') return new KorriganError('KRG_TRACED', 'the process was being traced a moment ago; try again', { cause: error });
  // By the number that it has in its own pid namespace, where its user sees it.
  const shown = /^NSpid:.*\t(\d+)$/m.exec(readProcessFile(Number(tracer), 'status') ?? '')?.[1] ?? tracer;
  return new KorriganError('KRG_TRACED', `the process is being traced by process ${shown}; end the debugger or tracer first`, {
    cause: error,
  });
}
