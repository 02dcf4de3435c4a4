/** What changes who takes part: `krg add`, `krg drain`, `krg leave`, and `krg start` and `krg stop` for the nodes of this machine. */
import { KorriganError } from '../../linux/errors.ts';
import { type DrainProgress, type DrainResult, NodeClient } from '../../node/api/index.ts';
import { parseDuration } from '../durations.ts';
import { reportFailure } from '../failure.ts';
import { clusterName, describedCluster, nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printable, printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';

export interface DrainOptions extends CommonOptions {
  readonly deadline?: string;
  readonly kill?: boolean;
}

/** A process is still there, and the node has stayed for it. */
const REFUSED = 5;

/** Present nodes come online. */
export async function add(nodes: readonly string[], options: CommonOptions): Promise<number> {
  await (await memberClient(options, [])).addNodes(nodes);
  if (options.json === true) printJson({ added: nodes });
  else for (const node of nodes) process.stdout.write(`${node} is online\n`);
  return 0;
}

/** Empties nodes and takes them out. @param leave their daemons end, too */
export async function drain(nodes: readonly string[], options: DrainOptions, leave: boolean): Promise<number> {
  const deadlineSeconds = options.deadline === undefined ? undefined : parseDuration(options.deadline) / 1000;
  const client = await memberClient(options, nodes);
  const request = { nodes: [...nodes], kill: options.kill === true, leave, ...(deadlineSeconds === undefined ? {} : { deadlineSeconds }) };
  const isJson = options.json === true;
  const results = await withProgress(`emptying ${nodes.join(', ')}`, (progress) =>
    client.removeNodes(request, (sign) => (isJson ? undefined : progress.print(`${describeProgress(sign)}\n`))),
  );
  if (isJson) printJson(results);
  else for (const result of results) printResult(result);
  return results.some(({ outcome }) => outcome === 'kept') ? REFUSED : 0;
}

/** Starts the daemons of nodes of this machine that are not up. */
export async function start(nodes: readonly string[], options: CommonOptions): Promise<number> {
  const { startNode } = await import('../../node/cluster.ts');
  return await eachNode(nodes, options, 'start', async (cluster, node) => `is up, its daemon is ${await startNode(cluster, node)}`);
}

/** Ends nodes of this machine with everything that runs there. */
export async function stop(nodes: readonly string[], options: CommonOptions): Promise<number> {
  const { stopNode } = await import('../../node/cluster.ts');
  return await eachNode(nodes, options, 'stop', async (cluster, node) => {
    await stopNode(cluster, node);
    return 'is stopped';
  });
}

async function eachNode(
  nodes: readonly string[],
  options: CommonOptions,
  verb: string,
  work: (cluster: string, node: string) => Promise<string>,
): Promise<number> {
  const cluster = clusterName(options);
  describedCluster(options);
  await withRights(`${verb} a node`, () =>
    withProgress(`${nodes.join(', ')}: ${verb}`, async (progress) => {
      // At once: nodes of which each is needed for a majority wait for each other.
      const all = nodes.map(async (node) => {
        const done = await work(cluster, node);
        if (options.json !== true) progress.print(`${node} ${done}\n`);
      });
      await Promise.all(all);
    }),
  );
  if (options.json === true) printJson({ cluster, nodes });
  return 0;
}

/** A client of a node that takes part and is none of those that are to go; of the one that `--at` names where it does. */
async function memberClient(options: CommonOptions, besides: readonly string[]): Promise<NodeClient> {
  const client = nodeClient(options);
  if (options.at !== undefined) return client;
  const { nodes } = await client.status();
  const others = nodes.filter(
    ({ id, name, state, daemon }) => state === 'online' && daemon !== null && !besides.includes(name) && !besides.includes(String(id)),
  );
  const sockets = describedCluster(options).nodes.filter(({ id }) => others.some((node) => node.id === id));
  return sockets.length === 0 ? client : new NodeClient(...sockets.map(({ socket }) => socket));
}

export function describeProgress(sign: DrainProgress): string {
  if (sign.kind === 'moved') {
    const others = sign.pids.length > 1 ? ` with ${sign.pids.length - 1} more` : '';
    return `${sign.pid}${others} moved from ${sign.node} to ${sign.to}`;
  }
  const what = `${sign.pid} (${printable(sign.command).slice(0, 60)})`;
  if (sign.kind === 'killed') return `${what} was killed on ${sign.node}`;
  return `${what} does not move from ${sign.node}: ${sign.error.message} (${sign.error.code})`;
}

function printResult({ node, outcome, moved, immovable, error }: DrainResult): void {
  const count = (number: number, what: string): string => `${number} ${number === 1 ? 'process' : 'processes'} ${what}`;
  if (outcome !== 'kept') {
    const counts = [count(moved.length, 'moved'), ...(immovable.length > 0 ? [count(immovable.length, 'killed')] : [])].join(', ');
    const end = outcome === 'left' ? 'has left the cluster, and its daemon has ended' : 'takes part no more; krg add brings it back';
    process.stdout.write(`${node} is empty (${counts}) and ${end}\n`);
    return;
  }
  if (error !== undefined) reportFailure(KorriganError.fromJSON(error), false);
  process.stderr.write(
    immovable.length === 0
      ? `krg: ${node} stays online\n`
      : `krg: ${node} stays online: ${count(immovable.length, 'cannot be moved')}; --kill ends what does not move\n`,
  );
}
