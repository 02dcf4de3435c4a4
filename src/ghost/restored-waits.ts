/**
 * The waits of a process (waits.ts) where it goes on: each call ends at its time. A call that the kernel keeps the time of is begun anew and
 * interrupted; the others are handed the time that remains.
 */
import {
  isDeath,
  KorriganError,
  type Program,
  readProcessFile,
  type Registers,
  type RemoteProcess,
  sleepMicroseconds,
  type StoppedThread,
  SYS,
  syscall,
  type WaitStatus,
} from '../linux/index.ts';
import { CLOCK_MONOTONIC, timeInside } from './clocks.ts';
import { lendTime } from './socket-waits.ts';
import { TIME_SIZE, timeBytes } from './time-bytes.ts';
import type { Wait, WaitForm } from './waits.ts';

const ERESTART_RESTARTBLOCK = -516;
const MILLISECOND = 1_000_000n;
const MICROSECOND = 1000n;
const SIGSTOP = 19;
/** Records and data of the program that begins one call again. */
const PROGRAM = { records: 3, data: 32 };
const PROGRAM_SIZE = 512;
/** How long a thread may take to go into the call that it has been told to make. */
const ENTRY_MILLISECONDS = 10_000;
/** How long a thread is watched that goes into its call, and how often after the first looks, which find one that has a processor at once. */
const WATCH_MILLISECONDS = 1000;
const WATCH_MICROSECONDS = 200;
const FIRST_LOOKS = 200;

/**
 * Begins the calls that the kernel can restart, in threads that are held, with their own registers, and otherwise complete, and interrupts them.
 * @returns the registers with which these threads go on, by their places
 */
export function armWaits(remote: RemoteProcess, waits: readonly (Wait | undefined)[]): Map<number, Registers> {
  const { threads } = remote;
  const begun: BegunCall[] = [];
  const now = new Map<number, bigint>();
  const timeOn = (clock: number): bigint => {
    let time = now.get(clock);
    if (time === undefined) now.set(clock, (time = timeInside(remote.pid, clock)));
    return time;
  };
  const armed = waits.map((wait) =>
    wait !== undefined && isArmed(wait.form) ? { ...wait, remaining: remaining(wait, timeOn) } : undefined,
  );
  threads.forEach((thread, index) => {
    const wait = armed[index];
    if (wait === undefined) return;
    const program = remote.newProgram(PROGRAM, index * PROGRAM_SIZE);
    const number = appendCall(program, thread.registers, wait.form, wait.remaining);
    remote.begin(program, thread);
    begun.push({ index, thread, program, number });
  });
  // All are interrupted before any is waited for: they stop side by side.
  const inside = begun.map((call) => interruptInside(remote, call));
  return new Map(
    begun.map((call, n) => {
      const ended = inside[n] === true ? awaitInterruption(remote, call) : resultOf(remote, call);
      const registers = call.thread.registers.copy();
      if (ended !== undefined) registers.set('rax', ended).set('originalRax', -1);
      return [call.index, registers];
    }),
  );
}

