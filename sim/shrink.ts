/** Makes a failing scenario smaller by leaving parts of it out, as long as it fails in the same way. */
import type { Scenario } from './scenario.ts';
import { type RunOptions, World } from './world.ts';

/** What kind of violation it is: numbers and nodes differ from run to run. */
function kindOf(violation: string): string {
  return violation
    .replaceAll(/[0-9]+/g, '#')
    .replace(/: .*/s, '')
    .slice(0, 25);
}

export interface Shrunk {
  readonly scenario: Scenario;
  readonly violation: string;
  readonly runs: number;
}

/** @param mostRuns bounds the work @returns the smallest scenario that was found, with its violation */
export function shrink(scenario: Scenario, violation: string, options: RunOptions, mostRuns = 600): Shrunk {
  const kind = kindOf(violation);
  let best: Shrunk = { scenario, violation, runs: 0 };
  let runs = 0;
  const attempt = (candidate: Scenario): boolean => {
    if (runs >= mostRuns) return false;
    runs++;
    const found = new World(candidate, options).run().violation;
    if (found === undefined || kindOf(found) !== kind) return false;
    best = { scenario: candidate, violation: found, runs };
    return true;
  };
  let before: Scenario | undefined;
  while (before !== best.scenario) {
    before = best.scenario;
    leaveOut(
      () => best.scenario.faults,
      (faults) => attempt({ ...best.scenario, faults }),
    );
    leaveOut(
      () => best.scenario.clients,
      (clients) => attempt({ ...best.scenario, clients }),
    );
    leaveOut(
      () => best.scenario.sets,
      (sets) => attempt({ ...best.scenario, sets }),
    );
    for (let index = 0; index < best.scenario.clients.length; index++) {
      leaveOut(
        () => best.scenario.clients[index]?.steps ?? [],
        (steps) =>
          attempt({
            ...best.scenario,
            clients: best.scenario.clients.map((client, place) => (place === index ? { ...client, steps } : client)),
          }),
      );
    }
    if (best.scenario.nodes > 2) attempt(withFewerNodes(best.scenario));
  }
  return { ...best, runs };
}

/** Leaves out halves, quarters … of a list, then single items. */
function leaveOut<Item>(current: () => readonly Item[], attempt: (rest: readonly Item[]) => boolean): void {
  for (let size = Math.ceil(current().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < current().length; ) {
      const rest = [...current().slice(0, start), ...current().slice(start + size)];
      if (!attempt(rest)) start += size;
    }
  }
}

/** What named the last node names the first one. */
function withFewerNodes(scenario: Scenario): Scenario {
  const nodes = scenario.nodes - 1;
  const keep = (node: number): number => (node === scenario.nodes ? 1 : node);
  return {
    ...scenario,
    nodes,
    clients: scenario.clients.map((client) => ({
      node: keep(client.node),
      steps: client.steps.map((step) => ({ ...step, destination: keep(step.destination) })),
    })),
    faults: scenario.faults.map((fault) =>
      fault.kind === 'cut' ? { ...fault, node: keep(fault.node), other: keep(fault.other) } : { ...fault, node: keep(fault.node) },
    ),
  };
}
