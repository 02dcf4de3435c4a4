/** Sync in the simulator, over the object manager as it is: seeds without a violation, and breaks that are all found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SYNC_MUTATIONS } from '../src/sync/index.ts';
import { explore } from './explore.ts';
import { shrink } from './shrink.ts';
import { syncSimulation as sync } from './sync-simulation.ts';

const SIZE = sync.usual;

test('120 seeds with faults: exclusion, order, linearizable histories, deaths are told, and everybody gets an answer', async () => {
  const { failure, explored } = await explore(sync, 1, 120, SIZE);
  assert.equal(failure?.violation, undefined, `seed ${failure?.seed}`);
  // What is explored is worth something.
  const faults = [...(explored.get('faults')?.keys() ?? [])].toSorted();
  assert.deepEqual(faults, ['crash', 'cut', 'isolate', 'join', 'leave', 'pause', 'program killed']);
  for (const reply of ['granted', 'busy', 'timed-out', 'passed', 'signalled', 'not-signalled', 'not-recoverable', 'leaving'])
    assert.ok(explored.get('replies')?.has(reply), `nobody was told ${reply}`);
  // The search for an order is given up where too many programs died in the midst of something.
  const histories = explored.get('histories');
  assert.ok((histories?.get('undecided') ?? 0) * 100 <= (histories?.get('linearizable') ?? 0));
});

for (const mutation of Object.keys(SYNC_MUTATIONS)) {
  test(`found: ${mutation}`, async () => {
    const { failure } = await explore(sync, 1, 120, SIZE, mutation);
    assert.ok(failure, 'no seed fails');
    // It is the mutation that was found.
    assert.equal((await sync.run(failure.scenario, {})).violation, undefined);
  });
}

test('a failing seed is made smaller and fails in the same way', async () => {
  const settings = { mutation: 'reader-beside-writer' };
  const { failure } = await explore(sync, 1, 20, SIZE, settings.mutation);
  assert.ok(failure);
  const { scenario, violation } = await shrink(sync, failure.scenario, failure.violation, settings);
  const steps = scenario.clients.reduce((sum, client) => sum + client.steps.length, 0);
  assert.ok(steps <= 8, `${steps} steps`);
  assert.equal((await sync.run(scenario, settings)).violation, violation);
});
