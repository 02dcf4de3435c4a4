/** How the children of the container's pid 1 have ended: the entries of its ring, delivered to those who wait for them. */
import type { ReapedProcess, ReaperRing } from '../container/index.ts';

/** Entries that are kept in the ring after they were delivered, for a daemon that comes after this one. */
const KEPT = 1024;

export class Endings {
  private readonly ring: ReaperRing;
  private readonly listeners = new Set<(ended: ReapedProcess) => void>();
  private readonly recent: ReapedProcess[] = [];
  private cursor: number;

  constructor(ring: ReaperRing) {
    this.ring = ring;
    this.cursor = ring.acknowledged;
  }

  /** Sequence number that no ending so far has reached. To be taken before a process is started, for {@link Endings.of}. */
  get mark(): number {
    return this.ring.next;
  }

  /** Reads what is new. To be called when the reaper has signalled. */
  poll(): void {
    for (const ended of this.ring.read(this.cursor)) {
      this.cursor = ended.sequence + 1;
      this.recent.push(ended);
      for (const listener of this.listeners) listener(ended);
    }
    if (this.recent.length > KEPT) this.recent.splice(0, this.recent.length - KEPT);
    this.ring.acknowledge(Math.max(this.ring.acknowledged, this.cursor - KEPT));
  }

  /** Told of every ending from now on. Returns what takes the listener off again. */
  listen(listener: (ended: ReapedProcess) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The end of a process that was started after `mark` was taken: pids come again, sequence numbers do not. */
  of(pid: number, mark: number): Promise<ReapedProcess> {
    const isIt = (ended: ReapedProcess): boolean => ended.pid === pid && ended.sequence >= mark;
    const already = this.recent.find(isIt);
    if (already !== undefined) return Promise.resolve(already);
    return new Promise((resolve) => {
      const stop = this.listen((ended) => {
        if (!isIt(ended)) return;
        stop();
        resolve(ended);
      });
    });
  }
}
