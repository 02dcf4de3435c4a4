/** The main thread's end of the watching worker: the dead, and trapped system calls. */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Container, SharedPids, TrappedCallInFlight } from '../container/index.ts';
import { createEventfd, ERRNO, signalEventfd, syscall, type NotificationAnswer } from '../linux/index.ts';
import type { WatchCommand, WatchEvent, WatchWorkerData } from './workers/watch-protocol.ts';

/** Answers a trapped call. The caller waits as long as the promise does. */
export type TrappedCallHandler = (call: TrappedCallInFlight) => NotificationAnswer | Promise<NotificationAnswer>;

export interface WatcherOptions {
  readonly container: Container;
  /** Pids of husks: calls that name other processes of this node go on at once. */
  readonly husks: SharedPids;
  /** There are new entries in the container's ring of the dead. */
  readonly onReaped: () => void;
  readonly onFault: (error: unknown) => void;
}

const NO_SUCH_PROCESS: NotificationAnswer = { kind: 'error', errno: ERRNO.ESRCH };

export class Watcher {
  private readonly worker: Worker;
  private readonly commands: MessagePort;
  private readonly bell = createEventfd();
  private readonly descriptors: readonly number[];
  private readonly options: WatcherOptions;
  private readonly exited: Promise<void>;
  private readonly caughtUp = Promise.withResolvers<void>();
  private handler: TrappedCallHandler | undefined;
  private readonly unhandled: TrappedCallInFlight[] = [];

  constructor(options: WatcherOptions) {
    this.options = options;
    const { reaper, trappedCalls } = options.container.takeEvents();
    this.descriptors = [reaper, trappedCalls, this.bell];
    const { port1, port2 } = new MessageChannel();
    this.commands = port1;
    port1.unref();
    const data: WatchWorkerData = {
      initPid: options.container.initPid,
      reaper,
      listener: trappedCalls,
      bell: this.bell,
      husks: options.husks.bits,
    };
    this.worker = new Worker(new URL('./workers/watch-worker.ts', import.meta.url), {
      workerData: { ...data, commands: port2 },
      transferList: [port2],
    });
    this.worker.on('message', (event: WatchEvent) => this.take(event));
    this.worker.on('error', (error) => {
      options.onFault(error);
      this.caughtUp.reject(error as Error);
    });
    this.caughtUp.promise.catch(() => undefined); // who waits for it is told
    this.exited = new Promise((resolve) => this.worker.once('exit', () => resolve()));
  }

  /** Resolves when all calls that waited for a daemon before this one came are with {@link Watcher.onTrappedCall}. */
  get hasCaughtUp(): Promise<void> {
    return this.caughtUp.promise;
  }

  /** Who answers trapped calls; those that came before wait for it. Until one is set they wait. */
  onTrappedCall(handler: TrappedCallHandler): void {
    this.handler = handler;
    for (const call of this.unhandled.splice(0)) this.answer(call, handler);
  }

  /** All husks that are here are in {@link WatcherOptions.husks}. */
  knowsHusks(): void {
    this.command({ kind: 'husks-known' });
  }

  /** Ends the worker; the descriptors of the container stay open in pid 1. */
  async stop(): Promise<void> {
    this.command({ kind: 'stop' });
    await this.exited;
    this.commands.close();
    for (const fd of this.descriptors) syscall('close', fd);
  }

  private command(command: WatchCommand): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
    this.commands.postMessage(command);
    signalEventfd(this.bell);
  }

  private take(event: WatchEvent): void {
    if (event.kind === 'reaped') this.options.onReaped();
    else if (event.kind === 'caught-up') this.caughtUp.resolve();
    else if (this.handler === undefined) this.unhandled.push(event.call);
    else this.answer(event.call, this.handler);
  }

  private answer(call: TrappedCallInFlight, handler: TrappedCallHandler): void {
    const send = (answer: NotificationAnswer): void => this.command({ kind: 'answer', slot: call.slot, id: call.id, answer });
    Promise.try(handler, call).then(send, (error: unknown) => {
      this.options.onFault(error);
      send(NO_SUCH_PROCESS);
    });
  }
}
