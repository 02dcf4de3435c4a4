/**
 * Tells the main thread when a descriptor is ready. Libuv only waits for what it may read itself, so a worker waits in epoll; what is to
 * be waited for is said to the kernel directly.
 */
import { Worker } from 'node:worker_threads';
import { createEventfd, EPOLL, Epoll, signalEventfd, syscall } from '../linux/index.ts';

export type Ready = readonly (readonly [fd: number, events: number])[];

export class Readiness implements AsyncDisposable {
  private readonly epoll = new Epoll();
  private readonly bell = createEventfd();
  private readonly worker: Worker;
  private readonly exited: Promise<void>;
  private readonly waiters = new Map<number, (events: number) => void>();
  private readonly known = new Set<number>();

  constructor() {
    this.epoll.add(this.bell, EPOLL.in);
    this.worker = new Worker(new URL('./readiness-worker.ts', import.meta.url), { workerData: { epoll: this.epoll.fd, bell: this.bell } });
    this.worker.unref();
    this.worker.on('message', (ready: Ready) => {
      for (const [fd, events] of ready) {
        const waiter = this.waiters.get(fd);
        this.waiters.delete(fd);
        waiter?.(events);
      }
    });
    this.exited = new Promise((resolve) => this.worker.once('exit', () => resolve()));
  }

  /** Calls back once when one of the events (EPOLL bits) is there; an error or a hang-up always counts. Replaces an earlier wait for it. */
  wait(fd: number, events: number, callback: (events: number) => void): void {
    this.waiters.set(fd, callback);
    if (this.known.has(fd)) {
      this.epoll.modify(fd, events | EPOLL.once);
    } else {
      this.known.add(fd);
      this.epoll.add(fd, events | EPOLL.once);
    }
  }

  /** Closes a descriptor of this process that may have been waited for. */
  close(fd: number): void {
    this.waiters.delete(fd);
    if (this.known.delete(fd)) this.epoll.remove(fd);
    syscall('close', fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.ref(); // an end that is waited for keeps the daemon
    signalEventfd(this.bell);
    await this.exited;
    this.epoll[Symbol.dispose]();
    syscall('close', this.bell);
  }
}
