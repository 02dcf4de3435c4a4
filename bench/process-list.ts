/** `ps aux` in a cluster against `ps aux` of the machine, which has the same processes: both read /proc, one of three nodes, the other of one kernel. */
import { execFileSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { eventually, startTestCluster, type TestCluster } from '../test/support/cluster.ts';
import { summarize, type Summary } from './statistics.ts';

export const PROCESS_LIST = { name: 'ps', title: '`ps aux` of 1,000 processes on 3 nodes' } as const;

const NODES = 3;
const PROCESSES = 1000;
const SAMPLES = 15;
const WARM_UP = 3;

/** Prints how long each run took, in ms, and how many lines the last one had. */
const MEASURE = `import subprocess, sys, time
for n in range(int(sys.argv[1])):
    start = time.monotonic()
    lines = subprocess.run(["ps", "aux"], stdout=subprocess.PIPE).stdout.count(b"\\n")
    print((time.monotonic() - start) * 1000, lines)
`;

export interface ProcessListMeasurement {
  /** Milliseconds of one \`ps aux\`, and the lines that it printed. */
  readonly cluster: Summary & { readonly lines: number };
  readonly native: Summary & { readonly lines: number };
}

export async function measureProcessList(): Promise<ProcessListMeasurement> {
  process.stderr.write(`${PROCESS_LIST.title} …\n`);
  await using cluster = await startTestCluster('bench-ps');
  const each = Math.ceil(PROCESSES / NODES);
  const script = `'i=1; while [ $i -lt ${each} ]; do sleep 1000000 & i=$((i + 1)); done; wait'`;
  await Promise.all(Array.from({ length: NODES }, (_, n) => cluster.start(`sh -c ${script}`, '/dev/null', {}, n + 1)));
  const samples = [String(WARM_UP + SAMPLES)];
  await eventually('all processes', async () => (await inside(cluster, ['1'])).lines >= PROCESSES);
  // Turn by turn would be fairer, but starting a program in a container is not what is measured.
  const native = parse(execFileSync('python3', ['-c', MEASURE, ...samples], { encoding: 'utf8' }));
  return { cluster: await inside(cluster, samples), native };
}

async function inside(cluster: TestCluster, samples: readonly string[]): Promise<ProcessListMeasurement['cluster']> {
  const program = await cluster.attach(['python3', '-c', MEASURE, ...samples]);
  program.stdin.end();
  return parse(await text(program.stdout));
}

function parse(printed: string): ProcessListMeasurement['cluster'] {
  const rows = printed
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const times = rows.map(([time = 0]) => time);
  return { ...summarize(times.length > WARM_UP ? times.slice(WARM_UP) : times), lines: rows.at(-1)?.[1] ?? 0 };
}

export function formatProcessList({ cluster, native }: ProcessListMeasurement): string {
  const row = ({ median, minimum, lines }: ProcessListMeasurement['cluster']): string =>
    `${median.toFixed(0)} ms (least ${minimum.toFixed(0)}), ${lines} lines`;
  const ratio = cluster.median / cluster.lines / (native.median / native.lines);
  return `${PROCESS_LIST.title}: ${row(cluster)}; natively: ${row(native)}; ${ratio.toFixed(2)}x for each process`;
}
