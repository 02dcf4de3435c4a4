import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';

/** Revokes all certificates of a node. */
export async function revoke(node: string, options: CommonOptions): Promise<number> {
  const answer = await nodeClient(options).revoke(node);
  if (options.json === true) printJson(answer);
  else process.stdout.write(`the certificates of node ${answer.id} are revoked\n`);
  return 0;
}
