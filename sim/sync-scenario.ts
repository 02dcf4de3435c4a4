/** What clients of sync do, as plain data made from a seed; the faults are those of `scenario`. Times are in milliseconds. */
import type { NodeId } from '../src/kddm/index.ts';
import { Random } from './random.ts';
import { createFault, type Fault } from './scenario.ts';
import type { ScenarioSize } from './simulation.ts';

interface Common {
  /** Before it. */
  readonly pauseMs: number;
  /** Which of the things of its kind. */
  readonly place: number;
  readonly timeoutMs: number | undefined;
  readonly holdMs: number;
  /** The program is killed so long after the step began; another one goes on with the next step. */
  readonly diesAfterMs: number | undefined;
}

export type SyncStep = Common &
  (
    | { readonly kind: 'lock'; readonly mode: 'shared' | 'exclusive'; readonly repairs: boolean }
    | { readonly kind: 'units'; readonly count: number; readonly undo: boolean }
    | { readonly kind: 'barrier' }
    /** Holds the lock of the condition variable, and waits for a signal. */
    | { readonly kind: 'wait' }
    | { readonly kind: 'signal'; readonly count: number }
    | { readonly kind: 'ids'; readonly count: number }
  );

export interface SyncClientPlan {
  readonly node: NodeId;
  readonly steps: readonly SyncStep[];
}

export interface SyncScenario {
  readonly seed: number;
  /** Members from the start: 1 to this. */
  readonly nodes: number;
  readonly clients: readonly SyncClientPlan[];
  readonly faults: readonly Fault[];
}

/** How many have to come to a barrier. */
export const PARTIES = 3;
/** The units of each semaphore. */
export const UNITS = 3;

const KINDS: readonly (readonly [number, SyncStep['kind']])[] = [
  [50, 'lock'],
  [20, 'units'],
  [12, 'barrier'],
  [7, 'wait'],
  [7, 'signal'],
  [4, 'ids'],
];

function chooseKind(random: Random): SyncStep['kind'] {
  let left = random.between(0, 99);
  for (const [weight, kind] of KINDS) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'lock';
}

function timeout(random: Random): number | undefined {
  if (random.chance(0.4)) return undefined;
  if (random.chance(0.2)) return 0;
  // Most are about as long as it takes to get a lock: who is told that it has it may have given it up just then.
  return random.chance(0.8) ? random.between(5, 80) : random.between(80, 3000);
}

function createStep(random: Random, size: ScenarioSize, pace: number): SyncStep {
  const kind = chooseKind(random);
  const common = {
    pauseMs: random.chance(0.5) ? random.between(0, 5) : random.between(0, pace),
    place: random.between(1, size.objects),
    timeoutMs: timeout(random),
    holdMs: random.chance(0.3) ? 0 : random.between(0, random.chance(0.1) ? 200 : 25),
    diesAfterMs: random.chance(0.06) ? random.between(0, 60) : undefined,
  };
  switch (kind) {
    case 'lock':
      return { ...common, kind, mode: random.chance(0.4) ? 'shared' : 'exclusive', repairs: random.chance(0.85) };
    case 'units':
      return { ...common, kind, count: random.between(1, UNITS), undo: random.chance(0.6) };
    case 'barrier':
      return { ...common, kind, timeoutMs: random.chance(0.5) ? random.between(50, 400) : random.between(400, 15_000) };
    case 'wait':
      return { ...common, kind, timeoutMs: common.timeoutMs === 0 ? 50 : common.timeoutMs };
    case 'signal':
    case 'ids':
      return { ...common, kind, count: random.between(1, 3) };
  }
}

function createClient(seed: number, index: number, size: ScenarioSize, pace: number): SyncClientPlan {
  const random = new Random(seed, 'sync-client', index);
  const node = random.between(1, size.nodes);
  const steps: SyncStep[] = [];
  let timeMs = 0;
  while (timeMs < size.durationMs) {
    const step = createStep(random, size, pace);
    steps.push(step);
    timeMs += step.pauseMs + step.holdMs + 15;
  }
  return { node, steps };
}

/** The scenario of a seed. Some have no faults: what fails there fails by itself. */
export function createSyncScenario(seed: number, size: ScenarioSize): SyncScenario {
  const random = new Random(seed, 'sync-scenario');
  const pace = random.pick([10, 40, 100]);
  const clients = Array.from({ length: random.between(3, size.nodes * 2) }, (_, index) => createClient(seed, index, size, pace));
  const joiners: NodeId[] = [];
  const count = random.chance(0.3) ? 0 : random.between(1, 1 + Math.ceil(size.durationMs / 800));
  const faults = Array.from({ length: count }, () => createFault(random, size, joiners));
  return { seed, nodes: size.nodes, clients, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}
