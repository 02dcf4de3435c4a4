/**
 * Interval timers and POSIX timers: capture and restore. What runs by a clock that all nodes share keeps the time of its next expiration, so that a
 * move does not delay it; timers of processor time keep what remains.
 */
import { type Program, readKernelTasks, readProcessFile, syscall } from '../linux/index.ts';
import type { PosixTimer } from './image.ts';

const ITIMERS = 3;
const ITIMER_REAL = 0;
const ITIMER_VIRTUAL = 1;
const CLOCK_MONOTONIC = 1;
/** Microseconds for which a timer is set to see what becomes of it. */
const PROBE = 1_000_000_000n;
const ITIMERVAL_SIZE = 32;
const ITIMERSPEC_SIZE = 32;
const TIMESPEC_SIZE = 16;
const SIGEVENT_SIZE = 64;
const SECOND = 1_000_000_000n;
const TIMER_ABSTIME = 1;
const SI_TIMER = -2;
/** CLOCK_REALTIME, MONOTONIC, BOOTTIME, REALTIME_ALARM, BOOTTIME_ALARM, TAI: the others are of processor time and begin anew. */
const SHARED_CLOCKS: ReadonlySet<number> = new Set([0, 1, 7, 8, 9, 11]);
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const SIGEV_THREAD_ID = 4;
/** Linux 6.15: timer_create then takes the id it is given. */
const PR_TIMER_CREATE_RESTORE_IDS = 77;

/** Interval timers as they were found. */
export interface IntervalTimers {
  /** struct itimerval of ITIMER_REAL, VIRTUAL and PROF. */
  timers: Uint8Array[];
  /** When they were found, nanoseconds on CLOCK_MONOTONIC, which all nodes share. */
  at: bigint;
}

export function captureIntervalTimers(program: Program): () => IntervalTimers {
  const buffers = Array.from({ length: ITIMERS }, (_, which) => {
    const buffer = program.data(ITIMERVAL_SIZE);
    program.call('getitimer', which, buffer);
    return buffer;
  });
  const time = program.data(TIMESPEC_SIZE);
  program.call('clock_gettime', CLOCK_MONOTONIC, time);
  return () => ({
    timers: buffers.map((buffer) => program.bytesAt(buffer, ITIMERVAL_SIZE).slice()),
    at: timeAt(program.viewAt(time, TIMESPEC_SIZE), 0),
  });
}

/** @param now CLOCK_MONOTONIC of the process */
export function restoreIntervalTimers(program: Program, { timers, at }: IntervalTimers, now: bigint): void {
  timers.forEach((timer, which) => {
    if (timer.every((byte) => byte === 0)) return;
    const setting = timer.slice();
    const view = new DataView(setting.buffer);
    const remaining = valueAt(view, VALUE);
    // No time but an interval: expired, and not started again before its SIGALRM is taken (kernel/time/itimer.c, it_real_fn).
    const next = remaining === 0n ? valueAt(view, 0) : remaining - (which === ITIMER_REAL ? (now - at) / 1000n : clockTick());
    setValueAt(view, VALUE, next > 0n ? next : 1n);
    program.call('setitimer', which, program.data(setting), 0);
  });
}

/** Offset of it_value in struct itimerval. */
const VALUE = 16;
/** Ticks a second for which kernels are built. */
const FREQUENCIES = [100n, 250n, 300n, 1000n];
let tick: bigint | undefined;

/** What the kernel adds to each timer of processor time that it is given (kernel/time/itimer.c, set_cpu_itimer), microseconds. */
function clockTick(): bigint {
  if (tick === undefined) {
    const asked = new Uint8Array(ITIMERVAL_SIZE);
    const given = new Uint8Array(ITIMERVAL_SIZE);
    setValueAt(new DataView(asked.buffer), VALUE, PROBE);
    syscall('setitimer', ITIMER_VIRTUAL, asked, 0);
    syscall('setitimer', ITIMER_VIRTUAL, new Uint8Array(ITIMERVAL_SIZE), given);
    const added = valueAt(new DataView(given.buffer), VALUE) - PROBE;
    const distance = (candidate: bigint): bigint => (candidate > added ? candidate - added : added - candidate);
    tick = FREQUENCIES.map((frequency) => 1_000_000n / frequency).reduce((best, one) => (distance(one) < distance(best) ? one : best));
  }
  return tick;
}

/** struct timeval, in microseconds. */
function valueAt(view: DataView, at: number): bigint {
  return view.getBigInt64(at, true) * 1_000_000n + view.getBigInt64(at + 8, true);
}

function setValueAt(view: DataView, at: number, value: bigint): void {
  view.setBigInt64(at, value / 1_000_000n, true);
  view.setBigInt64(at + 8, value % 1_000_000n, true);
}

