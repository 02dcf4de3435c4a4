/** How a ghost worker, which blocks, asks its daemon's main thread about relays and signals and waits for the answer. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { ProcService } from '../proc/index.ts';
import type { ArrivedRelay, NewRelay, RelayService, RelayState } from '../streams/index.ts';

export type RelayQuestion =
  | { kind: 'begin'; relay: NewRelay }
  | { kind: 'stop'; id: string }
  | { kind: 'come-home'; state: RelayState; waiting: number }
  | { kind: 'arriving'; relays: readonly ArrivedRelay[] };

/** About what waits here to be brought to processes; answered when it is done. */
export type SignalQuestion =
  | { kind: 'let-signals-through'; pids: readonly number[] }
  | { kind: 'keep-signals-back'; pids: readonly number[] }
  /** `mark` was written to the record pipe when the husks of these were held. */
  | { kind: 'signals-brought'; pids: readonly number[]; mark: number };

export interface Answer {
  state?: RelayState | undefined;
  /** Descriptor of pid 1. */
  original?: number | undefined;
  error?: { code: string; message: string };
}

/** Crosses threads: `port` is where the answer goes, and `signal` is set when it is there. */
export interface AskedQuestion {
  kind: 'question';
  question: RelayQuestion | SignalQuestion;
  port: MessagePort;
  signal: Int32Array;
}

const ANSWER_MILLISECONDS = 10_000;

/** On the worker's thread. @param post hands a message and what must be transferred with it to the main thread */
export function ask(question: RelayQuestion | SignalQuestion, post: (message: AskedQuestion, transfer: MessagePort[]) => void): Answer {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  try {
    post({ kind: 'question', question, port: port2, signal }, [port2]);
    if (Atomics.wait(signal, 0, 0, ANSWER_MILLISECONDS) === 'timed-out') {
      throw new KorriganError('KRG_DEADLINE', `the daemon's main thread did not answer a question of a move (${question.kind})`);
    }
    const received = receiveMessageOnPort(port1)?.message as Answer;
    if (received.error !== undefined) throw new KorriganError(received.error.code, received.error.message);
    return received;
  } finally {
    port1.close();
  }
}

/** What answers. */
export interface Answering {
  readonly relays: RelayService;
  readonly proc: ProcService;
}

async function answer(question: RelayQuestion | SignalQuestion, migration: string, { relays, proc }: Answering): Promise<Answer> {
  switch (question.kind) {
    case 'begin':
      relays.begin(migration, question.relay);
      return {};
    case 'stop':
      return { state: relays.stop(migration, question.id) };
    case 'come-home':
      return { original: relays.comeHome(migration, question.state, question.waiting) };
    case 'arriving':
      relays.arriving(migration, question.relays);
      return {};
    case 'let-signals-through':
      proc.disturb(question.pids);
      return {};
    case 'keep-signals-back':
      await proc.leaveAlone(question.pids);
      return {};
    case 'signals-brought':
      await proc.signalsBrought(question.pids, question.mark);
      return {};
  }
}

/** On the main thread. Never throws. */
export async function answerQuestion({ question, port, signal }: AskedQuestion, migration: string, answering: Answering): Promise<void> {
  try {
    port.postMessage(await answer(question, migration, answering));
  } catch (error) {
    const { message } = error as Error;
    const failure =
      error instanceof KorriganError
        ? { code: error.code, message }
        : { code: 'KRG_INTERNAL', message: `a question of a move could not be answered (${question.kind}): ${message}` };
    port.postMessage({ error: failure });
  } finally {
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
    port.close();
  }
}
