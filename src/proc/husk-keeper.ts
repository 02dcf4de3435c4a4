/** The main thread's end of the monitor: commands as promises, carried out in the order in which they were given. */
import { Worker } from 'node:worker_threads';
import type { Container } from '../container/index.ts';
import { KorriganError } from '../linux/index.ts';
import type { MonitorEvent } from './monitor-events.ts';
import type { MonitorCommand, MonitorCommands, MonitorMessage, MonitorWorkerData } from './husk-monitor-protocol.ts';
import { huskCgroup, spawnTemplate } from './template.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface HuskKeeperOptions {
  readonly container: Container;
  /** Lane of the container for the monitor's thread. */
  readonly lane: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  readonly recordPipe: number;
  readonly onEvent: (event: MonitorEvent) => void;
}

export class HuskKeeper implements AsyncDisposable {
  private readonly worker: Worker;
  private readonly container: Container;
  private readonly waiting = new Map<number, Waiting>();
  private sent = 0;
  private templatePid: Promise<number | undefined> = Promise.resolve(undefined);
  private currentTemplate: number | undefined;

  constructor({ container, lane, recordPipe, onEvent }: HuskKeeperOptions) {
    this.container = container;
    const { initPid, procfsPath: procfs } = container;
    const workerData: MonitorWorkerData = { initPid, procfs, huskGroup: huskCgroup(container).path, lane, recordPipe };
    this.worker = new Worker(new URL('./husk-monitor-worker.ts', import.meta.url), { workerData });
    this.worker.unref();
    this.worker.on('message', (message: MonitorMessage) => {
      if (message.kind === 'event') onEvent(message.event);
      else this.answered(message);
    });
    this.worker.on('error', (error) => {
      for (const waiting of this.waiting.values()) waiting.reject(error as Error);
      this.waiting.clear();
    });
  }

  /** @throws KorriganError as the monitor threw it */
  do<Name extends keyof MonitorCommands>(
    name: Name,
    ...args: Parameters<MonitorCommands[Name]>
  ): Promise<ReturnType<MonitorCommands[Name]>> {
    return new Promise((resolve, reject) => {
      const command: MonitorCommand = { id: ++this.sent, name, arguments: args };
      this.waiting.set(command.id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
      this.worker.postMessage(command);
    });
  }

  /** The template's pid. It is made when it is first needed, and again when somebody has killed it. Who asks meanwhile gets the same. */
  template(): Promise<number> {
    const isThere = (known: number | undefined): known is number => known !== undefined && this.container.hostPidOf(known) !== undefined;
    const found = this.templatePid.then((known) => (isThere(known) ? known : this.makeTemplate()));
    this.templatePid = found.catch(() => undefined);
    return found;
  }

  /** The template that an earlier daemon has made. */
  adoptTemplate(pid: number): void {
    this.templatePid = Promise.resolve(pid);
    this.currentTemplate = pid;
  }

  isTemplate(pid: number): boolean {
    return pid === this.currentTemplate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.ref(); // an end that is waited for keeps the daemon
    await this.worker.terminate();
  }

  private async makeTemplate(): Promise<number> {
    const { pid, hostPid } = await spawnTemplate(this.container);
    this.currentTemplate = pid;
    try {
      await this.do('becomeTemplate', pid, hostPid);
    } catch (error) {
      await this.do('discard', [pid]);
      throw error;
    }
    return pid;
  }

  private answered(message: Exclude<MonitorMessage, { kind: 'event' }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(new KorriganError(message.error.code, message.error.message, { cause: message.error.stack }));
  }
}
