/** Which processes are meant, by what options of `krg ps` and `krg tree` say. */
import { KorriganError } from '../linux/errors.ts';
import type { ProcessEntry } from '../node/api/index.ts';
import { programName } from './process-columns.ts';
import { userId } from './users.ts';

export interface FilterOptions {
  /** Users by name or number, with commas between them. */
  readonly user?: string;
  /** Names of programs. */
  readonly command?: string;
  /** Terminals, such as pts/3. */
  readonly tty?: string;
  /** Letters of states. */
  readonly state?: string;
}

/** @param nodes names; all when there are none @throws KorriganError KRG_USAGE when a user does not exist */
export function processFilter(options: FilterOptions, nodes: readonly string[] = []): (entry: ProcessEntry) => boolean {
  const users = wordsOf(options.user)?.map(uidOf);
  const commands = wordsOf(options.command);
  const terminals = wordsOf(options.tty)?.map((word) => word.replace(/^\/dev\//, ''));
  const states = options.state?.replaceAll(',', '');
  return (entry) =>
    (nodes.length === 0 || nodes.includes(entry.node)) &&
    (users === undefined || users.includes(entry.uid)) &&
    (commands === undefined || commands.includes(programName(entry))) &&
    (terminals === undefined || (entry.terminal !== null && terminals.includes(entry.terminal))) &&
    (states === undefined || states.includes(entry.state));
}

/** @throws KorriganError KRG_USAGE */
export function uidOf(user: string): number {
  const uid = userId(user);
  if (uid === undefined) throw new KorriganError('KRG_USAGE', `this machine has no user "${user}"; name one, or give a number`);
  return uid;
}

function wordsOf(text: string | undefined): string[] | undefined {
  return text?.split(',').filter(Boolean);
}
