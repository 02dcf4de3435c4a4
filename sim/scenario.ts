/** What happens in a run, as plain data: made from a seed, and made smaller by leaving parts of it out. Times are in milliseconds. */
import { type NodeId, type SetRecord, uniqueId, type Variant } from '../src/kddm/index.ts';
import { Random } from './random.ts';
import type { ScenarioSize } from './simulation.ts';

/** One action of a client. `value` is what it writes, unique in the run. */
export interface Step {
  readonly kind: 'get' | 'grab' | 'find' | 'remove' | 'flush' | 'sync';
  /** Before it. */
  readonly pauseMs: number;
  readonly set: number;
  readonly object: number;
  readonly variant: Variant;
  /** How long what it got is held. */
  readonly holdMs: number;
  readonly value: number;
  /** After a grab: removed instead of put. */
  readonly isRemovedFrozen: boolean;
  readonly destination: NodeId;
}

/** Does its steps one after the other. */
export interface Client {
  readonly node: NodeId;
  readonly steps: readonly Step[];
}

export type Fault =
  /** Comes back, with nothing, some time after it was removed from the membership. */
  | { readonly kind: 'crash'; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  | { readonly kind: 'pause'; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  /** One link loses everything. */
  | { readonly kind: 'cut'; readonly atMs: number; readonly node: NodeId; readonly other: NodeId; readonly forMs: number }
  /** All links of a node do. */
  | { readonly kind: 'isolate'; readonly atMs: number; readonly node: NodeId; readonly forMs: number }
  | { readonly kind: 'leave'; readonly atMs: number; readonly node: NodeId }
  /** Of a node that was no member from the start. */
  | { readonly kind: 'join'; readonly atMs: number; readonly node: NodeId };

export interface Scenario {
  readonly seed: number;
  /** Members from the start: 1 to this. */
  readonly nodes: number;
  readonly sets: readonly SetRecord[];
  readonly clients: readonly Client[];
  readonly faults: readonly Fault[];
}

const NAMESPACE = 0;

/** The sets of which a scenario has some. */
function sets(nodes: number): readonly SetRecord[] {
  const usual = {
    namespace: NAMESPACE,
    linker: 'number',
    policy: { kind: 'round-robin' },
    isExclusive: false,
    isFirstTouchLinked: false,
    replicas: 0,
    unknownAfterCrash: 'lost',
  } as const;
  return [
    { ...usual, set: 10, name: 'plain' },
    { ...usual, set: uniqueId(2, 1), isExclusive: true, policy: { kind: 'unique-id' } },
    { ...usual, set: 12, linker: 'slow', isFirstTouchLinked: true, policy: { kind: 'fixed', node: nodes } },
    { ...usual, set: 13, replicas: 1 },
    { ...usual, set: uniqueId(1, 2), replicas: 2, policy: { kind: 'custom' } },
    { ...usual, set: 15, linker: 'slow', unknownAfterCrash: 'absent' },
  ];
}

/** Kinds of actions, by how often they happen. */
const KINDS: readonly (readonly [number, Step['kind']])[] = [
  [40, 'get'],
  [35, 'grab'],
  [3, 'find'],
  [9, 'remove'],
  [12, 'flush'],
  [1, 'sync'],
];

function variantOf(random: Random, kind: Step['kind']): Variant {
  if (kind !== 'get' && kind !== 'grab') return {};
  const isGrab = kind === 'grab';
  const manualFirstTouch = isGrab && random.chance(0.04);
  return {
    ...(random.chance(0.05) && !manualFirstTouch && { async: true }),
    ...(random.chance(0.08) && { noFirstTouch: true }),
    ...(manualFirstTouch && { manualFirstTouch }),
    ...(random.chance(0.08) && !isGrab && { noLock: true }),
    ...(random.chance(0.1) && isGrab && { tryGrab: true }),
    ...(random.chance(0.05) && isGrab && { copyOnWrite: true }),
  };
}

function chooseKind(random: Random): Step['kind'] {
  let left = random.between(0, 99);
  for (const [weight, kind] of KINDS) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'get';
}

function createClient(seed: number, index: number, size: ScenarioSize, records: readonly SetRecord[], pace: number): Client {
  const random = new Random(seed, 'client', index);
  const node = random.between(1, size.nodes);
  const steps: Step[] = [];
  let timeMs = 0;
  while (timeMs < size.durationMs) {
    const pauseMs = random.chance(0.5) ? random.between(0, 5) : random.between(0, pace);
    const kind = chooseKind(random);
    const record = random.pick(records);
    const holdMs = random.chance(0.4) ? 0 : random.between(0, random.chance(0.1) ? 200 : 15);
    const place = random.between(1, size.objects);
    const object = record.policy.kind === 'unique-id' ? uniqueId((place % size.nodes) + 1, place) : place;
    steps.push({
      kind,
      pauseMs,
      set: record.set,
      object,
      variant: variantOf(random, kind),
      holdMs,
      value: (index + 1) * 10_000 + steps.length,
      isRemovedFrozen: random.chance(0.05),
      destination: random.between(1, size.nodes),
    });
    timeMs += pauseMs + holdMs + 8;
  }
  return { node, steps };
}

/** @param joiners nodes that join; this may add one */
export function createFault(random: Random, size: ScenarioSize, joiners: NodeId[]): Fault {
  const node = random.between(1, size.nodes);
  const other = (node % size.nodes) + 1;
  const atMs = random.between(50, size.durationMs);
  const forMs = random.chance(0.5) ? random.between(5, 250) : random.between(250, 2500);
  const kind = random.pick(['crash', 'crash', 'pause', 'cut', 'cut', 'isolate', 'leave', 'join'] as const);
  switch (kind) {
    case 'crash':
    case 'pause':
    case 'isolate':
      return { kind, atMs, node, forMs };
    case 'cut':
      return { kind, atMs, node, other, forMs };
    case 'leave':
      return { kind, atMs, node };
    case 'join':
      joiners.push(size.nodes + joiners.length + 1);
      return { kind, atMs, node: size.nodes + joiners.length };
  }
}

/** The scenario of a seed. Some have no faults: what fails there fails by itself. */
export function createScenario(seed: number, size: ScenarioSize): Scenario {
  const random = new Random(seed, 'scenario');
  const all = sets(size.nodes);
  const chosen = all.filter(() => random.chance(0.4));
  const records = chosen.length > 0 ? chosen : [random.pick(all)];
  const pace = random.pick([10, 40, 100]);
  const clientCount = random.between(2, size.nodes * 2);
  const clients = Array.from({ length: clientCount }, (_, index) => createClient(seed, index, size, records, pace));
  const joiners: NodeId[] = [];
  const mostFaults = 1 + Math.ceil(size.durationMs / 800);
  const faultCount = random.chance(0.25) ? 0 : random.between(1, mostFaults);
  const faults = Array.from({ length: faultCount }, () => createFault(random, size, joiners));
  return { seed, nodes: size.nodes, sets: records, clients, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}
