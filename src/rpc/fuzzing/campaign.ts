/** A run of the fuzzer: inputs are made from those that found a way of their own, and what breaks a rule is made small. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstInputs, mutate, randomOf } from './mutations.ts';
import { receive, unsettled } from './receiver.ts';

export const CORPUS = join(import.meta.dirname, 'corpus.txt');
/** Ways that are remembered; the later ones differ little. */
const WAYS = 4000;
/** Promises are given a turn after so many inputs. */
const BATCH = 256;
/** An input takes some tens of microseconds. */
export const SLOW_MILLISECONDS = 2000;

/** The kept inputs, one a line in hexadecimal; lines that begin with # say what they are. */
export function readCorpus(): Buffer[] {
  return readFileSync(CORPUS, 'latin1')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Buffer.from(line, 'hex'));
}

/** What broke a rule. */
export interface Finding {
  readonly input: Buffer;
  readonly problem: string;
}

export interface Campaign {
  readonly inputs: number;
  /** Those that found a way which none before had found. */
  readonly ways: ReadonlyMap<string, Buffer>;
  readonly finding: Finding | undefined;
}

/** @returns what is wrong with an input, or the way it took */
function tryInput(input: Buffer): { way: string } | Finding {
  const started = performance.now();
  try {
    const way = receive(input);
    const took = performance.now() - started;
    return took < SLOW_MILLISECONDS ? { way } : { input, problem: `it took ${took.toFixed(0)} ms` };
  } catch (error) {
    return { input, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Runs the corpus, then `count` inputs made of it; ends at the first finding. */
export async function explore(
  seed: number,
  count: number,
  told: (inputs: number, ways: number) => void = () => undefined,
): Promise<Campaign> {
  const random = randomOf(seed);
  const ways = new Map<string, Buffer>();
  const first = [...firstInputs(), ...readCorpus()];
  const pool = [...first];
  const batch: Buffer[] = [];
  unsettled.count = 0;
  let inputs = 0;
  for (; inputs < first.length + count; inputs++) {
    const input = first[inputs] ?? mutate(pool[Math.floor(random() * pool.length)] as Buffer, pool, random);
    const result = tryInput(input);
    if ('problem' in result) return { inputs, ways, finding: { ...result, input: shrink(result.input) } };
    if (ways.size < WAYS && !ways.has(result.way)) {
      ways.set(result.way, input);
      pool.push(input);
    }
    batch.push(input);
    if (batch.length === BATCH || inputs + 1 === first.length + count) {
      if (!(await haveAllEnded())) return { inputs, ways, finding: await findEndless(batch) };
      batch.length = 0;
      told(inputs, ways.size);
    }
  }
  return { inputs, ways, finding: undefined };
}

/** Promises have had their turn: is every call and stream that this end had started over? */
async function haveAllEnded(): Promise<boolean> {
  await new Promise((resolve) => setImmediate(resolve));
  return unsettled.count === 0;
}

async function findEndless(batch: readonly Buffer[]): Promise<Finding> {
  const isEndless = async (input: Buffer): Promise<boolean> => {
    unsettled.count = 0;
    return 'problem' in tryInput(input) || !(await haveAllEnded());
  };
  const problem = 'a call or a stream of a link that is closed has no end';
  for (const input of batch) if (await isEndless(input)) return { input, problem };
  return { input: Buffer.concat(batch), problem: `${problem}; no input alone leads to that` };
}

/** The smallest input found that still breaks a rule. */
function shrink(input: Buffer): Buffer {
  let smallest = input;
  for (let size = smallest.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= smallest.length; ) {
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if ('problem' in tryInput(shorter)) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}
