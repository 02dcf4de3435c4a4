/** What is moved, how often, and the bars that docs/performance.md holds it against. */
import { buildProgram } from '../test/support/programs.ts';

export interface BenchCase {
  /** Its name for `--case`. */
  readonly name: string;
  readonly title: string;
  /** Shell command; `result` is a file whose first eight bytes are the longest gap on the program's clock so far, in ns. */
  readonly command: (result: string) => Promise<string>;
  /** The program writes its longest gap to the result file. */
  readonly seesGap: boolean;
  readonly withTree: boolean;
  /** Moves before those that count: the engine's code is compiled by then, as in a daemon that has been up for a while. */
  readonly warmUp: number;
  /** Moves that are measured. */
  readonly moves: number;
  /** Milliseconds, where there is a bar. */
  readonly bar: { readonly downtime?: number; readonly total?: number };
}

const NAP_MICROSECONDS = 100;

/** `gap` with so much memory, so many threads and files. */
function gap(memory = 0, threads = 1, files = 0): BenchCase['command'] {
  return async (result) => `exec ${await buildProgram('gap')} ${NAP_MICROSECONDS} ${result} ${memory} ${threads} ${files}`;
}

function dirty(memory: number, pagesPerSecond: number): BenchCase['command'] {
  return async (result) => `exec ${await buildProgram('dirty')} ${memory} ${pagesPerSecond} ${result}`;
}

const PYTHON = `import mmap, struct, sys, time
file = open(sys.argv[1], "r+b")
result = mmap.mmap(file.fileno(), 4096)
print("ready", flush=True)
before = time.clock_gettime_ns(time.CLOCK_REALTIME)
while True:
    time.sleep(0.0005)
    now = time.clock_gettime_ns(time.CLOCK_REALTIME)
    if now - before > struct.unpack_from("q", result)[0]: struct.pack_into("q", result, 0, now - before)
    before = now
`;

/** The monotonic clock is read because Node has no finer view of the real-time clock; between these nodes both run alike. */
const NODE = `const { openSync, readSync, writeSync } = require("node:fs");
const file = openSync(process.argv[1], "r+");
const longest = new BigInt64Array(1);
console.log("ready");
let before = process.hrtime.bigint();
setInterval(() => {
  const now = process.hrtime.bigint();
  readSync(file, longest, 0, 8, 0);
  if (now - before > longest[0]) { longest[0] = now - before; writeSync(file, longest, 0, 8, 0); }
  before = now;
}, 1);
`;

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

export const CASES: readonly BenchCase[] = [
  {
    name: 'small',
    title: 'small process',
    command: gap(),
    seesGap: true,
    withTree: false,
    warmUp: 10,
    moves: 40,
    bar: { downtime: 3, total: 15 },
  },
  { name: 'threads', title: '16 threads', command: gap(0, 16), seesGap: true, withTree: false, warmUp: 4, moves: 20, bar: { downtime: 6 } },
  {
    name: 'files',
    title: '200 open files',
    command: gap(0, 1, 200),
    seesGap: true,
    withTree: false,
    warmUp: 4,
    moves: 20,
    bar: { downtime: 5 },
  },
  {
    name: 'tree',
    title: 'tree of 20',
    command: async () => `exec ${await buildProgram('fork-tree')} 20 20`,
    seesGap: false,
    withTree: true,
    warmUp: 4,
    moves: 20,
    bar: { downtime: 25 },
  },
  {
    name: 'python3',
    title: 'python3',
    command: async (result) => `exec python3 -c ${quoted(PYTHON)} ${result}`,
    seesGap: true,
    withTree: false,
    warmUp: 4,
    moves: 20,
    bar: { downtime: 10 },
  },
  {
    name: 'node',
    title: 'node',
    // Debian's; newer versions open an io_uring at their start, which cannot move.
    command: async (result) => `exec /usr/bin/node -e ${quoted(NODE)} ${result}`,
    seesGap: true,
    withTree: false,
    warmUp: 4,
    moves: 12,
    bar: { downtime: 10 },
  },
  ...[64, 512, 1024].flatMap((memory): BenchCase[] => {
    const size = memory === 1024 ? '1 GiB' : `${memory} MiB`;
    const common = { seesGap: true, withTree: false, warmUp: 2, moves: memory === 1024 ? 4 : 6 };
    return [
      { name: `${memory}-idle`, title: `${size} idle`, command: gap(memory), bar: memory === 1024 ? { downtime: 8 } : {}, ...common },
      ...[5000, 50_000].map((rate) => ({
        name: `${memory}-${rate}`,
        title: `${size}, ${rate.toLocaleString('en')} pages/s`,
        command: dirty(memory, rate),
        bar: memory === 512 && rate === 5000 ? { downtime: 10 } : {},
        ...common,
      })),
    ];
  }),
];
