/** `npm run sim`. */
import { createScenario } from './scenario.ts';
import { World } from './world.ts';

const seed = Number(process.argv[2] ?? 1);
const seeds = Number(process.argv[3] ?? 1);
for (let current = seed; current < seed + seeds; current++) {
  const trace = process.argv[4] === 'trace' ? console.log : undefined;
  const { violation } = new World(createScenario(current, { nodes: Number(process.env['N'] ?? 4), objects: 3, durationMs: 2000 }), {
    ...(trace && { trace }),
  }).run();
  if (violation) console.log(current, violation);
}
