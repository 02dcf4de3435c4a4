/**
 * Real-time signals come in the order in which they were sent (signal(7)), so those that travel with a process must stand before what was sent to
 * its husk since that was held, and a queue takes new ones at its end only.
 *
 * A thread takes what is queued to itself before what is queued to its process (kernel/signal.c, dequeue_signal): where newer ones are there already and
 * there is one thread, what travels is queued to that. Any of several threads may take what was sent to the process: nothing may be in the way then.
 */
import { isErrno, KorriganError, readStatus, type RemoteProcess, sleepMicroseconds } from '../linux/index.ts';
import type { ProcessImage } from './image.ts';
import { discardSignals, restorePending, signalOf } from './signals.ts';
import { withoutRepeating } from './timers.ts';

/** As the kernel counts them; SIGRTMIN of the C library is higher. */
const FIRST_REALTIME = 32;
const REALTIME_MASK = ~0n << BigInt(FIRST_REALTIME - 1);
const BATCH = 500;
const TAKING_MILLISECONDS = 100;
const TAKING_MICROSECONDS = 200;

export function isRealTime(information: Uint8Array): boolean {
  return signalOf(information) >= FIRST_REALTIME;
}

/** Of the process, but for those that come in an order. */
export function otherSignals({ pending, posixTimers }: ProcessImage): Uint8Array[] {
  return withoutRepeating(pending, posixTimers).filter((information) => !isRealTime(information));
}

/**
 * To be called before a process is stopped: lets it take real-time signals, as far as it does, unless there is room for as many again
 * (RLIMIT_SIGPENDING). Those that travel and those that wait for them at the target have to fit together.
 */
export function letSignalsBeTaken(hostPid: number): void {
  for (const started = performance.now(); performance.now() - started < TAKING_MILLISECONDS; sleepMicroseconds(TAKING_MICROSECONDS)) {
    const status = readStatus(hostPid);
    const waiting = ['SigPnd', 'ShdPnd'].some((name) => (BigInt(`0x${status?.get(name) ?? '0'}`) & REALTIME_MASK) !== 0n);
    const [queued = 0, limit = 0] = (status?.get('SigQ') ?? '').split('/').map(Number);
    if (!waiting || queued * 2 <= limit) return;
  }
}

/**
 * Queues the real-time signals of the process and of its leader, in a process that is being restored and has no other threads yet. All signals
 * are blocked.
 * @throws KorriganError KRG_PROCESS_BUSY when they cannot be queued, or not before others; none of them is then
 */
export function restoreRealTimeSignals(remote: RemoteProcess, image: ProcessImage): void {
  const { pid, threads, posixTimers } = image;
  const tid = threads[0]?.tid ?? pid;
  const sent = withoutRepeating(image.pending, posixTimers).filter(isRealTime);
  const own = withoutRepeating(threads[0]?.pending ?? [], posixTimers).filter(isRealTime);
  const outcome = queueToProcess(remote, pid, sent);
  if (outcome === 'full') throw full(pid);
  if (outcome === 'overtaken' && threads.length > 1)
    throw new KorriganError('KRG_PROCESS_BUSY', `signals come to process ${pid} while older ones wait for its threads; try again`);
  const toThread = outcome === 'queued' ? own : [...own, ...sent];
  const queued = queue(remote, pid, tid, toThread);
  if (queued === toThread.length) return;
  discardSignals(remote, remote.main, toThread.slice(0, queued).map(signalOf));
  if (outcome === 'queued') takeBack(remote, pid, sent);
  throw full(pid);
}

/** Unless all have been queued, and before any other of their numbers, none is. */
function queueToProcess(remote: RemoteProcess, pid: number, signals: readonly Uint8Array[]): 'queued' | 'overtaken' | 'full' {
  if (signals.length === 0) return 'queued';
  if (sameNumbers(remote, signals).length > 0) return 'overtaken';
  const queued = queue(remote, pid, undefined, signals);
  if (queued === signals.length && areFirst(signals, sameNumbers(remote, signals))) return 'queued';
  takeBack(remote, pid, signals.slice(0, queued));
  return queued === signals.length ? 'overtaken' : 'full';
}

function full(pid: number): KorriganError {
  return new KorriganError('KRG_PROCESS_BUSY', `more signals wait for process ${pid} than may wait (RLIMIT_SIGPENDING); try again`);
}

/** @returns how many there was room for, from the first on */
function queue(remote: RemoteProcess, pid: number, tid: number | undefined, signals: readonly Uint8Array[]): number {
  for (let from = 0; from < signals.length; from += BATCH) {
    const batch = signals.slice(from, from + BATCH);
    const program = remote.newProgram({ records: batch.length + 1, data: batch.reduce((sum, { length }) => sum + length, 64) });
    restorePending(program, pid, tid, batch);
    try {
      remote.run(program);
    } catch (error) {
      if (!isErrno(error, 'EAGAIN')) throw error;
      return from + batch.findIndex((_, n) => program.result(n) < 0);
    }
  }
  return signals.length;
}

/** What waits for the process and has the number of one of these. */
function sameNumbers(remote: RemoteProcess, signals: readonly Uint8Array[]): Uint8Array[] {
  const numbers = new Set(signals.map(signalOf));
  return remote.main.tracee.pendingSignals('shared').filter((information) => numbers.has(signalOf(information)));
}

/** Whether of each number these come first. */
function areFirst(signals: readonly Uint8Array[], waiting: readonly Uint8Array[]): boolean {
  return [...Map.groupBy(signals, signalOf)].every(([number, expected]) => {
    const present = waiting.filter((information) => signalOf(information) === number);
    return expected.every((information, n) => Buffer.compare(information, present[n] ?? new Uint8Array()) === 0);
  });
}

/** Takes these out of the process's queue, where others may stand among them. */
function takeBack(remote: RemoteProcess, pid: number, signals: readonly Uint8Array[]): void {
  const waiting = sameNumbers(remote, signals);
  const others = [...waiting];
  for (const information of signals) {
    const at = others.findIndex((other) => Buffer.compare(other, information) === 0);
    if (at >= 0) others.splice(at, 1);
  }
  discardSignals(remote, remote.main, waiting.map(signalOf));
  queue(remote, pid, undefined, others);
}
