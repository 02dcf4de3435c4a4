/** What `krg top` shows: the cluster at one moment, with rates. */
import type { NodeState, ProcessEntry } from '../../node/api/index.ts';

export interface TopNode {
  readonly name: string;
  readonly state: NodeState;
  /** What follows is null when its daemon does not answer. */
  readonly figures: NodeFigures | null;
  /** That run on it. */
  readonly processes: number;
  /** Of them, in state R. */
  readonly running: number;
}

/** Of the machine that a node runs on, but `own`. */
export interface NodeFigures {
  /** Per cent of all processors. */
  readonly cpu: number;
  /** Used by what runs in the node's container, per cent of all processors. */
  readonly own: number;
  readonly processors: number;
  readonly loadAverage: readonly [number, number, number];
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly swapUsedBytes: number;
  readonly swapTotalBytes: number;
  readonly uptimeSeconds: number;
}

export interface TopProcess extends ProcessEntry {
  /** Per cent of one processor. */
  readonly cpu: number;
  /** Resident, per cent of the memory of its node's machine. */
  readonly memory: number;
}

export interface Picture {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly cluster: string;
  /** The node that was asked. */
  readonly node: string;
  readonly nodes: readonly TopNode[];
  readonly processes: readonly TopProcess[];
}
