import { errorKind, KorriganError } from '../../linux/errors.ts';
import type { MigrationProgress, MigrationResult } from '../../node/api/index.ts';
import { reportFailure } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatBytes, formatMicroseconds, printJson } from '../output.ts';
import { parsePid } from '../pids.ts';
import { withProgress } from '../progress.ts';

export interface MigrateOptions extends CommonOptions {
  readonly tree?: boolean;
}

/** Moves processes to a node. Ends with the exit status of the first that failed; the others are moved all the same. */
export async function migrate(words: readonly string[], options: MigrateOptions): Promise<number> {
  const node = words.at(-1);
  if (node === undefined || words.length < 2)
    throw new KorriganError('KRG_USAGE', 'migrate: name processes and the node they go to: krg migrate PID… NODE');
  const pids = words.slice(0, -1).map(parsePid);
  const results = await withProgress(`moving ${pids.join(', ')} to ${node}`, (progress) =>
    nodeClient(options).migrate({ pids, node, tree: options.tree === true }, (sign) => progress.update(describeProgress(sign, node))),
  );
  if (options.json === true) printJson(results);
  else for (const result of results) printResult(result);
  const failed = results.find((result) => result.outcome === 'failed');
  return failed === undefined ? 0 : errorKind(failed.error.code).exit;
}

export function describeProgress({ pid, phase, round, bytes }: MigrationProgress, node: string): string {
  const details = [phase, ...(round === undefined ? [] : [`round ${round}`]), ...(bytes === undefined ? [] : [formatBytes(bytes)])];
  return `moving ${pid} to ${node}: ${details.join(', ')}`;
}

/** One line for what became of one pid. */
export function describeResult(result: Exclude<MigrationResult, { readonly outcome: 'failed' }>): string {
  if (result.outcome === 'already-there') return `${result.pid} is on ${result.to} already`;
  const others = result.moved.length > 1 ? ` with ${result.moved.length - 1} more` : '';
  const rounds = result.rounds > 0 ? ` in ${result.rounds} ${result.rounds === 1 ? 'round' : 'rounds'}` : '';
  const times = `stopped for ${formatMicroseconds(result.downtimeMicroseconds)} of ${formatMicroseconds(result.totalMicroseconds)}`;
  return `${result.pid}${others} moved from ${result.from} to ${result.to}: ${times}, ${formatBytes(result.bytes)}${rounds}`;
}

function printResult(result: MigrationResult): void {
  if (result.outcome === 'failed') reportFailure(KorriganError.fromJSON(result.error), false);
  else process.stdout.write(`${describeResult(result)}\n`);
}
