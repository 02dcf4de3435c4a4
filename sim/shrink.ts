/** Makes a failing scenario smaller by leaving parts of it out, as long as it fails in the same way. */
import type { Part, RunSettings, Simulation } from './simulation.ts';

/** What kind of violation it is: numbers and nodes differ from run to run. */
function kindOf(violation: string): string {
  return violation
    .replaceAll(/[0-9]+/g, '#')
    .replace(/: .*/s, '')
    .slice(0, 25);
}

export interface Shrunk<Scenario> {
  readonly scenario: Scenario;
  readonly violation: string;
  readonly runs: number;
}

/** @param mostRuns bounds the work @returns the smallest scenario that was found, with its violation */
export async function shrink<Scenario>(
  simulation: Simulation<Scenario>,
  scenario: Scenario,
  violation: string,
  settings: RunSettings,
  mostRuns = 600,
): Promise<Shrunk<Scenario>> {
  const kind = kindOf(violation);
  let best: Shrunk<Scenario> = { scenario, violation, runs: 0 };
  let runs = 0;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    if (runs >= mostRuns) return false;
    runs++;
    const found = (await simulation.run(candidate, settings)).violation;
    if (found === undefined || kindOf(found) !== kind) return false;
    best = { scenario: candidate, violation: found, runs };
    return true;
  };
  const leaveOut = async (part: Part<Scenario>): Promise<void> => {
    const list = (): readonly unknown[] => part.of(best.scenario);
    // Halves, quarters … of the list, then single items.
    for (let size = Math.ceil(list().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < list().length; ) {
        const rest = [...list().slice(0, start), ...list().slice(start + size)];
        if (!(await attempt(part.with(best.scenario, rest)))) start += size;
      }
    }
  };
  let before: Scenario | undefined;
  while (before !== best.scenario) {
    before = best.scenario;
    // One that is left out changes which parts there are.
    for (let index = 0; ; index++) {
      const part = simulation.parts(best.scenario)[index];
      if (part === undefined) break;
      await leaveOut(part);
    }
    for (const candidate of simulation.smaller?.(best.scenario) ?? []) if (await attempt(candidate)) break;
  }
  return { ...best, runs };
}
