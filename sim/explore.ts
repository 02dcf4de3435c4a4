/** Runs one seed after the other. */
import type { Mutation } from '../src/kddm/index.ts';
import { createScenario, type Scenario, type ScenarioSize } from './scenario.ts';
import { addTotals, createTotals, type Totals } from './totals.ts';
import { World } from './world.ts';

export interface Exploration {
  readonly seeds: number;
  readonly totals: Totals;
  /** In simulated time. */
  readonly simulatedMs: number;
  /** The first one; nothing is explored after it. */
  readonly failure: { readonly seed: number; readonly scenario: Scenario; readonly violation: string } | undefined;
}

export function explore(first: number, seeds: number, size: ScenarioSize, mutations?: ReadonlySet<Mutation>): Exploration {
  const totals = createTotals();
  let simulatedMs = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const scenario = createScenario(seed, size);
    const result = new World(scenario, mutations && { mutations }).run();
    addTotals(totals, result.totals);
    simulatedMs += result.atMs;
    const { violation } = result;
    if (violation !== undefined) return { seeds: seed - first + 1, totals, simulatedMs, failure: { seed, scenario, violation } };
  }
  return { seeds, totals, simulatedMs, failure: undefined };
}
