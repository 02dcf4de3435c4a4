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
  isDeath,
  type KernelTask,
  KorriganError,
  PidNamespace,
  type Program,
  readKernelTasks,
  readProcessFile,
  type RegisterName,
  type Registers,
  type RemoteProcess,
  type StoppedThread,
  SYS,
  syscall,
  whyNoKernelTasks,
} from '../linux/index.ts';
import { lendTime, type SocketWait, socketWait } from './socket-waits.ts';
import { SECOND, TIME_SIZE, timeBytes } from './time-bytes.ts';

const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
const CLOCK_TAI = 11;
const TIMER_ABSTIME = 1;
const FUTEX_WAIT = 0;
/** Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME. */
const FUTEX_COMMAND = 0x7f;
const EINTR = -4;
const ERESTARTNOHAND = -514;
const ERESTART_RESTARTBLOCK = -516;
const RESTART_SYSCALL = 219;
const MILLISECOND = 1_000_000n;
const MICROSECOND = 1000n;
/** Records and data of the program that begins one call again. */
const PROGRAM = { records: 3, data: 32 };
const PROGRAM_SIZE = 512;
/** Turns after which a thread that has been told to go into its call must be there, and to watch it go there. */
const ENTRY_TURNS = 100_000;
const WATCH_TURNS = 200;

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
 */
