/** Signal actions, masks and pending signals: capture and restore. */
import type { Program, RemoteProcess, StoppedThread } from '../linux/index.ts';
import { SIGINFO_SIZE } from '../linux/index.ts';
import type { SignalAction } from './image.ts';

const SIGNALS = 64;
const ACTION_SIZE = 32;
const SIGKILL = 9;
const SIGSTOP = 19;
const MASK_SIZE = 8;

/** Appends the questions; the answer is read after the run. */
export function captureActions(program: Program): () => SignalAction[] {
  const buffer = program.data(SIGNALS * ACTION_SIZE);
  for (let signal = 1; signal <= SIGNALS; signal++) {
    program.call('rt_sigaction', signal, 0, buffer + (signal - 1) * ACTION_SIZE, MASK_SIZE);
  }
  return () => {
    const view = program.viewAt(buffer, SIGNALS * ACTION_SIZE);
    const actions: SignalAction[] = [];
    for (let signal = 1; signal <= SIGNALS; signal++) {
      const at = (signal - 1) * ACTION_SIZE;
      const word = (n: number): bigint => view.getBigUint64(at + n * 8, true);
      const action = { signal, handler: word(0), flags: word(1), restorer: word(2), mask: word(3) };
      if (action.handler !== 0n || action.flags !== 0n || action.mask !== 0n) actions.push(action);
    }
    return actions;
  };
}

/** Sets the actions of all signals; those not in the image become the default. */
export function restoreActions(program: Program, actions: readonly SignalAction[]): void {
  const bySignal = new Map(actions.map((action) => [action.signal, action]));
  for (let signal = 1; signal <= SIGNALS; signal++) {
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    const action = bySignal.get(signal);
    const bytes = new Uint8Array(ACTION_SIZE);
    if (action !== undefined) {
      const view = new DataView(bytes.buffer);
      view.setBigUint64(0, action.handler, true);
      view.setBigUint64(8, action.flags, true);
      view.setBigUint64(16, action.restorer, true);
      view.setBigUint64(24, action.mask, true);
    }
    program.call('rt_sigaction', signal, program.data(bytes), 0, MASK_SIZE);
  }
}

/** How many there are of each signal. */
export function countSignals(pending: readonly Uint8Array[]): { signal: number; count: number }[] {
  return [...Map.groupBy(pending, signalOf)].map(([signal, { length }]) => ({ signal, count: length }));
}

/** The signal number of a raw siginfo_t. */
export function signalOf(information: Uint8Array): number {
  return new DataView(information.buffer, information.byteOffset, information.length).getInt32(0, true);
}

/**
 * Queues signals again, by the process (its leader) or thread they belong to: only for itself may a task use any si_code.
 * All signals must be blocked, or they would be delivered at once.
 */
export function restorePending(program: Program, pid: number, tid: number | undefined, pending: readonly Uint8Array[]): void {
  for (const information of pending) {
    const address = program.data(information);
    if (tid === undefined) program.call('rt_sigqueueinfo', pid, signalOf(information), address);
    else program.call('rt_tgsigqueueinfo', pid, tid, signalOf(information), address);
  }
}

/**
 * Takes exactly the captured signals out of the queues of the process that was left behind, so that its husk does not send them after
 * it. Later ones stay queued. A thread's own queue is emptied before the shared one (kernel/signal.c, dequeue_signal).
 */
export function discardPending(remote: RemoteProcess, shared: readonly Uint8Array[], byThread: readonly (readonly Uint8Array[])[]): void {
  remote.threads.forEach((thread, index) => {
    discardSignals(remote, thread, [...(byThread[index] ?? []), ...(index === 0 ? shared : [])].map(signalOf));
  });
}

/** Takes one of each of these signals out of a thread's queue, or else the process's. */
export function discardSignals(remote: RemoteProcess, thread: StoppedThread, signals: readonly number[]): void {
  for (let from = 0; from < signals.length; from += 200) {
    const batch = signals.slice(from, from + 200);
    const program = remote.newProgram({ records: batch.length + 1, data: 16 * batch.length + 16 });
    const zero = program.data(16);
    for (const signal of batch) {
      const mask = new Uint8Array(MASK_SIZE);
      new DataView(mask.buffer).setBigUint64(0, 1n << BigInt(signal - 1), true);
      program.tryCall('rt_sigtimedwait', program.data(mask), 0, zero, MASK_SIZE);
    }
    remote.run(program, thread);
  }
}

/** Bytes of program data that pending signals take. */
export function pendingBytes(pending: readonly Uint8Array[]): number {
  return pending.length * SIGINFO_SIZE;
}
