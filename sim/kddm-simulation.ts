/** The object manager as a simulated world: `world` with scenarios of `scenario`. */
import { type Mutation, MUTATIONS } from '../src/kddm/index.ts';
import { createScenario, type Scenario } from './scenario.ts';
import type { Explored, Outcome, Part, RunSettings, Simulation } from './simulation.ts';
import type { Totals } from './totals.ts';
import { World } from './world.ts';

export const kddmSimulation: Simulation<Scenario> = {
  name: 'kddm',
  usual: { seeds: 200, nodes: 4, objects: 3, durationMs: 1800 },
  mutations: MUTATIONS,
  create: createScenario,
  run: (scenario, settings) => Promise.resolve(runKddm(scenario, settings)),
  parts: ({ clients }) => [
    listOf('faults'),
    listOf('clients'),
    listOf('sets'),
    ...clients.map(
      (_, index): Part<Scenario> => ({
        of: (scenario) => scenario.clients[index]?.steps ?? [],
        with: (scenario, steps) => ({
          ...scenario,
          clients: scenario.clients.map((client, place) => (place === index ? { ...client, steps: steps as typeof client.steps } : client)),
        }),
      }),
    ),
  ],
  smaller: (scenario) => (scenario.nodes > 2 ? [withFewerNodes(scenario)] : []),
  describe: ({ nodes, clients, faults }) =>
    `${nodes} nodes, ${clients.length} clients, ${clients.reduce((sum, { steps }) => sum + steps.length, 0)} steps, ${faults.length} faults`,
};

export function runKddm(scenario: Scenario, { mutation, trace }: RunSettings): Outcome {
  const mutations = mutation === undefined ? undefined : new Set([mutation as Mutation]);
  const { violation, atMs, totals } = new World(scenario, { ...(mutations && { mutations }), ...(trace && { trace }) }).run();
  return { violation, atMs, explored: exploredBy(totals) };
}

function exploredBy(totals: Totals): Explored {
  const { operations, results, messages, faults, states, hits, misses, forwarded, loopBacks, outdated, lostMessages } = totals;
  return new Map([
    ['operations', operations],
    ['results', results],
    ['gets and grabs', new Map(Object.entries({ 'at once': hits, waited: misses }))],
    ['messages', messages],
    ['of them', new Map(Object.entries({ forwarded, 'came back': loopBacks, outdated, 'lost with links': lostMessages }))],
    ['faults', faults],
    ['states', states],
  ]);
}

function listOf(key: 'faults' | 'clients' | 'sets'): Part<Scenario> {
  return { of: (scenario) => scenario[key], with: (scenario, rest) => ({ ...scenario, [key]: rest }) };
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
