/** What runs did, summed up. */
import type { Statistics } from '../src/kddm/index.ts';

export interface Totals {
  readonly operations: Map<string, number>;
  readonly results: Map<string, number>;
  readonly messages: Map<string, number>;
  readonly faults: Map<string, number>;
  readonly states: Map<string, number>;
  hits: number;
  misses: number;
  forwarded: number;
  loopBacks: number;
  outdated: number;
  lostMessages: number;
  addNode(statistics: Statistics): void;
}

export function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

export function createTotals(): Totals {
  return {
    operations: new Map(),
    results: new Map(),
    messages: new Map(),
    faults: new Map(),
    states: new Map(),
    hits: 0,
    misses: 0,
    forwarded: 0,
    loopBacks: 0,
    outdated: 0,
    lostMessages: 0,
    addNode(statistics) {
      for (const [kind, times] of statistics.sent) count(this.messages, kind, times);
      for (const [state, times] of statistics.states) count(this.states, state, times);
      this.hits += statistics.hits;
      this.misses += statistics.misses;
      this.forwarded += statistics.forwarded;
      this.loopBacks += statistics.loopBacks;
      this.outdated += statistics.outdated;
    },
  };
}
