/** What a node has done, counted. */
import { HotObjects } from './hot-objects.ts';
import type { State } from './states.ts';

export interface Statistics {
  /** Objects that were given to other nodes. */
  readonly moved: HotObjects;
  /** Objects whose time to live was over. */
  expired: number;
  /** Gets and grabs that were answered at once. */
  hits: number;
  /** Gets and grabs that had to wait. */
  misses: number;
  /** Messages to other nodes, by kind. */
  readonly sent: Map<string, number>;
  /** Requests and acknowledgements that were passed on along a hint. */
  forwarded: number;
  /** Requests that came back to who made them. */
  loopBacks: number;
  /** Messages that were dropped because their epoch has ended. */
  outdated: number;
  /** Objects declared lost here. */
  lost: number;
  readonly states: Map<State, number>;
}

export function createStatistics(): Statistics {
  return {
    moved: new HotObjects(),
    expired: 0,
    hits: 0,
    misses: 0,
    sent: new Map(),
    forwarded: 0,
    loopBacks: 0,
    outdated: 0,
    lost: 0,
    states: new Map(),
  };
}

export function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
