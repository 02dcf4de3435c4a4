/** hotplug in the simulator: seeds without a violation, and breaks of the protocol that are all found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './explore.ts';
import { MEMBERSHIP_MUTATIONS, type MembershipMutation } from './membership-mutations.ts';
import { membershipSimulation as membership } from './membership-simulation.ts';
import { shrink } from './shrink.ts';

const SMALL = { nodes: 5, objects: 6, durationMs: 8000 };

test('150 seeds with faults: one history, deaths by a majority only, no false ones, none overlooked, and everything settles', async () => {
  const { failure, explored } = await explore(membership, 1, 150, SMALL);
  assert.equal(failure?.violation, undefined, `seed ${failure?.seed}`);
  const faults = ['cut', 'fenced', 'isolate', 'kill', 'pause', 'pause-all', 'power-off', 'split'];
  assert.deepEqual([...(explored.get('faults')?.keys() ?? [])].toSorted(), faults);
});

test('a seed replays bit for bit', async () => {
  const traceOf = async (): Promise<string[]> => {
    const lines: string[] = [];
    await membership.run(membership.create(7, SMALL), { trace: (line) => lines.push(line) });
    return lines;
  };
  const first = await traceOf();
  assert.ok(first.length > 100);
  assert.deepEqual(await traceOf(), first);
});

test('a failing seed is made smaller and fails in the same way', async () => {
  const mutation: MembershipMutation = 'not-fenced';
  const { failure } = await explore(membership, 1, 20, SMALL, mutation);
  assert.ok(failure);
  const { scenario, violation } = await shrink(membership, failure.scenario, failure.violation, { mutation });
  assert.ok(scenario.faults.length + scenario.wishes.length <= 3, membership.describe(scenario));
  assert.equal((await membership.run(scenario, { mutation })).violation, violation);
  assert.equal((await membership.run(scenario, {})).violation, undefined);
});

for (const mutation of Object.keys(MEMBERSHIP_MUTATIONS)) {
  test(`found: ${mutation}`, async () => {
    const { failure } = await explore(membership, 1, 400, membership.usual, mutation);
    assert.ok(failure, 'no seed fails');
    // It is the mutation that was found.
    assert.equal((await membership.run(failure.scenario, {})).violation, undefined);
  });
}
