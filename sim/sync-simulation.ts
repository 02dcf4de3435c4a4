/** Sync as a simulated world: `sync-world` with scenarios of `sync-scenario`. */
import { SYNC_MUTATIONS } from '../src/sync/index.ts';
import { type Part, part, type Simulation } from './simulation.ts';
import { createSyncScenario, type SyncScenario } from './sync-scenario.ts';
import { SyncWorld } from './sync-world.ts';

export const syncSimulation: Simulation<SyncScenario> = {
  name: 'sync',
  usual: { seeds: 200, nodes: 4, objects: 2, durationMs: 1500 },
  mutations: SYNC_MUTATIONS,
  create: createSyncScenario,
  run: (scenario, settings) => Promise.resolve(new SyncWorld(scenario, settings).run()),
  parts: ({ clients }) => [
    part('faults'),
    part('clients'),
    ...clients.map(
      (_, index): Part<SyncScenario> => ({
        of: (scenario) => scenario.clients[index]?.steps ?? [],
        with: (scenario, steps) => ({
          ...scenario,
          clients: scenario.clients.map((client, place) => (place === index ? { ...client, steps: steps as typeof client.steps } : client)),
        }),
      }),
    ),
  ],
  describe: ({ nodes, clients, faults }) =>
    `${nodes} nodes, ${clients.length} clients, ${clients.reduce((sum, { steps }) => sum + steps.length, 0)} steps, ${faults.length} faults`,
};
