import { isKorriganError, KorriganError, toKorriganError } from '../../linux/errors.ts';
import type { NodeClient, Reniced } from '../../node/api/index.ts';
import { reportFailure } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { parsePid } from '../pids.ts';
import { uidOf } from '../process-filters.ts';

export interface ReniceOptions extends CommonOptions {
  readonly priority?: string;
  readonly relative?: string;
  readonly pgrp?: boolean;
  readonly user?: boolean;
}

export interface ReniceOrder {
  /** The new nice value, or what is added to the one that each process has. */
  readonly change: { readonly nice: number } | { readonly by: number };
  readonly words: readonly string[];
}

const LIMIT = 40;

/** Reads `[-n] PRIORITY PID…` as renice(1) does. @throws KorriganError KRG_USAGE */
export function parseReniceWords(words: readonly string[], options: ReniceOptions): ReniceOrder {
  const rest = words.filter((word) => word !== '-p' && word !== '--pid');
  const { relative } = options;
  if (relative !== undefined && options.priority !== undefined)
    throw new KorriganError('KRG_USAGE', 'renice: --priority and --relative exclude each other');
  const priority = relative ?? options.priority ?? rest.shift() ?? '';
  if (rest.length === 0) throw new KorriganError('KRG_USAGE', 'renice: name at least one process: krg renice [-n] PRIORITY PID…');
  const value = niceValue(priority);
  return { change: relative === undefined ? { nice: value } : { by: value }, words: rest };
}

/** @throws KorriganError KRG_USAGE */
export function niceValue(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(value) > LIMIT)
    throw new KorriganError('KRG_USAGE', `"${text}" is no nice value: -20 goes first, 0 is usual, 19 goes last`);
  return value;
}

/** Goes on when one fails, and then ends with the exit status of the first failure. */
export async function renice(words: readonly string[], options: ReniceOptions): Promise<number> {
  const order = parseReniceWords(words, options);
  const client = nodeClient(options);
  const results: (Reniced | { pid: number; error: unknown })[] = [];
  let status = 0;
  for (const pid of await targets(client, order.words, options)) {
    try {
      const reniced = await client.renice({ pid, ...order.change });
      results.push(reniced);
      if (options.json !== true)
        process.stdout.write(`${pid} (process ID) on ${reniced.node}: old priority ${reniced.before}, new priority ${reniced.after}\n`);
    } catch (error) {
      const shown = reportFailure(named(error), options.json === true);
      if (status === 0) status = shown;
      results.push({ pid, error: toKorriganError(error).toJSON() });
    }
  }
  if (options.json === true) printJson(results);
  return status;
}

/** With the name that Linux has for it. */
function named(error: unknown): unknown {
  if (!isKorriganError(error, 'KRG_NO_SUCH_PROCESS') || error.message.includes('ESRCH')) return error;
  return new KorriganError(error.code, `${error.message} (ESRCH)`);
}

/** @throws KorriganError KRG_NO_SUCH_PROCESS when a group or a user has none */
async function targets(client: NodeClient, words: readonly string[], options: ReniceOptions): Promise<number[]> {
  if (options.pgrp !== true && options.user !== true) return words.map(parsePid);
  const all = await client.processes();
  return words.flatMap((word) => {
    const wanted = options.user === true ? uidOf(word) : parsePid(word);
    const found = all.filter(({ uid, processGroup }) => (options.user === true ? uid : processGroup) === wanted);
    const what = options.user === true ? `process of user ${word}` : `process group ${word}`;
    if (found.length === 0) throw new KorriganError('KRG_NO_SUCH_PROCESS', `the cluster has no ${what} (krg ps lists them) (ESRCH)`);
    return found.map(({ pid }) => pid);
  });
}
