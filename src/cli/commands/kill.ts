import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { reportFailure } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { parsePid } from '../pids.ts';
import { parseSignal, SIGNAL_NAMES } from '../signals.ts';

const SIGTERM = 15;

export type KillRequest =
  | { readonly kind: 'list' }
  | { readonly kind: 'send'; readonly signal: number; readonly targets: readonly number[] };

/** Reads `[-s SIGNAL | -SIGNAL] PID…` as kill(1) does; a target below zero is a process group. @throws KorriganError KRG_USAGE */
export function parseKillWords(words: readonly string[]): KillRequest {
  const rest = [...words];
  let signal = SIGTERM;
  const first = rest[0] ?? '';
  if (first === '-l' || first === '-L') return { kind: 'list' };
  if (first === '-s' || first === '-n' || first === '--signal') {
    signal = parseSignal(rest[1] ?? '');
    rest.splice(0, 2);
  } else if (/^-(?:\d+|[A-Za-z].*)$/.test(first)) {
    signal = parseSignal(first.slice(1));
    rest.shift();
  }
  if (rest[0] === '--') rest.shift();
  const targets = rest.map((word) => (word.startsWith('-') ? -parsePid(word.slice(1)) : parsePid(word)));
  if (targets.length === 0) throw new KorriganError('KRG_USAGE', 'kill: name at least one process: krg kill [-s SIGNAL] PID…');
  return { kind: 'send', signal, targets };
}

/**
 * Gives a `--` back that stands before all words: commander takes it away, and a group after it would be read as a signal.
 * @param raw all words of the command line
 */
export function withSeparator(words: readonly string[], raw: readonly string[]): readonly string[] {
  const at = raw.indexOf('--');
  return at >= 0 && raw.length - at - 1 === words.length ? ['--', ...words] : words;
}

/** Sends a signal to each target; goes on when one fails, and then ends with the exit status of the first failure. */
export async function kill(words: readonly string[], options: CommonOptions): Promise<number> {
  const request = parseKillWords(words);
  if (request.kind === 'list') {
    for (const [number, name] of SIGNAL_NAMES) process.stdout.write(`${String(number).padStart(2)} ${name}\n`);
    return 0;
  }
  const client = nodeClient(options);
  const results: { pid: number; error?: unknown }[] = [];
  let status = 0;
  for (const pid of request.targets) {
    try {
      await client.kill(pid, request.signal);
      results.push({ pid });
    } catch (error) {
      const shown = reportFailure(error, options.json === true);
      if (status === 0) status = shown;
      results.push({ pid, error: toKorriganError(error).toJSON() });
    }
  }
  if (options.json === true) printJson(results);
  return status;
}
