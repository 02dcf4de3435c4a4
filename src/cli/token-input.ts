/** Tokens are secrets: they are read from a file or from stdin, never from a command line, which everybody on the machine can see. */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { KorriganError } from '../linux/errors.ts';

/** How every token begins. */
const TOKEN = /^krg_join_/;

/** @param where the name of a file, or - for stdin @throws KorriganError KRG_USAGE */
export async function readToken(where: string): Promise<string> {
  if (TOKEN.test(where))
    throw new KorriganError(
      'KRG_USAGE',
      '--token takes the name of a file that holds the token, or - for stdin: on a command line everybody on this machine can see it; make another one (krg token)',
    );
  if (where !== '-') return fromFile(where).trim();
  if (process.stdin.isTTY) process.stderr.write('token: ');
  return (await text(process.stdin)).trim();
}

function fromFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new KorriganError('KRG_USAGE', `the token cannot be read: ${(cause as Error).message}`, { cause });
  }
}