export function captureWaits(remote: RemoteProcess, observed: ObservedThreads): (Wait | undefined)[] {
  const waiting = remote.threads.map(({ registers }) => interruptedCall(remote.pid, registers));
  if (waiting.every((found) => found === undefined)) return [];
  const tasks = readKernelTasks(remote.pid);
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

/** What the process's clock shows more than the host's, nanoseconds. */
type ClockOffsets = (clock: number) => bigint;

function clockOffsets(pid: number): ClockOffsets {
  const text = readProcessFile(pid, 'timens_offsets') ?? '';
  const offset = (name: string): bigint => {
    const [, seconds = '0', nanoseconds = '0'] = new RegExp(`^${name} +(-?\\d+) +(\\d+)`, 'm').exec(text) ?? [];
    return BigInt(seconds) * SECOND + BigInt(nanoseconds);
  };
  const [monotonic, boottime] = [offset('monotonic'), offset('boottime')];
  return (clock) => (clock === CLOCK_BOOTTIME ? boottime : clock === CLOCK_TAI ? 0n : monotonic);
}

/** The time on a clock inside the process, whose region is open and idle. */
export function timeInside(remote: RemoteProcess, clock: number): bigint {
  const program = remote.newProgram(PROGRAM);
  const time = program.data(TIME_SIZE);
  remote.stepSystemCall('clock_gettime', clock, time);
  const view = new DataView(remote.read(time, TIME_SIZE).buffer);
  return view.getBigInt64(0, true) * SECOND + view.getBigInt64(8, true);
}

/**
 * Begins the calls that the kernel can restart, in threads that are held, with their own registers, and otherwise complete, and interrupts them.
 * @returns the registers with which these threads go on, by their places
 */
export function armWaits(remote: RemoteProcess, waits: readonly (Wait | undefined)[]): Map<number, Registers> {
  const { threads } = remote;
  const begun: { index: number; thread: StoppedThread; program: Program }[] = [];
  const now = new Map<number, bigint>();
  const timeOn = (clock: number): bigint => {
    let time = now.get(clock);
    if (time === undefined) now.set(clock, (time = timeInside(remote, clock)));
    return time;
  };
  const armed = waits.map((wait) =>
    wait !== undefined && isArmed(wait.form) ? { ...wait, remaining: remaining(wait, timeOn) } : undefined,
  );
  threads.forEach((thread, index) => {
    const wait = armed[index];
    if (wait === undefined) return;
    const program = remote.newProgram(PROGRAM, index * PROGRAM_SIZE);
    appendCall(program, thread.registers, wait.form, wait.remaining);
    remote.begin(program, thread);
    begun.push({ index, thread, program });
  });
  return new Map(
    begun.map(({ index, thread, program }) => {
      const ended = interruptCall(remote, thread, program);
      const registers = thread.registers.copy();
      if (ended !== undefined) registers.set('rax', ended).set('originalRax', -1);
      return [index, registers];
    }),
  );
}

function forgetsTime(wait: Wait | undefined): boolean {
  return wait !== undefined && !isArmed(wait.form);
}

function isArmed(form: WaitForm): boolean {
  return form.kind === 'sleep' || form.kind === 'poll' || form.kind === 'futex';
}

function clockOf(form: WaitForm): number {
  return form.kind === 'sleep' ? form.clock : CLOCK_MONOTONIC;
}

/** Nanoseconds, undefined for a wait without an end of its own. */
function remaining({ form, end }: Wait, timeOn: (clock: number) => bigint): bigint | undefined {
  if (end === undefined) return undefined;
  const rest = end - timeOn(clockOf(form));
  return rest > 0n ? rest : 0n;
}

function appendCall(program: Program, registers: Registers, form: WaitForm, rest: bigint | undefined): void {
  const [a, b, c, d, e, f] = (['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const).map((name) => registers.get(name)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const time = rest === undefined ? d : program.data(timeBytes(rest, 1));
  if (form.kind === 'sleep') program.tryCall('clock_nanosleep', form.clock, 0, time, form.remainder);
  else if (form.kind === 'poll') program.tryCall('poll', a, b, rest === undefined ? -1 : roundUp(rest));
  else program.tryCall('futex', a, b, c, time, e, f);
}

function roundUp(nanoseconds: bigint): number {
  return Number((nanoseconds + MILLISECOND - 1n) / MILLISECOND);
}

/** Interrupts a call once the thread has gone into it. @returns its result when it has ended already */
function interruptCall(remote: RemoteProcess, { tracee }: StoppedThread, program: Program): bigint | undefined {
  for (let turn = 0; turn < ENTRY_TURNS; turn++) {
    tracee.interrupt();
    const status = tracee.wait();
    if (remote.isProgramEnd(status)) return new DataView(remote.read(program.addressOfResult(0), 8).buffer).getBigInt64(0, true);
    if (status.kind !== 'interrupted') throw new KorriganError('KRG_NO_SUCH_PROCESS', `thread ${tracee.tid} ended while it was restored`);
    const registers = tracee.registers();
    if (registers.getNumber('originalRax') >= 0 && registers.getNumber('rax') === ERESTART_RESTARTBLOCK) return undefined;
    tracee.resume();
    syscall('sched_yield');
  }
  throw new KorriganError('KRG_INTERNAL', `thread ${tracee.tid} does not go into its system call`);
}

/** A time that was replaced until the call has read it. */
interface Replaced {
  readonly tid: number;
  readonly putBack: () => void;
}

/**
 * Hands the time that remains to the calls that begin again with their arguments. The region is still open; the threads' registers are changed.
 * @returns what {@link putTimesBack} needs once the threads run
 */
export function adjustWaits(
  remote: RemoteProcess,
  threads: readonly { readonly tid: number; readonly registers: Registers }[],
  waits: readonly (Wait | undefined)[],
  monotonicTime: () => bigint = () => timeInside(remote, CLOCK_MONOTONIC),
): Replaced[] {
  if (!waits.some(forgetsTime)) return [];
  const now = monotonicTime();
  const replaced: Replaced[] = [];
  threads.forEach(({ tid, registers }, index) => {
    const wait = waits[index];
    const rest = wait === undefined ? undefined : remaining(wait, () => now);
    if (wait === undefined || rest === undefined) return;
    const { form } = wait;
    if (form.kind === 'register') registers.set(form.register, roundUp(rest));
    // Zero would be no end.
    const least = rest > MICROSECOND ? rest : MICROSECOND;
    if (form.kind === 'socket') replaced.push({ tid, putBack: lendTime(remote.pid, form, timeBytes(least, 1000)) });
    if (form.kind !== 'memory') return;
    const address = Number(form.address);
    const original = remote.read(address, TIME_SIZE).slice();
    const replacement = timeBytes(rest, form.unit);
    remote.write(address, replacement);
    const putBack = (): void => {
      if (Buffer.compare(remote.read(address, TIME_SIZE), replacement) === 0) remote.write(address, original);
    };
    if (form.kept) replaced.push({ tid, putBack });
  });
  return replaced;
}

/** Gives the callers their times back, as soon as the calls have read what stood there. The threads run. */
export function putTimesBack(remote: RemoteProcess, replaced: readonly Replaced[]): void {
  // Of two that wait on one socket the first has replaced its own time.
  for (const { tid, putBack } of replaced.toReversed()) {
    for (
      let turn = 0;
      turn < WATCH_TURNS && (readProcessFile(remote.pid, `task/${tid}/syscall`) ?? 'running').startsWith('running');
      turn++
    )
      syscall('sched_yield');
    try {
      putBack();
    } catch (error) {
      if (!isDeath(error)) throw error; // it has ended already
    }
  }
}

/**
 * As {@link RemoteProcess.release}, for a process that goes on where it is: the kernel restarts what it can, the other calls are handed the time that
 * remains.
 * @param waits of its threads, by their places
 */
export function releaseWaiting(remote: RemoteProcess, waits: readonly (Wait | undefined)[]): void {
  const [task] = waits.some(forgetsTime) ? (readKernelTasks(remote.pid) ?? []) : [];
  const threads = remote.threads.map(({ tracee: { tid }, registers }) => ({ tid, registers }));
  const monotonicTime = (): bigint => (task?.now.monotonic ?? 0n) + clockOffsets(remote.pid)(CLOCK_MONOTONIC);
  const replaced = task === undefined ? [] : adjustWaits(remote, threads, waits, monotonicTime);
  remote.threads.forEach(({ tracee, registers }, n) => {
    if (waits[n]?.form.kind === 'register') tracee.setRegisters(registers);
  });
  remote.release();
  putTimesBack(remote, replaced);
}
