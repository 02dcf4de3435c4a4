import type { KddmEvent, KddmNode, NodeId, Result } from '../src/kddm/index.ts';

/** A place for a node, and the one that is there now. */
export interface Slot {
  readonly id: NodeId;
  node: KddmNode | undefined;
  leaseUntilMs: number;
  isPaused: boolean;
  /** Not a member any more, and does not know it yet. */
  isZombie: boolean;
  /** What came while it was paused. */
  readonly inbox: KddmEvent[];
  readonly results: Map<number, (result: Result) => void>;
}

export function createSlot(id: NodeId): Slot {
  return { id, node: undefined, leaseUntilMs: 0, isPaused: false, isZombie: false, inbox: [], results: new Map() };
}
