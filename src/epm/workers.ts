/** The ghost workers of a daemon: a few threads, each with a lane of the container; jobs wait for a free one. */
import { Worker } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { Job, WorkerMessage } from './jobs.ts';

type Final = Extract<WorkerMessage, { kind: 'moved' | 'unconfirmed' | 'arrived' | 'undecided' | 'done' }>;

interface Waiting {
  job: Job;
  onProgress: (message: WorkerMessage) => void;
  resolve: (message: Final) => void;
  reject: (error: Error) => void;
}

export class GhostWorkers implements AsyncDisposable {
  private readonly workers: Worker[] = [];
  private readonly idle: Worker[] = [];
  private isClosed = false;
  private readonly waiting: Waiting[] = [];
  private readonly current = new Map<Worker, Waiting>();

  /** @param lanes lanes of the container, one for each worker */
  constructor(lanes: readonly number[]) {
    this.start([...lanes]);
  }

  /** Runs a job to its end. @throws KorriganError as the worker threw it */
  run(job: Job, onProgress: (message: WorkerMessage) => void = () => undefined): Promise<Final> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, onProgress, resolve, reject });
      this.next();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    for (const worker of this.workers) worker.ref(); // an end that is waited for keeps the daemon
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  /** One after the other: the first is at work soonest when it need not share the processors with the others. */
  private start([lane, ...rest]: number[]): void {
    if (lane === undefined || this.isClosed) return;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { lane } });
    worker.unref();
    this.workers.push(worker);
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') {
        this.start(rest);
        this.idle.push(worker);
        this.next();
      } else this.answered(worker, message);
    });
    worker.on('error', (error) => this.finish(worker)?.reject(error as Error));
  }

  private next(): void {
    const worker = this.waiting.length > 0 ? this.idle.pop() : undefined;
    const waiting = worker === undefined ? undefined : this.waiting.shift();
    if (worker === undefined || waiting === undefined) return;
    this.current.set(worker, waiting);
    worker.postMessage(waiting.job, []);
  }

  private answered(worker: Worker, message: Exclude<WorkerMessage, { kind: 'ready' }>): void {
    if (message.kind === 'listening' || message.kind === 'committed' || message.kind === 'question' || message.kind === 'plan') {
      this.current.get(worker)?.onProgress(message);
      return;
    }
    const waiting = this.finish(worker);
    if (message.kind === 'failed')
      waiting?.reject(new KorriganError(message.error.code, message.error.message, { cause: message.error.stack }));
    else waiting?.resolve(message);
  }

  private finish(worker: Worker): Waiting | undefined {
    const waiting = this.current.get(worker);
    this.current.delete(worker);
    this.idle.push(worker);
    this.next();
    return waiting;
  }
}