/** A call that a thread begins again, by a program. */
interface BegunCall {
  /** Place of the thread. */
  readonly index: number;
  readonly thread: StoppedThread;
  readonly program: Program;
  readonly number: number;
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

/** @returns the number of the call */
function appendCall(program: Program, registers: Registers, form: WaitForm, rest: bigint | undefined): number {
  const [a, b, c, d, e, f] = (['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const).map((name) => registers.get(name)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const time = rest === undefined ? d : program.data(timeBytes(rest, 1));
  if (form.kind === 'sleep') {
    program.tryCall('clock_nanosleep', form.clock, 0, time, form.remainder);
    return SYS.clock_nanosleep;
  }
  if (form.kind === 'poll') {
    program.tryCall('poll', a, b, rest === undefined ? -1 : roundUp(rest));
    return SYS.poll;
  }
  program.tryCall('futex', a, b, c, time, e, f);
  return SYS.futex;
}

function roundUp(nanoseconds: bigint): number {
  return Number((nanoseconds + MILLISECOND - 1n) / MILLISECOND);
}

/**
 * Interrupts a thread once it sleeps in its call: one that was interrupted on its way there would have to be sent again.
 * @returns false when the call has ended already
 */
function interruptInside(remote: RemoteProcess, { thread: { tracee }, number }: BegunCall): boolean {
  for (const deadline = performance.now() + ENTRY_MILLISECONDS; performance.now() < deadline; syscall('sched_yield')) {
    const status = tracee.poll();
    if (status !== undefined) {
      if (remote.isProgramEnd(status)) return false;
      goOn(remote, tracee, status);
    } else if (Number.parseInt(readProcessFile(remote.pid, `task/${tracee.tid}/syscall`) ?? '', 10) === number) {
      tracee.interrupt();
      return true;
    }
  }
  throw new KorriganError('KRG_INTERNAL', `thread ${tracee.tid} does not go into its system call`);
}

/** @returns the result of a call that has ended by itself meanwhile */
function awaitInterruption(remote: RemoteProcess, call: BegunCall): bigint | undefined {
  const { tracee } = call.thread;
  for (;;) {
    const status = tracee.wait();
    if (remote.isProgramEnd(status)) return resultOf(remote, call);
    if (status.kind === 'interrupted') {
      const registers = tracee.registers();
      if (registers.getNumber('originalRax') >= 0 && registers.getNumber('rax') === ERESTART_RESTARTBLOCK) return undefined;
    }
    goOn(remote, tracee, status);
  }
}

function goOn(remote: RemoteProcess, tracee: StoppedThread['tracee'], status: WaitStatus): void {
  if (status.kind === 'signal' && status.signal === SIGSTOP) remote.stopArrived = true;
  else if (status.kind !== 'interrupted')
    throw new KorriganError('KRG_NO_SUCH_PROCESS', `thread ${tracee.tid} ended while it was restored`);
  tracee.resume();
}

function resultOf(remote: RemoteProcess, { program }: BegunCall): bigint {
  return new DataView(remote.read(program.addressOfResult(0), 8).buffer).getBigInt64(0, true);
}

/** A time that was replaced until the call has read it. */
interface Replaced {
  readonly tid: number;
  readonly putBack: () => void;
}

/**
 * Hands the time that remains to the calls that begin again with their arguments. The threads' registers are changed.
 * @returns what {@link putTimesBack} needs once the threads run
 */
export function adjustWaits(
  remote: RemoteProcess,
  threads: readonly { readonly tid: number; readonly registers: Registers }[],
  waits: readonly (Wait | undefined)[],
): Replaced[] {
  if (!waits.some(forgetsTime)) return [];
  const now = timeInside(remote.pid, CLOCK_MONOTONIC);
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

/** Returns when a thread that was let go is in a call: whatever it has found there, it has read it. */
function awaitCall(pid: number, tid: number): void {
  const started = performance.now();
  for (let look = 0; performance.now() - started < WATCH_MILLISECONDS; look++) {
    // "running" while it waits for a processor, −1 while it is held outside of calls.
    const text = readProcessFile(pid, `task/${tid}/syscall`);
    if (text === undefined || !/^(running|-1)/.test(text)) return;
    if (look < FIRST_LOOKS) syscall('sched_yield');
    else sleepMicroseconds(WATCH_MICROSECONDS);
  }
}

/** Gives the callers their times back, as soon as the calls have read what stood there. The threads run. */
export function putTimesBack(remote: RemoteProcess, replaced: readonly Replaced[]): void {
  // Of two that wait on one socket the first has replaced its own time.
  for (const { tid, putBack } of replaced.toReversed()) {
    awaitCall(remote.pid, tid);
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
  const threads = remote.threads.map(({ tracee: { tid }, registers }) => ({ tid, registers }));
  const replaced = adjustWaits(remote, threads, waits);
  remote.threads.forEach(({ tracee, registers }, n) => {
    if (waits[n]?.form.kind === 'register') tracee.setRegisters(registers);
  });
  remote.release();
  putTimesBack(remote, replaced);
}
