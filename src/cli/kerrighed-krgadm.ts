/** Kerrighed's own `krgadm`: what it prints, in its words, and its exit statuses 0 and 1. Beyond it: `--cluster` and `--at`, and reasons on stderr. */
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError, KorriganError, toKorriganError } from '../linux/errors.ts';
import { type ClusterStatus, type NodeClient, type NodeState, runningClusters } from '../node/api/index.ts';
import type { Candidate } from './completion-candidates.ts';
import { completeKrgadm } from './krgadm-completion.ts';
import { formatNodeList, type KrgadmRequest, parseKrgadmWords, type Selector } from './krgadm-words.ts';
import { describedCluster, nodeClient } from './options.ts';
import { printable } from './output.ts';
import { strerror } from './perror.ts';
import { version } from './version.ts';

const USAGE_TEXT = `Usage: krgadm [-h|--help] [--version]
  or:  krgadm cluster [status|poweroff|reboot]
  or:  krgadm nodes [status [(-n|--nodes LIST) | (-a|--all)]]
  or:  krgadm nodes {add|del} {(-n|--nodes LIST) | (-c|--count N) | (-t|--total N) | (-a|--all)}

Cluster:
  status            is the cluster up, and on how many nodes
  poweroff          end all nodes, with everything that runs there
  reboot            the same, and begin anew

Nodes:
  status            list the nodes that are present or online
  add               let nodes that are present take part, and wait for those that are not
  del               move everything away from nodes and take them out; what does not move is killed

Which nodes:
  -n, --nodes LIST  these, such as 2,3,6-10
  -c, --count N     so many more, or so many fewer
  -t, --total N     until the cluster has so many
  -a, --all         all that are present; for del all but the current one

Everywhere:
  --cluster NAME    a cluster of this machine (environment: KRG_CLUSTER)
  --at NODE         the current node: the one whose daemon is asked
`;

const POLL_MILLISECONDS = 1000;
const DOWN_MILLISECONDS = 15_000;
/** Kerrighed's krgadm knows no possible nodes, and none that are dead. */
const SHOWN: Readonly<Partial<Record<NodeState, 'present' | 'online'>>> = {
  present: 'present',
  online: 'online',
  leaving: 'online',
  unreachable: 'online',
};
/** What keeps a node out, or in. */
const OWN_ERRNO = {
  KRG_NODE_NOT_ONLINE: constants.errno.EPERM,
  KRG_BAD_REQUEST: constants.errno.EPERM,
};

/** Nodes by id, as Kerrighed shows them. */
type Nodes = ReadonlyMap<number, 'present' | 'online'>;

export async function kerrighedKrgadm(words: readonly string[]): Promise<number> {
  // For the shell, as `krg complete`.
  if (words[0] === 'complete' && words[1] === '--') return complete(words.slice(2));
  const { request, where } = parseKrgadmWords(words);
  try {
    return await serve(request, () => nodeClient(where));
  } catch (error) {
    const { message } = toKorriganError(error);
    process.stderr.write(`krgadm: ${message}\n`);
    return 1;
  }
}

function complete(words: readonly string[]): number {
  const { where } = parseKrgadmWords(words);
  const nodes = (): Candidate[] => describedCluster(where).nodes.map(({ id, name }) => ({ value: String(id), description: name }));
  const clusters = (): Candidate[] => runningClusters().map((value) => ({ value, description: '' }));
  for (const { value, description } of completeKrgadm(words, { nodes, clusters })) process.stdout.write(`${value}\t${description}\n`);
  return 0;
}

