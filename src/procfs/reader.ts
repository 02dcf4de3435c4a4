/** The main thread's end of the thread that reads the node's procfs. */
import { Worker } from 'node:worker_threads';
import { type ErrorJSON, KorriganError } from '../linux/index.ts';
import type { ReaderAnswer, ReaderMessage, ReaderQuestion, ReaderReply, ReaderWorkerData } from './reader-protocol.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class Reader implements AsyncDisposable {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private next = 1;

  constructor(data: ReaderWorkerData) {
    this.worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { workerData: data });
    this.worker.unref();
    this.worker.on('message', (reply: ReaderReply) => this.answered(reply));
    // Nobody would answer any more. The next daemon does.
    this.worker.on('error', (error) => {
      throw error;
    });
  }

  ask<Question extends ReaderQuestion>(question: Question): Promise<ReaderAnswer<Question['kind']>> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      const message: ReaderMessage = { id, question };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
      this.worker.postMessage(message);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.ref(); // an end that is waited for keeps the daemon
    await this.worker.terminate();
  }

  private answered(reply: ReaderReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(KorriganError.fromJSON(reply.error as ErrorJSON));
    else waiting?.resolve(reply.value);
  }
}
