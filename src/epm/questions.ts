/** How a ghost worker, which blocks, asks its daemon's main thread and waits for the answer. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';

/** Crosses threads: `port` is where the answer goes, and `signal` is set when it is there. */
export interface Asked {
  port: MessagePort;
  signal: Int32Array;
}

type Told = { answer: unknown } | { error: { code: string; message: string } };

/**
 * On the worker's thread.
 * @param post hands a message with the question, and what must be transferred with it, to the main thread
 * @throws KorriganError as the main thread threw it, or KRG_DEADLINE
 */
export function ask(post: (asked: Asked, transfer: MessagePort[]) => void, patienceMs: number): unknown {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  try {
    post({ port: port2, signal }, [port2]);
    if (Atomics.wait(signal, 0, 0, patienceMs) === 'timed-out')
      throw new KorriganError('KRG_DEADLINE', "the daemon's main thread did not answer about a move");
    const told = receiveMessageOnPort(port1)?.message as Told;
    if ('error' in told) throw new KorriganError(told.error.code, told.error.message);
    return told.answer;
  } finally {
    port1.close();
  }
}

/** On the main thread: the worker goes on when this resolves. */
export async function answer({ port, signal }: Asked, work: () => unknown): Promise<void> {
  try {
    port.postMessage({ answer: await work() } satisfies Told);
  } catch (error) {
    const { code, message } = error instanceof KorriganError ? error : { code: 'KRG_INTERNAL', message: (error as Error).message };
    port.postMessage({ error: { code, message } } satisfies Told);
  } finally {
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
    port.close();
  }
}
