/** The hand-over of moving processes in the simulator: seeds without a violation, and breaks of the protocol that are all found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './explore.ts';
import { HAND_OVER_MUTATIONS, type HandOverMutation } from './hand-over-mutations.ts';
import { handOverSimulation as handOver } from './hand-over-simulation.ts';
import { shrink } from './shrink.ts';

const SMALL = { nodes: 3, objects: 3, durationMs: 5000 };

test('200 seeds with faults: never two copies run, none is given up that could run, exactly one runs in the end', async () => {
  const { failure, explored } = await explore(handOver, 1, 200, SMALL);
  assert.equal(failure?.violation, undefined, `seed ${failure?.seed}`);
  const moves = ['aborted', 'moved', 'not prepared', 'target: arrived', 'target: given up', 'target: undecided', 'unconfirmed'];
  assert.deepEqual([...(explored.get('moves')?.keys() ?? [])].toSorted(), moves);
});

test('seed 2563: a source gives a move up, its process moves elsewhere, it dies, and the first target still has a copy', async () => {
  const { failure } = await explore(handOver, 2563, 1, handOver.usual);
  assert.equal(failure?.violation, undefined);
});

test('a seed replays bit for bit', async () => {
  const traceOf = async (): Promise<string[]> => {
    const lines: string[] = [];
    await handOver.run(handOver.create(7, SMALL), { trace: (line) => lines.push(line) });
    return lines;
  };
  const first = await traceOf();
  assert.ok(first.length > 100);
  assert.deepEqual(await traceOf(), first);
});

test('a failing seed is made smaller and fails in the same way', async () => {
  const mutation: HandOverMutation = 'run-before-decision';
  const { failure } = await explore(handOver, 1, 20, SMALL, mutation);
  assert.ok(failure);
  const { scenario, violation } = await shrink(handOver, failure.scenario, failure.violation, { mutation });
  assert.ok(scenario.faults.length + scenario.moves.length <= 3, handOver.describe(scenario));
  assert.equal((await handOver.run(scenario, { mutation })).violation, violation);
  assert.equal((await handOver.run(scenario, {})).violation, undefined);
});

for (const mutation of Object.keys(HAND_OVER_MUTATIONS)) {
  test(`found: ${mutation}`, async () => {
    const { failure } = await explore(handOver, 1, 100, SMALL, mutation);
    assert.ok(failure, 'no seed fails');
    // It is the mutation that was found.
    assert.equal((await handOver.run(failure.scenario, {})).violation, undefined);
  });
}
