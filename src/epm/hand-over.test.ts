/**
 * Every interleaving of the two machines with lost, doubled and delayed messages, failures, cut links and restarts of either side
 * is visited (breadth first), and two things hold everywhere: never two running copies, and once faults stop, exactly one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Effect,
  type Message,
  type SourceEvent,
  type SourceState,
  sourceMayRun,
  stepSource,
  stepTarget,
  type TargetEvent,
  type TargetState,
  targetMayRun,
} from './hand-over.ts';

interface World {
  source: SourceState;
  target: TargetState;
  /** Messages on the way, a set: order and doubling are explored by delivering any of them, any number of times. */
  toSource: Message[];
  toTarget: Message[];
}

const SOURCE_EVENTS: SourceEvent[] = [
  { kind: 'frozen' },
  { kind: 'failed' },
  { kind: 'link-lost' },
  { kind: 'restarted' },
  { kind: 'tick' },
];
const TARGET_EVENTS: TargetEvent[] = [
  { kind: 'imported' },
  { kind: 'failed' },
  { kind: 'link-lost' },
  { kind: 'restarted' },
  { kind: 'tick' },
];

/** Events that a shell produces only in some states: nothing can fail here after the decision. */
function possible(world: World, side: 'source' | 'target', kind: string): boolean {
  if (side === 'source') {
    if (kind === 'frozen') return world.source === 'preparing';
    if (kind === 'failed') return world.source === 'preparing' || world.source === 'frozen';
    return true;
  }
  // The image is complete only after the source froze; a failure after the vote is not a failure of the import.
  if (kind === 'imported') return world.target === 'preparing' && world.source !== 'preparing';
  return kind !== 'failed' || world.target === 'preparing';
}

function sent(effects: readonly Effect[], on: readonly Message[]): Message[] {
  const messages = effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));
  return [...new Set([...on, ...messages])].toSorted();
}

function onSource(world: World, event: SourceEvent): World {
  const { state, effects } = stepSource(world.source, event);
  return { ...world, source: state, toTarget: sent(effects, world.toTarget) };
}

function onTarget(world: World, event: TargetEvent): World {
  const { state, effects } = stepTarget(world.target, event);
  return { ...world, target: state, toSource: sent(effects, world.toSource) };
}

function successors(world: World): World[] {
  return [
    ...SOURCE_EVENTS.filter(({ kind }) => possible(world, 'source', kind)).map((event) => onSource(world, event)),
    ...TARGET_EVENTS.filter(({ kind }) => possible(world, 'target', kind)).map((event) => onTarget(world, event)),
    ...world.toSource.map((message) => onSource(world, { kind: 'message', message })),
    ...world.toTarget.map((message) => onTarget(world, { kind: 'message', message })),
    { ...world, toSource: [] },
    { ...world, toTarget: [] },
  ];
}

const START: World = { source: 'preparing', target: 'preparing', toSource: [], toTarget: [] };

function explore(start: World): World[] {
  const seen = new Map([[JSON.stringify(start), start]]);
  const queue = [start];
  for (let world = queue.shift(); world !== undefined; world = queue.shift()) {
    for (const next of successors(world)) {
      const key = JSON.stringify(next);
      if (seen.has(key)) continue;
      seen.set(key, next);
      queue.push(next);
    }
  }
  return [...seen.values()];
}

/** Faults stop: both ask until nothing changes. A target that still waits for its image learns that the link of the move is gone. */
function settle(world: World): World {
  let current = world;
  if (current.source === 'preparing' || current.source === 'frozen') {
    if (current.target !== 'imported') current = onSource(current, { kind: 'link-lost' });
  }
  if (current.target === 'preparing') current = onTarget(current, { kind: 'link-lost' });
  for (let round = 0; round < 10; round++) {
    current = onTarget(onSource(current, { kind: 'tick' }), { kind: 'tick' });
    for (const message of current.toSource) current = onSource({ ...current, toSource: [] }, { kind: 'message', message });
    for (const message of current.toTarget) current = onTarget({ ...current, toTarget: [] }, { kind: 'message', message });
  }
  return current;
}

test('no interleaving ever lets two copies run', () => {
  const worlds = explore(START);
  assert.deepEqual([...new Set(worlds.map((world) => world.source))].toSorted(), ['aborted', 'committed', 'done', 'frozen', 'preparing']);
  assert.deepEqual([...new Set(worlds.map((world) => world.target))].toSorted(), ['discarded', 'imported', 'preparing', 'running']);
  for (const world of worlds) assert.ok(!(sourceMayRun(world.source) && targetMayRun(world.target)), JSON.stringify(world));
});

test('once faults stop, exactly one copy runs, wherever they stopped', () => {
  for (const world of explore(START)) {
    const end = settle(world);
    const running = Number(sourceMayRun(end.source)) + Number(targetMayRun(end.target));
    assert.equal(running, 1, `${JSON.stringify(world)} ended as ${JSON.stringify(end)}`);
  }
});

test('a side that is declared dead leaves the other with the only copy', () => {
  for (const world of explore(START)) {
    const survivor = stepSource(world.source, { kind: 'peer-dead' });
    assert.ok(survivor.state === 'aborted' || survivor.state === 'done', JSON.stringify(world));
    if (world.target === 'imported') assert.equal(stepTarget(world.target, { kind: 'peer-dead' }).state, 'running');
  }
});
