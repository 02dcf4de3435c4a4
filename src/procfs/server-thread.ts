/** The main thread's end of the thread that serves /proc. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createEventfd, ERRNO, INIT_PROCFS_FD, isKorriganError, signalEventfd, stealDescriptor, syscall } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import type { ServerCommand, ServerEvent, ServerQuestion, ServerRequest, ServerWorkerData } from './server-protocol.ts';

export class ServerThread implements AsyncDisposable {
  private readonly worker: Worker;
  private readonly commands: MessagePort;
  private readonly bell = createEventfd();
  private readonly descriptors: readonly number[];
  private readonly exited: Promise<void>;
  private readonly onFault: (error: unknown) => void;
  private readonly unanswered: ServerRequest[] = [];
  private answerer: ((question: ServerQuestion) => Promise<unknown>) | undefined;

  /** @param fuse a descriptor here of /dev/fuse, of which this object is the owner from now on */
  constructor({ initPid, fuse, node, onFault }: { initPid: number; fuse: number; node: NodeId; onFault: (error: unknown) => void }) {
    this.onFault = onFault;
    const procfs = stealDescriptor(initPid, INIT_PROCFS_FD);
    this.descriptors = [fuse, procfs, this.bell];
    const { port1, port2 } = new MessageChannel();
    this.commands = port1;
    port1.unref();
    const data: ServerWorkerData = { fuse, procfs, node, bell: this.bell };
    this.worker = new Worker(new URL('./server-worker.ts', import.meta.url), {
      workerData: { ...data, commands: port2 },
      transferList: [port2],
    });
    this.worker.on('message', (event: ServerEvent) => this.take(event));
    // Nobody would answer any more. The next daemon does.
    this.worker.on('error', (error) => {
      throw error;
    });
    this.exited = new Promise((resolve) => this.worker.once('exit', () => resolve()));
  }

  /** Who answers; what was asked before has waited, or was given up. */
  onQuestion(answerer: (question: ServerQuestion) => Promise<unknown>): void {
    this.answerer = answerer;
    this.command({ kind: 'joined' });
    for (const request of this.unanswered.splice(0)) this.answer(request, answerer);
  }

  /** Ends the thread. Who looks into /proc then waits for the next daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.command({ kind: 'stop' });
    await this.exited;
    this.commands.close();
    for (const fd of this.descriptors) syscall('close', fd);
  }

  private command(command: ServerCommand): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
    this.commands.postMessage(command);
    signalEventfd(this.bell);
  }

  private take(event: ServerEvent): void {
    if (event.kind === 'fault') this.onFault(event.error);
    else if (this.answerer === undefined) this.unanswered.push(event.request);
    else this.answer(event.request, this.answerer);
  }

  private answer({ id, question }: ServerRequest, answerer: (question: ServerQuestion) => Promise<unknown>): void {
    answerer(question).then(
      (value) => this.command({ kind: 'answer', id, value }),
      (error: unknown) => {
        if (!isKorriganError(error)) this.onFault(error);
        this.command({ kind: 'answer', id, value: undefined, errno: isKorriganError(error, 'KRG_NODE_DEAD') ? ERRNO.ESRCH : ERRNO.EIO });
      },
    );
  }
}