async function serve(request: KrgadmRequest, connect: () => NodeClient): Promise<number> {
  switch (request.kind) {
    case 'help':
      process.stdout.write(USAGE_TEXT);
      return request.isWrong ? 1 : 0;
    case 'version':
      process.stdout.write(`krgadm (Korrigan) ${version()}\n`);
      return 0;
    case 'complaint':
      process[request.stream].write(request.text);
      return 1;
    case 'cluster':
      return request.action === 'status' ? await clusterStatus(connect) : await power(connect, request.action);
    case 'nodes': {
      const client = connect();
      if (request.action === 'status') return showNodes(await client.status(), request.selector);
      return request.action === 'add' ? await add(client, request.selector) : await remove(client, request.selector);
    }
  }
}

function shown({ nodes }: ClusterStatus): Nodes {
  return new Map(
    nodes.flatMap(({ id, state }) => {
      const word = SHOWN[state];
      return word === undefined ? [] : [[id, word] as const];
    }),
  );
}

function idsThatAre(nodes: Nodes, state: 'present' | 'online'): number[] {
  return [...nodes].filter(([, word]) => word === state).map(([id]) => id);
}

async function clusterStatus(connect: () => NodeClient): Promise<number> {
  process.stdout.write('status: ');
  try {
    const online = idsThatAre(shown(await connect().status()), 'online').length;
    process.stdout.write(online === 0 ? 'down\n' : `up on ${online} nodes\n`);
    return 0;
  } catch (error) {
    if (isKorriganError(error, 'KRG_NO_DAEMON')) {
      process.stdout.write('down\n');
      return 0;
    }
    process.stdout.write('error\n');
    throw error;
  }
}

async function power(connect: () => NodeClient, action: 'poweroff' | 'reboot'): Promise<number> {
  process.stdout.write(action === 'reboot' ? 'Rebooting cluster... ' : 'Shutting down cluster... ');
  try {
    const client = connect();
    const { silent } = await client.power({ action: action === 'reboot' ? 'reboot' : 'off' });
    if (action === 'poweroff') await untilDown(client);
    process.stdout.write('done\n');
    for (const node of silent) process.stderr.write(`krgadm: ${node} did not answer\n`);
    return 0;
  } catch (error) {
    const { code } = toKorriganError(error);
    process.stdout.write(`fail (${code === 'KRG_NO_DAEMON' ? 'cluster not running' : strerror(code, OWN_ERRNO)})\n`);
    throw error;
  }
}

/** Nodes that were told to end take a moment to. */
async function untilDown(client: NodeClient): Promise<void> {
  for (const until = performance.now() + DOWN_MILLISECONDS; performance.now() < until; await delay(POLL_MILLISECONDS / 10)) {
    try {
      await client.status();
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_DAEMON')) return;
      if (!isKorriganError(error)) throw error;
    }
  }
  throw new KorriganError('KRG_DEADLINE', 'nodes were told to end, but there is one that still answers');
}

function showNodes(status: ClusterStatus, selector: Selector): number {
  for (const [id, word] of shown(status))
    if (selector.kind !== 'list' || selector.ids.includes(id)) process.stdout.write(`${id}:${word}\n`);
  return 0;
}

async function add(client: NodeClient, selector: Selector): Promise<number> {
  const ids = await nodesToAdd(client, selector);
  if (ids.length === 0) {
    process.stdout.write('No present node to add.\n');
    return 0;
  }
  return await act(`Adding nodes ${formatNodeList(ids)}... `, () => client.addNodes(ids.map(String)));
}

/** Waits until those that are meant are present. */
async function nodesToAdd(client: NodeClient, selector: Selector): Promise<readonly number[]> {
  const now = shown(await client.status());
  if (selector.kind === 'all') return idsThatAre(now, 'present');
  if (selector.kind === 'list') {
    const wanted = selector.ids.filter((id) => now.get(id) !== 'online');
    if (wanted.length === 0) return [];
    const isThere = (nodes: Nodes, id: number): boolean => nodes.has(id);
    await wait(client, 'Waiting for nodes to join... ', (nodes) => ({
      text: wanted.map((id) => `${String(id).padStart(4)}:${isThere(nodes, id) ? 1 : 0}`).join(''),
      isOver: wanted.every((id) => isThere(nodes, id)),
    }));
    return wanted;
  }
  const number = selector.kind === 'count' ? selector.number : selector.number - idsThatAre(now, 'online').length;
  if (number <= 0) return [];
  const last = await wait(client, `Waiting for ${number} nodes to join... `, (nodes) => {
    const present = idsThatAre(nodes, 'present').length;
    return { text: `${String(present).padStart(4)}/${String(number).padEnd(4)}`, isOver: present >= number };
  });
  return idsThatAre(last, 'present').slice(0, number);
}

