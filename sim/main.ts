/**
 * `npm run sim -- [--world kddm|sync|membership|hand-over|cluster] --seed S --seeds N --nodes N --minutes M --objects N [--mutation NAME] [--trace]`: explores seeds, one after the
 * other, of one world or of each in turn, and prints what it has seen. At the first violation it makes the scenario smaller (not with `--trace`), prints its trace and
 * ends with status 1; `--seed` with the same options repeats it.
 */
import { parseArgs } from 'node:util';
import { type Exploration, explore } from './explore.ts';
import { handOverSimulation } from './hand-over-simulation.ts';
import { kddmSimulation } from './kddm-simulation.ts';
import { membershipSimulation } from './membership-simulation.ts';
import { shrink } from './shrink.ts';
import type { ScenarioSize, Simulation } from './simulation.ts';
import { syncSimulation } from './sync-simulation.ts';

const WORLDS = [kddmSimulation, syncSimulation, membershipSimulation, handOverSimulation] as unknown as readonly Simulation<unknown>[];

const { values } = parseArgs({
  options: {
    world: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    nodes: { type: 'string' },
    objects: { type: 'string' },
    /** Of simulated time in which something new begins, per seed. */
    minutes: { type: 'string' },
    mutation: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  return Number.isFinite(number) && number > 0 ? number : refuse(`"${text}" is no number above 0`);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return counts.values().reduce((total, times) => total + times, 0);
}

function print(name: string, { seeds, explored, simulatedMs }: Exploration<unknown>, elapsedMs: number): void {
  const minutes = (simulatedMs / 60_000).toFixed(1);
  console.log(`${name}: ${seeds} seeds, ${minutes} minutes simulated in ${(elapsedMs / 1000).toFixed(1)} s`);
  for (const [heading, counts] of explored) {
    const kinds = [...counts].toSorted(([, a], [, b]) => b - a).map(([kind, times]) => `${kind} ${times}`);
    console.log(`  ${heading} ${sum(counts)}: ${kinds.join(', ')}`);
  }
}

/** @returns whether nothing was found */
async function search(simulation: Simulation<unknown>): Promise<boolean> {
  const { mutation } = values;
  if (mutation !== undefined && !Object.hasOwn(simulation.mutations, mutation))
    refuse(`${simulation.name} has no mutation ${mutation}; it has ${Object.keys(simulation.mutations).join(', ')}`);
  const minutes = numberOf(values.minutes);
  const size: ScenarioSize = {
    nodes: numberOf(values.nodes) ?? simulation.usual.nodes,
    objects: numberOf(values.objects) ?? simulation.usual.objects,
    durationMs: minutes === undefined ? simulation.usual.durationMs : minutes * 60_000,
  };
  const startedMs = performance.now();
  const exploration = await explore(
    simulation,
    numberOf(values.seed) ?? 1,
    numberOf(values.seeds) ?? simulation.usual.seeds,
    size,
    mutation,
  );
  print(simulation.name, exploration, performance.now() - startedMs);
  const { failure } = exploration;
  if (failure === undefined) return true;
  console.log(`\nseed ${failure.seed}: ${failure.violation}`);
  const { scenario, violation, runs } = await shrink(
    simulation,
    failure.scenario,
    failure.violation,
    { mutation },
    values.trace ? 0 : undefined,
  );
  console.log(`made smaller in ${runs} runs: ${simulation.describe(scenario)}`);
  console.log(violation);
  await simulation.run(scenario, { mutation, trace: console.log });
  return false;
}

const chosen = WORLDS.filter(({ name }) => values.world === undefined || name === values.world);
if (chosen.length === 0) refuse(`there is no world ${values.world ?? ''}; there are ${WORLDS.map(({ name }) => name).join(', ')}`);
if (values.mutation !== undefined && chosen.length > 1) refuse('--mutation needs --world');
for (const simulation of chosen) {
  if (await search(simulation)) continue;
  process.exitCode = 1;
  break;
}
