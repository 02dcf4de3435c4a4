/** Processes that are moved while machines fail. Times are in milliseconds. */
import type { NodeId } from '../src/kddm/index.ts';
import { createMachineFault, type MachineFault } from './machine-faults.ts';
import { Random } from './random.ts';
import type { ScenarioSize } from './simulation.ts';

export interface Move {
  readonly atMs: number;
  readonly pid: number;
  readonly target: NodeId;
  /** What goes wrong by itself: on either side before the decision, or with their connection. */
  readonly trouble?: 'source-fails' | 'target-fails' | 'connection-lost' | undefined;
  /** The connection is lost so long after the move began. */
  readonly troubleMs: number;
}

export interface HandOverScenario {
  readonly seed: number;
  readonly nodes: number;
  /** Processes 1 to this, one after the other on the nodes. */
  readonly processes: number;
  readonly moves: readonly Move[];
  readonly faults: readonly MachineFault[];
}

export function createHandOverScenario(seed: number, { nodes, objects, durationMs }: ScenarioSize): HandOverScenario {
  const random = new Random(seed, 'hand-over');
  const count = random.chance(0.1) ? 0 : random.between(1, 1 + Math.ceil(durationMs / 2500));
  const moves = Array.from({ length: objects * Math.ceil(durationMs / 500) }, (): Move => {
    const trouble = random.chance(0.2) ? random.pick(['source-fails', 'target-fails', 'connection-lost'] as const) : undefined;
    const atMs = random.between(0, durationMs);
    return { atMs, pid: random.between(1, objects), target: random.between(1, nodes), trouble, troubleMs: random.between(0, 150) };
  });
  // Many faults come while something moves.
  const faults = Array.from({ length: count }, () => {
    const fault = createMachineFault(random, nodes, durationMs);
    const near = random.chance(0.7) ? random.pick(moves) : undefined;
    return near === undefined
      ? fault
      : { ...fault, atMs: near.atMs + random.between(0, 150), ...(random.chance(0.7) && { node: near.target }) };
  });
  const byTime = (one: { atMs: number }, other: { atMs: number }): number => one.atMs - other.atMs;
  return { seed, nodes, processes: objects, moves: moves.toSorted(byTime), faults: faults.toSorted(byTime) };
}
