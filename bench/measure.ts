/** Moves one program back and forth between the two nodes and notes what each move took. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCase } from './cases.ts';
import type { BenchCluster } from './cluster.ts';
import { summarize, type Summary } from './statistics.ts';
import { measureTcpCopies } from './tcp-floor.ts';

/** Times in milliseconds. */
export interface Measurement {
  readonly name: string;
  readonly title: string;
  /** The longest gap that the program itself saw around a move; undefined for programs that do not look. */
  readonly seen: Summary | undefined;
  /** From the first thread's stop to the last thread's start, as the engine reports it. */
  readonly freeze: Summary;
  /** What the caller of the move waited. */
  readonly total: Summary;
  readonly bytes: Summary;
  readonly preCopyRounds: Summary;
  /** Steps of the freeze, medians in milliseconds. */
  readonly phases: Readonly<Record<string, number>>;
  /** A raw TCP copy of as many bytes. */
  readonly tcp: Summary;
  readonly bar: BenchCase['bar'];
  /** The first move ever of this program, in milliseconds. */
  readonly first: { readonly freeze: number; readonly total: number };
}

const SETTLE_MILLISECONDS = 40;
const READY_MILLISECONDS = 20_000;
const END_MILLISECONDS = 10_000;
const COPIES = 5;
const MICROSECONDS = 1000;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Move {
  seen: number;
  freeze: number;
  total: number;
  bytes: number;
  rounds: number;
  phases: Record<string, number>;
}

/** The file in which a program keeps its longest gap. */
class GapFile implements Disposable {
  readonly path: string;
  private readonly fd: number;
  private readonly word = new BigInt64Array(1);

  constructor(path: string) {
    writeFileSync(path, new Uint8Array(4096));
    this.path = path;
    this.fd = openSync(path, 'r+');
  }

  reset(): void {
    this.word[0] = 0n;
    writeSync(this.fd, this.word, 0, 8, 0);
  }

  get milliseconds(): number {
    readSync(this.fd, this.word, 0, 8, 0);
    return Number(this.word[0] ?? 0n) / 1e6;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

async function wait(what: string, milliseconds: number, question: () => boolean): Promise<void> {
  for (const deadline = performance.now() + milliseconds; !question(); await pause(10)) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${milliseconds / 1000} s`);
  }
}

/** @throws Error when the program finds a fault in itself after the moves */
export async function measure(cluster: BenchCluster, bench: BenchCase): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-bench-'));
  const output = join(directory, 'output');
  using gap = new GapFile(join(directory, 'gap'));
  try {
    const pid = await cluster.node(1).ask('start', await bench.command(gap.path), output);
    const printed = (): string => readFileSync(output, 'utf8');
    await wait(`"ready" of ${bench.title}`, READY_MILLISECONDS, () => printed().startsWith('ready'));
    const moves: Move[] = [];
    let from = 1;
    for (let n = 0; n < bench.warmUp + bench.moves; n++) {
      moves.push(await move(cluster, pid, from, bench, gap));
      from = 3 - from;
    }
    await end(cluster, from, pid, bench, printed);
    return await summary(bench, moves);
  } finally {
    await cluster.endAll();
    rmSync(directory, { recursive: true });
  }
}

async function move(cluster: BenchCluster, pid: number, from: number, bench: BenchCase, gap: GapFile): Promise<Move> {
  gap.reset();
  await pause(SETTLE_MILLISECONDS);
  const report = await cluster.node(from).ask('migrate', pid, 3 - from, bench.withTree);
  await pause(SETTLE_MILLISECONDS);
  return {
    seen: gap.milliseconds,
    freeze: report.downtimeMicroseconds / MICROSECONDS,
    total: report.milliseconds,
    bytes: report.bytes,
    rounds: report.preCopyRounds,
    phases: report.phases,
  };
}

/** The C programs check all they hold when they are told to stop. */
async function end(cluster: BenchCluster, at: number, pid: number, bench: BenchCase, printed: () => string): Promise<void> {
  await cluster.node(at).ask('signal', pid, 'SIGTERM');
  if (bench.name === 'python3' || bench.name === 'node') return;
  await wait(`the end of ${bench.title}`, END_MILLISECONDS, () => /^(pass|FAIL)/m.test(printed()));
  if (!/^pass/m.test(printed())) throw new Error(`${bench.title}: ${printed()}`);
}

async function summary(bench: BenchCase, moves: readonly Move[]): Promise<Measurement> {
  const counted = moves.slice(bench.warmUp);
  const of = (value: (each: Move) => number): Summary => summarize(counted.map(value));
  const bytes = of((each) => each.bytes);
  const steps = Object.keys(counted[0]?.phases ?? {});
  return {
    name: bench.name,
    title: bench.title,
    seen: bench.seesGap ? of((each) => each.seen) : undefined,
    freeze: of((each) => each.freeze),
    total: of((each) => each.total),
    bytes,
    preCopyRounds: of((each) => each.rounds),
    phases: Object.fromEntries(steps.map((step) => [step, of((each) => (each.phases[step] ?? 0) / MICROSECONDS).median])),
    tcp: summarize(await measureTcpCopies(bytes.median, COPIES)),
    bar: bench.bar,
    first: { freeze: moves[0]?.freeze ?? 0, total: moves[0]?.total ?? 0 },
  };
}
