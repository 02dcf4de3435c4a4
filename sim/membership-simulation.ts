/** The membership as a simulated world. */
import { MEMBERSHIP_MUTATIONS } from './membership-mutations.ts';
import { createMembershipScenario, type MembershipScenario } from './membership-scenario.ts';
import { MembershipWorld } from './membership-world.ts';
import { part, type Simulation } from './simulation.ts';

export const membershipSimulation: Simulation<MembershipScenario> = {
  name: 'membership',
  usual: { seeds: 100, nodes: 5, objects: 6, durationMs: 12_000 },
  mutations: MEMBERSHIP_MUTATIONS,
  create: createMembershipScenario,
  run: (scenario, settings) => new MembershipWorld(scenario, settings).run(),
  parts: () => [part('faults'), part('wishes')],
  smaller: (scenario) => {
    const nodes = scenario.nodes - 1;
    const remain = [...scenario.faults, ...scenario.wishes].every(({ node }) => node <= nodes);
    return nodes >= 2 && remain ? [{ ...scenario, nodes }] : [];
  },
  describe: ({ nodes, faults, wishes }) => `${nodes} nodes, ${faults.length} faults, ${wishes.length} wishes`,
};