/** Looks once a second. On a terminal the line is kept up to date, elsewhere only its end is written. */
async function wait(
  client: NodeClient,
  head: string,
  look: (nodes: Nodes) => { readonly text: string; readonly isOver: boolean },
): Promise<Nodes> {
  const { stdout } = process;
  stdout.write(head);
  for (let drawn = 0; ; await delay(POLL_MILLISECONDS)) {
    const nodes = shown(await client.status());
    const { text, isOver } = look(nodes);
    if (stdout.isTTY) stdout.write('\b'.repeat(drawn) + text);
    drawn = text.length;
    if (!isOver) continue;
    stdout.write(stdout.isTTY ? ' done\n' : `${text} done\n`);
    return nodes;
  }
}

async function remove(client: NodeClient, selector: Selector): Promise<number> {
  const status = await client.status();
  const current = status.nodes.find(({ name }) => name === status.node)?.id ?? 0;
  const ids = nodesToRemove(idsThatAre(shown(status), 'online'), current, selector);
  if (ids === undefined) {
    process.stdout.write('Not enough nodes to remove. Aborting.\n');
    return 1;
  }
  const isRefused = selector.kind === 'list' && selector.ids.length > ids.length;
  if (ids.length === 0) {
    process.stdout.write('No online node to remove.\n');
    return isRefused ? 1 : 0;
  }
  const killed: string[] = [];
  const done = await act(`Removing nodes ${formatNodeList(ids)}... `, async () => {
    const results = await client.removeNodes({ nodes: ids.map(String), kill: true });
    for (const { node, immovable } of results)
      for (const { pid, command, error } of immovable)
        killed.push(`krgadm: ${node}: ${pid} (${printable(command).slice(0, 60)}) did not move and was killed: ${error.message}\n`);
    const failed = results.find(({ outcome }) => outcome === 'kept');
    if (failed !== undefined)
      throw failed.error === undefined
        ? new KorriganError('KRG_NOT_MOVABLE', `${failed.node} stays`)
        : KorriganError.fromJSON(failed.error);
  });
  for (const line of killed) process.stderr.write(line);
  return isRefused ? 1 : done;
}

/** @returns undefined when there are too few */
function nodesToRemove(online: readonly number[], current: number, selector: Selector): readonly number[] | undefined {
  const others = online.filter((id) => id !== current);
  if (selector.kind === 'all') return others;
  if (selector.kind === 'list') {
    for (const id of selector.ids) {
      if (!online.includes(id)) process.stdout.write(`Unable to suppress node ${id} (must be 'online').\n`);
      else if (id === current) process.stdout.write('Unable to suppress current node.\n');
    }
    return others.filter((id) => selector.ids.includes(id));
  }
  const number = selector.kind === 'count' ? selector.number : online.length - selector.number;
  return number < online.length ? others.slice(0, Math.max(0, number)) : undefined;
}

/** Does what the line says and completes it. */
async function act(head: string, work: () => Promise<void>): Promise<number> {
  process.stdout.write(head);
  try {
    await work();
  } catch (error) {
    const { code, message } = toKorriganError(error);
    process.stdout.write('\n');
    process.stderr.write(`fail: ${strerror(code, OWN_ERRNO)}\nkrgadm: ${message}\n`);
    return 1;
  }
  process.stdout.write('done\n');
  return 0;
}
