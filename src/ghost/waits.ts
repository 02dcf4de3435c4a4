/**
 * System calls that wait for a time counted from their beginning, such as nanosleep and poll: they go on in the new place and end at their
 * time, however often their process moves. The kernel alone knows that time ({@link readKernelTasks}); it travels as a time of the
 * cluster's clock.
 *
 * A call that the kernel itself can restart (kernel/signal.c, ERESTART_RESTARTBLOCK) is begun anew with the time that remains, by a
 * program, and interrupted: the thread then goes on with the caller's registers and the kernel's own restart_syscall(2). The
 * others begin again with their arguments, where the time that remains takes the place of the one that was asked for.
 */
import {
  type KernelTask,
  KorriganError,
  PidNamespace,
  readKernelTasks,
  readProcessFile,
  type RegisterName,
  type Registers,
  type RemoteProcess,
  SYS,
  whyNoKernelTasks,
} from '../linux/index.ts';
import { CLOCK_MONOTONIC, type ClockOffsets, clockOffsets } from './clocks.ts';
import { type SocketWait, socketWait } from './socket-waits.ts';

const CLOCK_REALTIME = 0;
const TIMER_ABSTIME = 1;
const FUTEX_WAIT = 0;
/** Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME. */
const FUTEX_COMMAND = 0x7f;
const EINTR = -4;
const ERESTARTNOHAND = -514;
const ERESTART_RESTARTBLOCK = -516;
const RESTART_SYSCALL = 219;

/** How the time that remains is handed to the call. */
export type WaitForm =
  /** Armed in the kernel; `remainder` is the caller's rem argument, or 0. */
  | { readonly kind: 'sleep'; readonly clock: number; readonly remainder: bigint }
  | { readonly kind: 'poll' }
  | { readonly kind: 'futex' }
  | SocketWait
  /** Milliseconds in a register. Only code that trusts a register over a system call could tell. */
  | { readonly kind: 'register'; readonly register: RegisterName }
  /** In memory of the caller, nanoseconds per unit of its second word; `kept`: put back once the call has read it. */
  | { readonly kind: 'memory'; readonly address: bigint; readonly unit: number; readonly kept: boolean };

export interface Wait {
  readonly form: WaitForm;
  /**
   * When it ends, nanoseconds on the cluster's clock: of `form.clock` for a sleep, else CLOCK_MONOTONIC. Undefined for an armed call that
   * waits without an end or until a time among its arguments.
   */
  readonly end: bigint | undefined;
}

/** What was seen of a process's threads before it was stopped. */
export type ObservedThreads = readonly KernelTask[] | undefined;

/** To be called right before a process is stopped: what some calls wait for is lost with the stop. */
export function observeThreads(pid: number): ObservedThreads {
  return readKernelTasks(pid);
}

/** Calls that only forget their time when they are stopped, with where they keep it; undefined for a wait without an end. */
function forgetful(pid: number, number: number, registers: Registers): WaitForm | undefined {
  const argument = (register: RegisterName, unit: number, kept: boolean): WaitForm | undefined => {
    const address = registers.get(register);
    return address === 0n ? undefined : { kind: 'memory', address, unit, kept };
  };
  switch (number) {
    case SYS.epoll_wait:
    case SYS.epoll_pwait:
      return milliseconds(registers, 'r10') <= 0 ? undefined : { kind: 'register', register: 'r10' };
    case SYS.epoll_pwait2:
    case SYS.semtimedop:
      return argument('r10', 1, true);
    case SYS.rt_sigtimedwait:
      return argument('rdx', 1, true);
    // The kernel writes what remains to these, and so do we.
    case SYS.ppoll:
      return argument('rdx', 1, false);
    case SYS.pselect6:
      return argument('r8', 1, false);
    case SYS.select:
      return argument('r8', 1000, false);
    default:
      return socketWait(pid, number, registers);
  }
}

/** True for a call that the kernel restarts with a time that it has kept. */
function keepsTime(number: number, registers: Registers): boolean {
  switch (number) {
    case RESTART_SYSCALL:
    case SYS.nanosleep:
      return true;
    case SYS.clock_nanosleep:
      return (registers.getNumber('rsi') & TIMER_ABSTIME) === 0;
    case SYS.poll:
      return milliseconds(registers, 'rdx') > 0;
    case SYS.futex:
      return (registers.getNumber('rsi') & FUTEX_COMMAND) === FUTEX_WAIT && registers.get('r10') !== 0n;
    default:
      return false;
  }
}

/** An argument of type int. */
function milliseconds(registers: Registers, register: RegisterName): number {
  return Number(BigInt.asIntN(32, registers.get(register)));
}

