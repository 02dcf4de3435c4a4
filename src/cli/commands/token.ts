import { KorriganError } from '../../linux/errors.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';

export interface TokenOptions extends CommonOptions {
  readonly seconds: string;
}

/** Prints the token alone on stdout, and what it is for on stderr. */
export async function token(options: TokenOptions): Promise<number> {
  const seconds = Number(options.seconds);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new KorriganError('KRG_USAGE', `--seconds takes a number from 1, not "${options.seconds}"`);
  const answer = await nodeClient(options).token(seconds);
  if (options.json === true) {
    printJson(answer);
    return 0;
  }
  process.stdout.write(`${answer.token}\n`);
  const until = new Date(answer.expires).toISOString();
  process.stderr.write(`for node ${answer.id}, at ${answer.address}; good once, until ${until}; whoever has it can become this node\n`);
  return 0;
}
