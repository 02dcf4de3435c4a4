/** What happens in a run, as plain data: made from a seed, and made smaller by leaving parts of it out. Times are in milliseconds. */
import { type NodeId, type SetRecord, uniqueId, type Variant } from '../src/kddm/index.ts';
import type { SetOperationOf } from './set-actions.ts';
import { Random } from './random.ts';
import type { ScenarioSize } from './simulation.ts';

/** One action of a client. `value` is what it writes, unique in the run. */
export interface Step {
  readonly kind: 'get' | 'grab' | 'find' | 'remove' | 'flush' | 'sync' | 'of-set';
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
  /** For `of-set`. */
  readonly ofSet?: SetOperationOf;
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
  /** Sets that clients make and destroy. */
  readonly laterSets: readonly SetRecord[];
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
    { ...usual, namespace: 1, set: 16, timeToLive: 150, unknownAfterCrash: 'absent' },
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

/** Made by their first client, found, used and destroyed by others. Their names hold their ids, for the checker. */
function createLaterSets(random: Random, nodes: number): SetRecord[] {
  return Array.from({ length: random.chance(0.5) ? 0 : random.between(1, 3) }, (_, index) => {
    const set = uniqueId(random.between(1, nodes), 100 + index);
    return {
      namespace: random.between(0, 1),
      set,
      name: `set-${set}`,
      linker: 'number',
      policy: random.pick([{ kind: 'round-robin' }, { kind: 'fixed', node: random.between(1, nodes) }] as const),
      isExclusive: false,
      isFirstTouchLinked: false,
      replicas: random.between(0, 1),
      unknownAfterCrash: 'lost',
    };
  });
}

/** What a client does with whole sets, among its other steps. */
function withSetSteps(
  random: Random,
  client: Client,
  index: number,
  size: ScenarioSize,
  records: readonly SetRecord[],
  later: readonly SetRecord[],
): Client {
  const steps = [...client.steps];
  const step = (ofSet: SetOperationOf): Step => ({
    kind: 'of-set',
    pauseMs: random.between(0, 20),
    set: 0,
    object: 0,
    variant: {},
    holdMs: 0,
    value: 0,
    isRemovedFrozen: false,
    destination: 1,
    ofSet,
  });
  const insert = (ofSet: SetOperationOf, from = 0): void => {
    steps.splice(random.between(Math.min(from, steps.length), steps.length), 0, step(ofSet));
  };
  const record = random.pick(records);
  if (random.chance(0.3)) {
    const { namespace, set } = record;
    insert({
      kind: 'watch',
      namespace,
      set,
      ...(random.chance(0.5) && record.policy.kind !== 'unique-id' && { object: random.between(1, size.objects) }),
    });
  }
  if (random.chance(0.2)) {
    const to = random.between(1, size.nodes);
    insert({ kind: 'flush-set', namespace: record.namespace, set: record.set, ...(random.chance(0.7) && { destination: () => to }) });
  }
  later.forEach((made, place) => {
    const { namespace, set, name } = made;
    if (index === place) steps.splice(Math.min(place, steps.length), 0, step({ kind: 'create-set', namespace, record: made }));
    if (random.chance(0.5)) insert({ kind: 'find-set', namespace, set });
    if (random.chance(0.5) && name !== undefined) insert({ kind: 'find-name', namespace, name });
    if (random.chance(0.2)) insert({ kind: 'watch', namespace, set });
    if (random.chance(0.3)) insert({ kind: 'destroy-set', namespace, set }, Math.floor(steps.length / 2));
  });
  return { ...client, steps };
}

/** The scenario of a seed. Some have no faults: what fails there fails by itself. */
export function createScenario(seed: number, size: ScenarioSize): Scenario {
  const random = new Random(seed, 'scenario');
  const all = sets(size.nodes);
  const chosen = all.filter(() => random.chance(0.4));
  const records = chosen.length > 0 ? chosen : [random.pick(all)];
  const pace = random.pick([10, 40, 100]);
  const clientCount = random.between(2, size.nodes * 2);
  const later = createLaterSets(new Random(seed, 'later sets'), size.nodes);
  const used = [...records, ...later];
  const clients = Array.from({ length: clientCount }, (_, index) =>
    withSetSteps(new Random(seed, 'set steps', index), createClient(seed, index, size, used, pace), index, size, records, later),
  );
  const joiners: NodeId[] = [];
  const mostFaults = 1 + Math.ceil(size.durationMs / 800);
  const faultCount = random.chance(0.25) ? 0 : random.between(1, mostFaults);
  const faults = Array.from({ length: faultCount }, () => createFault(random, size, joiners));
  return { seed, nodes: size.nodes, sets: records, laterSets: later, clients, faults: faults.toSorted((a, b) => a.atMs - b.atMs) };
}

/** How long a client takes that never waits. */
export function durationMs({ steps }: Scenario['clients'][number]): number {
  return steps.reduce((sum, { pauseMs, holdMs }) => sum + pauseMs + holdMs, 0);
}

/** Of a set of the scenario. */
export function namespaceOf(scenario: Scenario, set: number): number {
  return [...scenario.sets, ...scenario.laterSets].find((record) => record.set === set)?.namespace ?? 0;
}