/** Timers as /proc/PID/timers lists them (man 5 proc); `interval` and `expiration` are still unknown. */
export function parseTimers(text: string): PosixTimer[] {
  const timers: PosixTimer[] = [];
  for (const block of text.split(/^(?=ID:)/m)) {
    const match = /^ID: (\d+)\nsignal: (\d+)\/([0-9a-f]+)\nnotify: (\w+)\/(?:(tid)|pid)\.(-?\d+)\nClockID: (-?\d+)/.exec(block);
    if (match === null) continue;
    const [, id, signal, value, kind, thread, target, clock] = match;
    const notify = thread === 'tid' ? SIGEV_THREAD_ID : kind === 'none' ? SIGEV_NONE : kind === 'thread' ? 2 : SIGEV_SIGNAL;
    timers.push({
      id: Number(id),
      clock: Number(clock),
      signal: Number(signal),
      value: BigInt(`0x${value ?? '0'}`),
      notify,
      thread: thread === 'tid' ? Number(target) : 0,
      interval: 0n,
      expiration: 0n,
      expired: 1,
    });
  }
  return timers;
}

/** @param pid in the caller's pid namespace. Thread ids of SIGEV_THREAD_ID come from the same namespace and are translated by the caller. */
export function capturePosixTimers(program: Program, pid: number): () => PosixTimer[] {
  const timers = parseTimers(readProcessFile(pid, 'timers') ?? '');
  const buffers = timers.map((timer) => {
    const buffer = program.data(ITIMERSPEC_SIZE + TIMESPEC_SIZE);
    program.call('timer_gettime', timer.id, buffer);
    if (SHARED_CLOCKS.has(timer.clock)) program.call('clock_gettime', timer.clock, buffer + ITIMERSPEC_SIZE);
    return buffer;
  });
  return () =>
    timers.map((timer, n) => {
      const view = program.viewAt(buffers[n] ?? 0, ITIMERSPEC_SIZE + TIMESPEC_SIZE);
      const remaining = timeAt(view, 16);
      return { ...timer, interval: timeAt(view, 0), expiration: remaining === 0n ? 0n : remaining + timeAt(view, ITIMERSPEC_SIZE) };
    });
}

/**
 * Creates the timers under their ids. The threads they signal must exist.
 * @param pending raw siginfo_t of all pending signals. A repeating timer whose signal is pending is set to the expiration that sent it, so that
 * it sends that signal itself: it knows then that one is pending, and counts all expirations since as its overrun.
 */
export function restorePosixTimers(program: Program, timers: readonly PosixTimer[], pending: readonly Uint8Array[]): void {
  if (timers.length === 0) return;
  const sent = new Set(pending.map(timerOf));
  program.call('prctl', PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0);
  for (const timer of timers) {
    const event = new Uint8Array(SIGEVENT_SIZE);
    const view = new DataView(event.buffer);
    view.setBigUint64(0, timer.value, true);
    view.setInt32(8, timer.signal, true);
    view.setInt32(12, timer.notify, true);
    view.setInt32(16, timer.thread, true);
    const id = new Uint8Array(4);
    new DataView(id.buffer).setInt32(0, timer.id, true);
    program.call('timer_create', timer.clock, program.data(event), program.data(id));
    const setting = new Uint8Array(ITIMERSPEC_SIZE);
    const settingView = new DataView(setting.buffer);
    setTimeAt(settingView, 0, timer.interval);
    setTimeAt(settingView, 16, timer.expiration - (sendsAgain(timer) && sent.has(timer.id) ? timer.interval * BigInt(timer.expired) : 0n));
    program.call('timer_settime', timer.id, SHARED_CLOCKS.has(timer.clock) ? TIMER_ABSTIME : 0, program.data(setting), 0);
  }
  program.call('prctl', PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
}

/** The pending signals that no timer will send again by itself ({@link restorePosixTimers}). */
export function withoutRepeating(pending: readonly Uint8Array[], timers: readonly PosixTimer[]): Uint8Array[] {
  const repeating: ReadonlySet<number | undefined> = new Set(timers.filter(sendsAgain).map(({ id }) => id));
  return pending.filter((information) => !repeating.has(timerOf(information)));
}

function sendsAgain({ clock, interval, expiration }: PosixTimer): boolean {
  return SHARED_CLOCKS.has(clock) && interval > 0n && expiration > 0n;
}

/**
 * How often timers whose signal is pending have expired since. To be asked after their times, which makes the kernel count.
 * @param pid in the caller's pid namespace
 */
export function countExpirations(timers: PosixTimer[], pending: readonly Uint8Array[], pid: number): void {
  const sent = new Set(pending.map(timerOf));
  const counted = timers.filter((timer) => sendsAgain(timer) && sent.has(timer.id));
  const [task] = counted.length === 0 ? [] : (readKernelTasks(pid) ?? []);
  // The kernel begins with −1: the first expiration is the one that the signal tells of.
  for (const timer of counted) timer.expired = Math.max(1, (task?.overruns.get(timer.id) ?? 0) + 1);
}

/** The timer that sent a signal: siginfo_t has si_code at 8, si_timerid at 16. */
function timerOf(information: Uint8Array): number | undefined {
  const view = new DataView(information.buffer, information.byteOffset, information.length);
  return view.getInt32(8, true) === SI_TIMER ? view.getInt32(16, true) : undefined;
}

/** struct timespec, in nanoseconds. */
function timeAt(view: DataView, at: number): bigint {
  return view.getBigInt64(at, true) * SECOND + view.getBigInt64(at + 8, true);
}

function setTimeAt(view: DataView, at: number, time: bigint): void {
  view.setBigInt64(at, time / SECOND, true);
  view.setBigInt64(at + 8, time % SECOND, true);
}
