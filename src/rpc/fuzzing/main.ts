/** npm run fuzz: bytes of a peer that means harm, a million by default. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CORPUS, explore } from './campaign.ts';
import { receive } from './receiver.ts';

const LONGEST_LINE = 2000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    inputs: { type: 'string', default: '1000000' },
    /** Adds to the corpus the first input for each end that a link came to. */
    keep: { type: 'boolean', default: false },
    /** One input in hexadecimal. */
    replay: { type: 'string' },
  },
});

if (values.replay === undefined) await run(Number(values.seed), Number(values.inputs));
else console.log(receive(Buffer.from(values.replay, 'hex')));

async function run(seed: number, count: number): Promise<void> {
  const started = performance.now();
  let next = 0;
  const { inputs, ways, finding } = await explore(seed, count, (done, found) => {
    if (done < next) return;
    next += 100_000;
    console.error(`${done} inputs, ${found} ways`);
  });
  const seconds = (performance.now() - started) / 1000;
  console.log(`seed ${seed}: ${inputs} inputs in ${seconds.toFixed(0)} s, ${ways.size} ways through the code`);
  if (finding !== undefined) {
    add([`# found by seed ${seed}: ${finding.problem.split('\n', 1)[0]}`, finding.input.toString('hex')]);
    console.error(`${finding.problem}\nnpm run fuzz -- --replay ${finding.input.toString('hex')}`);
    process.exitCode = 1;
  } else if (values.keep) {
    const kept = new Set(readFileSync(CORPUS, 'latin1').split('\n'));
    const ends = new Map([...ways].toReversed().map(([way, input]) => [way.replaceAll(/[<>]\d+ /g, ''), input.toString('hex')]));
    add([...ends.values()].filter((line) => !kept.has(line) && line.length <= LONGEST_LINE));
  }
}

function add(lines: readonly string[]): void {
  writeFileSync(CORPUS, lines.map((line) => `${line}\n`).join(''), { flag: 'a' });
}
