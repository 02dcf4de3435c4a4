/** The hand-over of processes that move, as a simulated world. */
import { HAND_OVER_MUTATIONS } from './hand-over-mutations.ts';
import { createHandOverScenario, type HandOverScenario } from './hand-over-scenario.ts';
import { HandOverWorld } from './hand-over-world.ts';
import { part, type Simulation } from './simulation.ts';

export const handOverSimulation: Simulation<HandOverScenario> = {
  name: 'hand-over',
  usual: { seeds: 100, nodes: 3, objects: 3, durationMs: 6000 },
  mutations: HAND_OVER_MUTATIONS,
  create: createHandOverScenario,
  run: (scenario, settings) => new HandOverWorld(scenario, settings).run(),
  parts: () => [part('faults'), part('moves')],
  smaller: (scenario) => {
    const nodes = scenario.nodes - 1;
    const fits = nodes >= 2 && scenario.faults.every(({ node }) => node <= nodes) && scenario.moves.every(({ target }) => target <= nodes);
    return fits ? [{ ...scenario, nodes }] : [];
  },
  describe: ({ nodes, faults, moves }) => `${nodes} nodes, ${faults.length} faults, ${moves.length} moves`,
};
