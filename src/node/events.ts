/** What happens on the node, for those who watch. Nothing is kept: a watcher sees what happens from then on. */
import type { ClusterEvent } from './api/types.ts';

/** Events that a slow watcher may lag behind; older ones are dropped. */
const LAG_LIMIT = 10_000;

export class EventLog {
  private readonly node: string;
  private readonly watchers = new Set<(event: ClusterEvent) => void>();

  constructor(node: string) {
    this.node = node;
  }

  record(kind: string, message: string, pid?: number): void {
    const event: ClusterEvent = { time: Date.now(), node: this.node, kind, message, ...(pid === undefined ? {} : { pid }) };
    for (const watcher of this.watchers) watcher(event);
  }

  /** Events from now on, until `abort`. */
  async *follow(abort: AbortSignal): AsyncGenerator<ClusterEvent> {
    const queue: ClusterEvent[] = [];
    let wake: () => void = () => undefined;
    const watcher = (event: ClusterEvent): void => {
      if (queue.length < LAG_LIMIT) queue.push(event);
      wake();
    };
    const onAbort = (): void => wake();
    this.watchers.add(watcher);
    abort.addEventListener('abort', onAbort);
    try {
      while (!abort.aborted) {
        yield* queue.splice(0);
        if (queue.length === 0 && !abort.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.watchers.delete(watcher);
      abort.removeEventListener('abort', onAbort);
    }
  }
}
