/** What happens to a cluster whose membership is simulated. Times are in milliseconds. */
import type { NodeId } from '../src/kddm/index.ts';
import { createMachineFault, type MachineFault } from './machine-faults.ts';
import { Random } from './random.ts';
import type { ScenarioSize } from './simulation.ts';

/** What a person asks for. */
export interface Wish {
  readonly atMs: number;
  /** `record`: something that is to be in the cluster's record for ever. */
  readonly kind: 'record' | 'leave' | 'join';
  /** Who asks, or whom it is about. */
  readonly node: NodeId;
}

export interface MembershipScenario {
  readonly seed: number;
  /** Members from the start: 1 to this. */
  readonly nodes: number;
  readonly faults: readonly MachineFault[];
  readonly wishes: readonly Wish[];
  /** All faults are so short, and so far from each other, that nobody may be declared dead. */
  readonly isMild: boolean;
}

/** Silence that is no death yet: 1500 less a sign of life, its way, and a bit. */
const MILD_MS = 1100;
const MILD_GAP_MS = 2500;

function mildFaults(random: Random, size: ScenarioSize): MachineFault[] {
  const faults: MachineFault[] = [];
  for (let atMs = random.between(500, 2000); atMs < size.durationMs; ) {
    const node = random.between(1, size.nodes);
    const kind = random.pick(['kill', 'pause', 'isolate', 'cut', 'split', 'pause-all'] as const);
    const forMs = kind === 'kill' || kind === 'pause-all' ? random.between(5, 9000) : random.between(5, MILD_MS);
    faults.push(kind === 'cut' ? { kind, atMs, node, other: (node % size.nodes) + 1, forMs } : { kind, atMs, node, forMs });
    atMs += forMs + MILD_GAP_MS;
  }
  return faults;
}

export function createMembershipScenario(seed: number, size: ScenarioSize): MembershipScenario {
  const random = new Random(seed, 'membership');
  const isMild = random.chance(0.25);
  const count = random.chance(0.2) ? 1 : random.between(1, 1 + Math.ceil(size.durationMs / 1500));
  const faults = isMild
    ? mildFaults(random, size)
    : Array.from({ length: count }, () => createMachineFault(random, size.nodes, size.durationMs));
  let joiners = size.nodes;
  const wishes = Array.from({ length: random.between(0, size.objects) }, (): Wish => {
    const atMs = random.between(100, size.durationMs);
    const kind = random.pick(['record', 'record', 'record', 'leave', 'join'] as const);
    return { atMs, kind, node: kind === 'join' ? ++joiners : random.between(1, size.nodes) };
  });
  const byTime = (one: { atMs: number }, other: { atMs: number }): number => one.atMs - other.atMs;
  return {
    seed,
    nodes: size.nodes,
    faults: faults.toSorted(byTime),
    wishes: wishes.toSorted(byTime),
    isMild,
  };
}
