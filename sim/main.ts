/**
 * `npm run sim -- --seed S --seeds N --nodes N --minutes M --objects N [--mutation NAME] [--trace]`: explores seeds, one after the other, and prints what it has seen. At the
 * first violation it makes the scenario smaller (not with `--trace`), prints its trace and ends with status 1; `--seed` with the same options repeats it.
 */
import { parseArgs } from 'node:util';
import { type Mutation, MUTATIONS } from '../src/kddm/index.ts';
import { type Exploration, explore } from './explore.ts';
import { shrink } from './shrink.ts';
import { World } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    nodes: { type: 'string', default: '4' },
    objects: { type: 'string', default: '3' },
    /** Of simulated time in which clients begin something, per seed. */
    minutes: { type: 'string', default: '0.03' },
    mutation: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

function isMutation(name: string): name is Mutation {
  return Object.hasOwn(MUTATIONS, name);
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([key, times]) => `${key} ${times}`)
    .join(', ');
}

function sum(counts: ReadonlyMap<string, number>): number {
  return counts.values().reduce((total, times) => total + times, 0);
}

function print({ seeds, totals, simulatedMs }: Exploration, elapsedMs: number): void {
  console.log(`${seeds} seeds, ${(simulatedMs / 60_000).toFixed(1)} minutes simulated in ${(elapsedMs / 1000).toFixed(1)} s`);
  console.log(`operations ${sum(totals.operations)}: ${list(totals.operations)}`);
  console.log(`results: ${list(totals.results)}`);
  console.log(`gets and grabs: ${totals.hits} at once, ${totals.misses} waited`);
  console.log(`messages ${sum(totals.messages)}: ${list(totals.messages)}`);
  console.log(
    `forwarded ${totals.forwarded}, came back ${totals.loopBacks}, outdated ${totals.outdated}, lost with links ${totals.lostMessages}`,
  );
  console.log(`faults ${sum(totals.faults)}: ${list(totals.faults)}`);
  console.log(`states: ${list(totals.states)}`);
}

const { mutation } = values;
if (mutation !== undefined && !isMutation(mutation)) {
  console.error(`there is no mutation ${mutation}; there are ${Object.keys(MUTATIONS).join(', ')}`);
  process.exit(2);
}
const mutations = mutation === undefined ? undefined : new Set<Mutation>([mutation]);
const size = { nodes: Number(values.nodes), objects: Number(values.objects), durationMs: Number(values.minutes) * 60_000 };
const startedMs = performance.now();
const exploration = explore(Number(values.seed), Number(values.seeds), size, mutations);
print(exploration, performance.now() - startedMs);
const { failure } = exploration;
if (failure !== undefined) {
  console.log(`\nseed ${failure.seed}: ${failure.violation}`);
  const options = mutations && { mutations };
  const { scenario, violation, runs } = shrink(failure.scenario, failure.violation, options ?? {}, values.trace ? 0 : undefined);
  const steps = scenario.clients.reduce((total, client) => total + client.steps.length, 0);
  console.log(
    `made smaller in ${runs} runs: ${scenario.nodes} nodes, ${scenario.clients.length} clients, ${steps} steps, ${scenario.faults.length} faults`,
  );
  console.log(violation);
  new World(scenario, { ...options, trace: console.log }).run();
  process.exitCode = 1;
}
