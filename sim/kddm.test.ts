/** kddm in the simulator: seeds without a violation, and breaks of the protocol that are all found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Mutation, MUTATIONS } from '../src/kddm/index.ts';
import { explore } from './explore.ts';
import { kddmSimulation as kddm } from './kddm-simulation.ts';
import { createScenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { World } from './world.ts';

const SMALL = { nodes: 4, objects: 2, durationMs: 1200 };

test('200 seeds with faults: one writer, the last value, no loss but a declared one, and everything settles', async () => {
  const { failure, explored } = await explore(kddm, 1, 200, SMALL);
  assert.equal(failure?.violation, undefined, `seed ${failure?.seed}`);
  // What is explored is worth something: every fault and every state occurred.
  assert.deepEqual([...(explored.get('faults')?.keys() ?? [])].toSorted(), ['crash', 'cut', 'isolate', 'join', 'leave', 'pause']);
  assert.equal(explored.get('states')?.size, 15);
});

test('a seed replays bit for bit', () => {
  const traceOf = (): string[] => {
    const lines: string[] = [];
    new World(createScenario(11, SMALL), { trace: (line) => lines.push(line) }).run();
    return lines;
  };
  const first = traceOf();
  assert.ok(first.length > 100);
  assert.deepEqual(traceOf(), first);
});

test('a failing seed is made smaller and fails in the same way', async () => {
  const mutation: Mutation = 'invalidation-ignored';
  const { failure } = await explore(kddm, 1, 20, SMALL, mutation);
  assert.ok(failure);
  const { scenario, violation } = await shrink(kddm, failure.scenario, failure.violation, { mutation });
  const steps = scenario.clients.reduce((sum, client) => sum + client.steps.length, 0);
  assert.ok(steps <= 10, `${steps} steps`);
  assert.equal((await kddm.run(scenario, { mutation })).violation, violation);
  assert.equal(new World(scenario).run().violation, undefined);
});

/** Rare: looked for where they are found. */
const FIRST_SEEDS: Readonly<Record<string, number>> = { 'given-up-answered': 495 };
/** Within how many seeds each is found, rounded up. */
const SEEDS = 250;
/** Races that need many nodes at one object, to be found by more seeds. */
const RARE: ReadonlySet<string> = new Set<Mutation>(['copy-serial-ignored', 'copy-in-flight-ignored']);

for (const mutation of Object.keys(MUTATIONS) as Mutation[]) {
  test(`found: ${mutation}`, async () => {
    const { failure } = RARE.has(mutation)
      ? await explore(kddm, 1, 3 * SEEDS, { nodes: 5, objects: 1, durationMs: 1000 }, mutation)
      : await explore(kddm, FIRST_SEEDS[mutation] ?? 1, SEEDS, SMALL, mutation);
    assert.ok(failure, 'no seed fails');
    // It is the mutation that was found.
    assert.equal(new World(failure.scenario).run().violation, undefined);
  });
}