/** True when the process has threads whose remaining time has to be known and cannot be, on this machine. */
export function hasUnreadableWait(pid: number, tids: readonly number[]): boolean {
  if (whyNoKernelTasks() === undefined) return false;
  return tids.some((tid) => {
    const [number = '-1', ...rest] = (readProcessFile(pid, `task/${tid}/syscall`) ?? '').split(' ');
    const asked = new Map(
      (['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const).map((name, n) => [name as RegisterName, BigInt(rest[n] ?? 0)]),
    );
    const registers = {
      get: (name: RegisterName) => asked.get(name) ?? 0n,
      getNumber: (name: RegisterName) => Number(asked.get(name) ?? 0n),
    };
    return keepsTime(Number(number), registers as Registers) || forgetful(pid, Number(number), registers as Registers) !== undefined;
  });
}

/**
 * The waits of all threads of a stopped process, by their places in `remote.threads`. To be called before anything runs in it.
 * @param observed from before the stop
 * @param tasks the threads as they are now
 */
export function captureWaits(
  remote: RemoteProcess,
  observed: ObservedThreads,
  tasks: ObservedThreads = observeThreads(remote.pid),
): (Wait | undefined)[] {
  const waiting = remote.threads.map(({ registers }) => interruptedCall(remote.pid, registers));
  if (waiting.every((found) => found === undefined)) return [];
  if (tasks === undefined)
    throw new KorriganError(
      'KRG_NOT_MOVABLE',
      `process ${remote.pid} waits for a time that this kernel does not tell: ${whyNoKernelTasks()}`,
    );
  const offsets = clockOffsets(remote.pid);
  using namespace = new PidNamespace(remote.pid);
  return remote.threads.map(({ tracee, registers }, n) => {
    const call = waiting[n];
    if (call === undefined) return undefined;
    const tid = namespace.toThere(tracee.tid);
    const task = tasks.find((candidate) => candidate.tid === tid);
    if (task === undefined) return undefined;
    return call.form === undefined
      ? keptTime(task, registers, offsets, remote.pid)
      : forgottenTime(
          task,
          observed?.find((candidate) => candidate.tid === tid),
          call.form,
          offsets,
        );
  });
}

/** The call that was interrupted by our stop; `form` is undefined for one whose time the kernel has kept. */
function interruptedCall(pid: number, registers: Registers): { form: WaitForm | undefined } | undefined {
  const result = registers.getNumber('rax');
  const number = registers.getNumber('originalRax');
  if (number >= 0) {
    if (result === ERESTART_RESTARTBLOCK) return keepsTime(number, registers) ? { form: undefined } : undefined;
    const form = result === ERESTARTNOHAND || result === EINTR ? forgetful(pid, number, registers) : undefined;
    return form === undefined ? undefined : { form };
  }
  // A call that cannot be restarted was set back to its beginning when it was stopped.
  const form = forgetful(pid, result, registers);
  return form === undefined ? undefined : { form };
}

function keptTime(task: KernelTask, registers: Registers, offsets: ClockOffsets, pid: number): Wait | undefined {
  const { resumedBy, sleep, poll, futex } = task.restart;
  if (resumedBy.startsWith('hrtimer_nanosleep_restart')) {
    const clock = sleep.clock === CLOCK_REALTIME ? CLOCK_MONOTONIC : sleep.clock;
    return { form: { kind: 'sleep', clock, remainder: sleep.remainder }, end: sleep.expires + offsets(clock) };
  }
  if (resumedBy.startsWith('do_restart_poll'))
    return { form: { kind: 'poll' }, end: poll.end === undefined ? undefined : poll.end + offsets(CLOCK_MONOTONIC) };
  if (resumedBy.startsWith('futex_wait_restart')) {
    const relative = (registers.getNumber('rsi') & FUTEX_COMMAND) === FUTEX_WAIT;
    return { form: { kind: 'futex' }, end: relative ? futex.end + offsets(CLOCK_MONOTONIC) : undefined };
  }
  throw new KorriganError('KRG_NOT_MOVABLE', `a thread of process ${pid} waits for a time that cannot move (${resumedBy})`);
}

/**
 * Valid when the thread has slept since it was observed: it has given the processor away once, to stop. Otherwise it has only just begun
 * to wait, and its time begins anew.
 */
function forgottenTime(task: KernelTask, before: KernelTask | undefined, form: WaitForm, offsets: ClockOffsets): Wait | undefined {
  const end = form.kind === 'socket' ? before?.timesOut : before?.sleepsUntil;
  if (end === undefined || task.sleeps !== (before?.sleeps ?? 0n) + 1n) return undefined;
  return { form, end: end + offsets(CLOCK_MONOTONIC) };
}
