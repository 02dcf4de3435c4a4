import type { Command } from 'commander';
import { KorriganError } from '../../linux/errors.ts';
import { runningClusters } from '../../node/api/index.ts';
import { completeWords } from '../completion-candidates.ts';
import { COMPLETION_SCRIPTS } from '../completion-scripts.ts';
import { describedCluster, nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printable } from '../output.ts';
import { userList } from '../users.ts';

/** Prints the script that makes a shell complete `krg`. */
export function completion(shell: string): number {
  const script = Object.hasOwn(COMPLETION_SCRIPTS, shell) ? COMPLETION_SCRIPTS[shell] : undefined;
  if (script === undefined) throw new KorriganError('KRG_USAGE', `there is no completion for "${shell}"; there is for bash, zsh and fish`);
  process.stdout.write(script);
  return 0;
}

/** Prints candidates for the last of `words`. A cluster that does not answer has none: that ends the command, and the shell shows nothing. */
export async function complete(program: Command, words: readonly string[]): Promise<number> {
  const options: CommonOptions = { ...valueOf(words, 'cluster'), ...valueOf(words, 'at') };
  const found = await completeWords(program, words, {
    nodes: () => Promise.resolve(describedCluster(options).nodes.map((node) => ({ value: node.name, description: node.address }))),
    pids: async () => {
      const processes = await nodeClient(options).processes();
      return processes.map(({ pid, node, command }) => ({ value: String(pid), description: `${node} ${printable(command).slice(0, 60)}` }));
    },
    clusters: () => runningClusters().map((value) => ({ value, description: '' })),
    users: () => userList().map(({ name, uid }) => ({ value: name, description: `uid ${uid}` })),
  });
  if (found === 'files') process.stdout.write(':files\n');
  else for (const { value, description } of found) process.stdout.write(`${value}\t${description}\n`);
  return 0;
}

/** The value that an option has among the words before the cursor. */
function valueOf(words: readonly string[], name: 'cluster' | 'at'): CommonOptions {
  const index = words.slice(0, -2).indexOf(`--${name}`);
  const value = index < 0 ? undefined : words[index + 1];
  return value === undefined ? {} : { [name]: value };
}
