/** How a ghost worker, which blocks, asks its daemon's main thread about relays and waits for the answer. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { NewRelay, RelayService, RelayState } from '../streams/index.ts';

export type RelayQuestion = { kind: 'begin'; relay: NewRelay } | { kind: 'stop'; id: string };

/** Crosses threads: `port` is where the answer goes, and `signal` is set when it is there. */
export interface AskedQuestion {
  kind: 'relay';
  question: RelayQuestion;
  port: MessagePort;
  signal: Int32Array;
}

const ANSWER_MILLISECONDS = 10_000;

/** On the worker's thread. @param post hands a message and what must be transferred with it to the main thread */
export function askAboutRelay(question: RelayQuestion, post: (message: AskedQuestion, transfer: MessagePort[]) => void): RelayState | undefined {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  try {
    post({ kind: 'relay', question, port: port2, signal }, [port2]);
    if (Atomics.wait(signal, 0, 0, ANSWER_MILLISECONDS) === 'timed-out') {
      throw new KorriganError('KRG_DEADLINE', "the daemon's main thread did not answer about a relay");
    }
    const answer = receiveMessageOnPort(port1)?.message as { state?: RelayState; error?: string };
    if (answer.error !== undefined) throw new KorriganError('KRG_INTERNAL', answer.error);
    return answer.state;
  } finally {
    port1.close();
  }
}

/** On the main thread. */
export function answerAboutRelay({ question, port, signal }: AskedQuestion, migration: string, relays: RelayService): void {
  try {
    if (question.kind === 'begin') relays.begin(migration, question.relay);
    port.postMessage({ state: question.kind === 'stop' ? relays.stop(migration, question.id) : undefined });
  } catch (error) {
    port.postMessage({ error: `a relay could not be prepared: ${(error as Error).message}` });
  } finally {
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
    port.close();
  }
}
