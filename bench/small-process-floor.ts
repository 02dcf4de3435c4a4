/** The floor of the small process: {@link measureSystemCallFloor} on it, and one exchange of its bytes over TCP. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASES } from './cases.ts';
import type { BenchCluster } from './cluster.ts';
import { summarize } from './statistics.ts';
import { measureTcpCopies } from './tcp-floor.ts';

/** Bytes of a small process that travel. */
const BYTES = 150 << 10;
const COPIES = 50;

/** Medians in microseconds, by step, and their sum. */
export async function measureSmallProcessFloor(cluster: BenchCluster): Promise<Record<string, number> & { sum: number }> {
  const small = CASES.find(({ name }) => name === 'small');
  if (small === undefined) throw new Error('the small process is one of the cases');
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-bench-'));
  try {
    const output = join(directory, 'output');
    const pid = await cluster.node(1).ask('start', await small.command(join(directory, 'gap')), output);
    while (!readFileSync(output, 'utf8').startsWith('ready')) await new Promise((resolve) => setTimeout(resolve, 10));
    const { sum, ...steps } = await cluster.node(1).ask('systemCallFloor', pid);
    const tcp = summarize(await measureTcpCopies(BYTES, COPIES)).median * 1000;
    return { ...steps, 'TCP copy and answer': tcp, sum: sum + tcp };
  } finally {
    await cluster.endAll();
    rmSync(directory, { recursive: true });
  }
}
