import { Transform } from 'node:stream';
import type { Duplex } from 'node:stream';
import type { AttachedProcess, RunRequest } from '../../node/api/index.ts';
import { ESCAPE_HELP, ESCAPE_START, escapeKeys } from '../escape-keys.ts';
import { clusterName } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { terminalSize } from '../terminal.ts';
import { reportRunFailure, runAttached } from './run.ts';

export interface ShellOptions extends CommonOptions {
  readonly node?: string;
  readonly tty?: boolean;
}

/** What a login shell gets of the user's environment, as ssh(1) sends it; all else it makes itself. */
const KEPT = /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ|COLORTERM|NO_COLOR|TERM)$/;

/** A login shell on a node, with this terminal; its exit status is the shell's. @param words arguments for the shell */
export async function shell(words: readonly string[], options: ShellOptions): Promise<number> {
  try {
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
    const withTerminal = options.tty ?? (isTerminal && words.length === 0);
    const request = shellRequest(words, options, process.env, withTerminal);
    return await runAttached(request, options, withTerminal && process.stdin.isTTY ? keysFor : undefined);
  } catch (error) {
    return reportRunFailure(error, options.json === true);
  }
}

export function shellRequest(
  words: readonly string[],
  options: ShellOptions,
  environment: Readonly<Record<string, string | undefined>>,
  withTerminal: boolean,
): RunRequest {
  const kept = Object.entries(environment).filter((entry): entry is [string, string] => KEPT.test(entry[0]) && entry[1] !== undefined);
  return {
    login: true,
    arguments: ['shell', ...words],
    environment: { ...Object.fromEntries(kept), KRG_CLUSTER: clusterName(options) },
    workingDirectory: '/',
    umask: process.umask(),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(withTerminal ? { terminal: { ...terminalSize(), type: environment['TERM'] ?? 'dumb' } } : {}),
  };
}

/** What is typed, less what is for krg itself. */
function keysFor(attached: AttachedProcess): Duplex {
  let state = ESCAPE_START;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const result = escapeKeys(state, chunk);
      ({ state } = result);
      for (const order of result.orders) {
        if (order === 'help') process.stderr.write(`\r\n${ESCAPE_HELP.join('\r\n')}\r\n`);
        else attached.close();
      }
      done(null, result.passed);
    },
  });
}
