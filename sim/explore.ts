/** Runs one seed after the other. */
import { Counts, type Explored, type ScenarioSize, type Simulation } from './simulation.ts';

export interface Exploration<Scenario> {
  readonly seeds: number;
  readonly explored: Explored;
  /** In simulated time. */
  readonly simulatedMs: number;
  /** The first one; nothing is explored after it. */
  readonly failure: { readonly seed: number; readonly scenario: Scenario; readonly violation: string } | undefined;
}

export async function explore<Scenario>(
  simulation: Simulation<Scenario>,
  first: number,
  seeds: number,
  size: ScenarioSize,
  mutation?: string,
): Promise<Exploration<Scenario>> {
  const counts = new Counts();
  const { explored } = counts;
  let simulatedMs = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const scenario = simulation.create(seed, size);
    const { violation, atMs, explored: seen } = await simulation.run(scenario, { mutation });
    counts.addAll(seen);
    simulatedMs += atMs;
    if (violation !== undefined) return { seeds: seed - first + 1, explored, simulatedMs, failure: { seed, scenario, violation } };
  }
  return { seeds, explored, simulatedMs, failure: undefined };
}
