/** Interval timers and POSIX timers: capture and restore. Both are kept as the time that remains. */
import { readProcessFile, type Program } from '../linux/index.ts';
import type { PosixTimer } from './image.ts';

const ITIMERS = 3;
const ITIMERVAL_SIZE = 32;
const ITIMERSPEC_SIZE = 32;
const SIGEVENT_SIZE = 64;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const SIGEV_THREAD_ID = 4;
/** Linux 6.15: timer_create then takes the id it is given. */
const PR_TIMER_CREATE_RESTORE_IDS = 77;

export function captureIntervalTimers(program: Program): () => Uint8Array[] {
  const buffers = Array.from({ length: ITIMERS }, (_, which) => {
    const buffer = program.data(ITIMERVAL_SIZE);
    program.call('getitimer', which, buffer);
    return buffer;
  });
  return () => buffers.map((buffer) => program.bytesAt(buffer, ITIMERVAL_SIZE).slice());
}

export function restoreIntervalTimers(program: Program, timers: readonly Uint8Array[]): void {
  timers.forEach((timer, which) => {
    if (timer.some((byte) => byte !== 0)) program.call('setitimer', which, program.data(timer), 0);
  });
}

/** Timers as /proc/PID/timers lists them (man 5 proc); `setting` is still empty. */
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
      setting: new Uint8Array(ITIMERSPEC_SIZE),
    });
  }
  return timers;
}

/** @param pid in the caller's pid namespace. Thread ids of SIGEV_THREAD_ID come from the same namespace and are translated by the caller. */
export function capturePosixTimers(program: Program, pid: number): () => PosixTimer[] {
  const timers = parseTimers(readProcessFile(pid, 'timers') ?? '');
  const buffers = timers.map((timer) => {
    const buffer = program.data(ITIMERSPEC_SIZE);
    program.call('timer_gettime', timer.id, buffer);
    return buffer;
  });
  return () => timers.map((timer, n) => ({ ...timer, setting: program.bytesAt(buffers[n] ?? 0, ITIMERSPEC_SIZE).slice() }));
}

/** Creates the timers under their ids. The threads they signal must exist. */
export function restorePosixTimers(program: Program, timers: readonly PosixTimer[]): void {
  if (timers.length === 0) return;
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
    program.call('timer_settime', timer.id, 0, program.data(timer.setting), 0);
  }
  program.call('prctl', PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
}
