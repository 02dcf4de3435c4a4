/** How a ghost worker, which blocks, asks its daemon's main thread about relays and waits for the answer. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { ArrivedRelay, NewRelay, RelayService, RelayState } from '../streams/index.ts';

export type RelayQuestion =
  | { kind: 'begin'; relay: NewRelay }
  | { kind: 'stop'; id: string }
  | { kind: 'come-home'; state: RelayState; waiting: number }
  | { kind: 'arriving'; relays: readonly ArrivedRelay[] };

export interface RelayAnswer {
  state?: RelayState | undefined;
  /** Descriptor of pid 1. */
  original?: number | undefined;
  error?: string;
}

/** Crosses threads: `port` is where the answer goes, and `signal` is set when it is there. */
export interface AskedQuestion {
  kind: 'relay';
  question: RelayQuestion;
  port: MessagePort;
  signal: Int32Array;
}

const ANSWER_MILLISECONDS = 10_000;

/** On the worker's thread. @param post hands a message and what must be transferred with it to the main thread */
export function askAboutRelay(question: RelayQuestion, post: (message: AskedQuestion, transfer: MessagePort[]) => void): RelayAnswer {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  try {
    post({ kind: 'relay', question, port: port2, signal }, [port2]);
    if (Atomics.wait(signal, 0, 0, ANSWER_MILLISECONDS) === 'timed-out') {
      throw new KorriganError('KRG_DEADLINE', "the daemon's main thread did not answer about a relay");
    }
    const received = receiveMessageOnPort(port1)?.message as RelayAnswer;
    if (received.error !== undefined) throw new KorriganError('KRG_INTERNAL', received.error);
    return received;
  } finally {
    port1.close();
  }
}

function answer(question: RelayQuestion, migration: string, relays: RelayService): RelayAnswer {
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
  }
}

/** On the main thread. */
export function answerAboutRelay({ question, port, signal }: AskedQuestion, migration: string, relays: RelayService): void {
  try {
    port.postMessage(answer(question, migration, relays));
  } catch (error) {
    port.postMessage({ error: `a relay could not be prepared: ${(error as Error).message}` });
  } finally {
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
    port.close();
  }
}
