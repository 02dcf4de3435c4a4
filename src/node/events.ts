/** What happens on the node, for those who watch. Nothing is kept: a watcher sees what happens from then on. */
import type { ClusterEvent } from './api/types.ts';

/** Events that a slow watcher may lag behind; newer ones are dropped. */
const LAG_LIMIT = 10_000;

/** Who sees what happens: `all` nodes, each for itself, or this one, which tells the others. */
export type Witness = 'all' | 'own';

export class EventLog {
  private readonly node: string;
  private readonly watchers = new Set<(event: ClusterEvent, witness: Witness) => void>();

  constructor(node: string) {
    this.node = node;
  }

  /** @param witness `all` when every node records this by itself */
  record(kind: string, message: string, pid?: number, witness: Witness = 'own'): void {
    const event: ClusterEvent = { time: Date.now(), node: this.node, kind, message, ...(pid === undefined ? {} : { pid }) };
    for (const watcher of this.watchers) watcher(event, witness);
  }

  /** Told of every event from now on. Returns what takes the watcher off again. */
  watch(watcher: (event: ClusterEvent, witness: Witness) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Events of this node from now on, until `abort`. @param witness only those that this node alone has seen */
  async *follow(abort: AbortSignal, witness: Witness = 'all'): AsyncGenerator<ClusterEvent> {
    const queue = new EventQueue(abort);
    const stop = this.watch((event, seenBy) => {
      if (witness === 'all' || seenBy === 'own') queue.push(event);
    });
    try {
      yield* queue.drain();
    } finally {
      stop();
    }
  }
}

/** Events on their way to one watcher. */
export class EventQueue {
  private readonly abort: AbortSignal;
  private readonly events: ClusterEvent[] = [];
  private failure: { readonly error: unknown } | undefined;
  private wake: () => void = () => undefined;

  constructor(abort: AbortSignal) {
    this.abort = abort;
  }

  push(event: ClusterEvent): void {
    if (this.events.length < LAG_LIMIT) this.events.push(event);
    this.wake();
  }

  /** Ends {@link EventQueue.drain} with an error. */
  fail(error: unknown): void {
    this.failure = { error };
    this.wake();
  }

  /** What comes, until `abort`. */
  async *drain(): AsyncGenerator<ClusterEvent> {
    const onAbort = (): void => this.wake();
    this.abort.addEventListener('abort', onAbort);
    try {
      while (!this.abort.aborted) {
        yield* this.events.splice(0);
        if (this.failure !== undefined) throw this.failure.error;
        if (this.events.length > 0 || this.abort.aborted) continue;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      this.abort.removeEventListener('abort', onAbort);
    }
  }
}
