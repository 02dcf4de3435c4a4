/** Nodes that are emptied: what moves goes on elsewhere with its pid, what does not is named, and ends or keeps its node; nodes that leave, stop and come back. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { z } from 'zod';
import { NodeClient, startNode, type NodeState } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { type Outcome, runCommand, startCommand } from './support/commands.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('drain');
});
after(() => cluster[Symbol.asyncDispose]());

const SLEEP = ['sleep', '100000'];
/** Memory that may not become executable any more: Korrigan needs a piece that may (prctl(2), PR_SET_MDWE). */
const IMMOVABLE = ['python3', '-c', 'import ctypes, time; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); time.sleep(100000)'];
const TREE = ['sh', '-c', 'sleep 100000 & sleep 100000 | cat & wait'];

const krg = (...words: string[]): Promise<Outcome> => runCommand('krg', cluster.description.cluster, ...words);
const result = z.array(
  z.object({
    node: z.string(),
    outcome: z.string(),
    moved: z.array(z.object({ pid: z.number(), to: z.string() })),
    immovable: z.array(z.object({ pid: z.number(), command: z.string(), error: z.object({ code: z.string(), message: z.string() }) })),
  }),
);

async function start(node: string, words: readonly string[]): Promise<number> {
  const { pid } = await cluster.client.runDetached({
    arguments: [...words],
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    workingDirectory: '/',
    umask: 0o022,
    node,
  });
  return pid;
}

/** Where each process runs. */
async function places(): Promise<Map<number, string>> {
  return new Map((await cluster.client.processes()).map(({ pid, node }) => [pid, node]));
}

async function stateOf(node: string): Promise<NodeState | undefined> {
  return (await cluster.client.status()).nodes.find(({ name }) => name === node)?.state;
}

const isImmovable = (pid: number): Promise<true> =>
  eventually('the program to be immovable', async () => !(await cluster.client.explain(pid)).movable);

beforeEach(async () => {
  const present = (await cluster.client.status()).nodes.filter(({ state }) => state === 'present');
  if (present.length > 0) await cluster.client.addNodes(present.map(({ name }) => name));
  for (const { pid } of await cluster.client.processes()) await cluster.client.kill(pid, 9).catch(() => undefined);
  await eventually('all to have ended', async () => (await cluster.client.processes()).length === 0);
});

test('processes and trees go on elsewhere with their pids; the node takes nothing new, and is there to be added again', async () => {
  const alone = [await start('node3', SLEEP), await start('node3', SLEEP)];
  const root = await start('node3', TREE);
  const family = await eventually('the tree', async () => {
    const members = (await cluster.client.processes()).filter(({ session }) => session === root);
    return members.length === 4 && members;
  });
  const { status, stdout, stderr } = await krg('drain', 'node3');
  assert.deepEqual([status, stderr], [0, ''], stdout);
  assert.match(stdout, new RegExp(`^${root} with 3 more moved from node3 to node[12]$`, 'm'));
  assert.match(stdout, /^node3 is empty \(6 processes moved\) and takes part no more; krg add brings it back$/m);
  const now = await places();
  const homes = family.map(({ pid }) => now.get(pid));
  assert.equal(new Set(homes).size, 1, 'a tree stays together');
  assert.deepEqual(
    [...alone, root].map((pid) => ['node1', 'node2'].includes(now.get(pid) ?? '')),
    [true, true, true],
  );
  assert.equal(new Set(now.values()).size, 2, 'both of the others have got something');
  assert.equal(await stateOf('node3'), 'present');

  await assert.rejects(start('node3', SLEEP), { code: 'KRG_NODE_NOT_ONLINE' });
  await assert.rejects(cluster.move(alone[0] ?? 0, 3), { code: 'KRG_NODE_NOT_ONLINE' });
  const migrate = await runCommand('migrate', cluster.description.cluster, String(alone[0]), '3');
  assert.deepEqual([migrate.status, migrate.stderr.split('\n')[0]], [1, 'migrate: Machine is not on the network']);

  assert.equal((await krg('add', 'node3')).stdout, 'node3 is online\n');
  await cluster.move(root, 3, true);
  assert.equal((await places()).get(root), 'node3');
});

test('what does not move is named and keeps its node, or ends; what can move has moved', async () => {
  const movable = await start('node3', SLEEP);
  const immovable = await start('node3', IMMOVABLE);
  await isImmovable(immovable);
  const { status, stdout, stderr } = await krg('drain', 'node3');
  assert.equal(status, 5);
  assert.match(stdout, new RegExp(`^${immovable} \\(python3 -c .*\\) does not move from node3: .*KRG_`, 'm'));
  assert.match(stderr, /^krg: node3 stays online: 1 process cannot be moved; --kill ends what does not move$/m);
  assert.equal(await stateOf('node3'), 'online');
  const now = await places();
  assert.equal(now.get(immovable), 'node3');
  assert.notEqual(now.get(movable), 'node3');

  const killed = await krg('drain', 'node3', '--kill', '--json');
  assert.equal(killed.status, 0, killed.stderr);
  const [removed] = result.parse(JSON.parse(killed.stdout));
  assert.deepEqual([removed?.outcome, removed?.immovable.map(({ pid }) => pid)], ['removed', [immovable]]);
  assert.ok(!(await places()).has(immovable));
  await cluster.client.addNodes(['node3']);
});

test('krgadm takes a node out whatever runs there, and says what it has killed', async () => {
  const movable = await start('node2', SLEEP);
  const immovable = await start('node2', IMMOVABLE);
  await isImmovable(immovable);
  const { status, stdout, stderr } = await runCommand('krgadm', cluster.description.cluster, 'nodes', 'del', '-n', '2');
  assert.deepEqual([status, stdout], [0, 'Removing nodes [2]... done\n']);
  assert.match(stderr, new RegExp(`^krgadm: node2: ${immovable} \\(python3 .*\\) did not move and was killed: `));
  const now = await places();
  assert.ok(!now.has(immovable) && now.has(movable));
  assert.equal((await runCommand('krgadm', cluster.description.cluster, 'nodes', 'status')).stdout, '1:online\n2:present\n3:online\n');
  await cluster.client.addNodes(['2']);
});

test('with a deadline it is tried again until then; ^C keeps the node', async () => {
  const immovable = await start('node3', IMMOVABLE);
  await isImmovable(immovable);
  const draining = startCommand('krg', cluster.description.cluster, ['drain', 'node3', '--deadline', '1h']);
  await eventually('the refusal', () => draining.stdout().includes('does not move'));
  assert.equal(await stateOf('node3'), 'leaving');
  await assert.rejects(start('node3', SLEEP), { code: 'KRG_NODE_LEAVING' });
  draining.child.kill('SIGINT');
  await draining.ended;
  await eventually('the node to stay', async () => (await stateOf('node3')) === 'online');

  const again = startCommand('krg', cluster.description.cluster, ['drain', 'node3', '--deadline', '1h']);
  await eventually('the refusal', () => again.stdout().includes('does not move'));
  await cluster.client.addNodes(['node3']);
  const { status, stderr } = await again.ended;
  assert.deepEqual([status, await stateOf('node3')], [5, 'online']);
  assert.match(stderr, /KRG_CANCELLED/);

  const last = startCommand('krg', cluster.description.cluster, ['drain', 'node3', '--deadline', '1h']);
  await eventually('the refusal', () => last.stdout().includes('does not move'));
  await cluster.client.kill(immovable, 9);
  assert.equal((await last.ended).status, 0, 'what was in the way has gone');
  await cluster.client.addNodes(['node3']);
  assert.equal((await krg('drain', 'node3', '--deadline', 'soon')).status, 2);
});

test('a node leaves, and what was born there goes on; it comes back when it is started and added', async () => {
  const pid = await start('node3', SLEEP);
  const child = await start('node3', TREE);
  const left = await krg('leave', 'node3');
  assert.equal(left.status, 0, left.stderr);
  assert.match(left.stdout, /^node3 is empty \(5 processes moved\) and has left the cluster, and its daemon has ended$/m);
  assert.equal(await stateOf('node3'), 'possible');
  const homes = await places();
  assert.ok(homes.has(pid) && homes.has(child), 'they live');
  await cluster.move(pid, homes.get(pid) === 'node1' ? 2 : 1);
  await assert.rejects(start('node3', SLEEP), { code: 'KRG_NODE_NOT_PRESENT' });
  assert.match((await krg('nodes')).stdout, /^ 3 node3 \S+ possible +- - +-$/m);

  await startNode(cluster.description.cluster, 'node3');
  await eventually('it to be present', async () => (await stateOf('node3')) === 'present');
  await cluster.client.addNodes(['node3']);
  const fresh = await start('node3', SLEEP);
  assert.ok(!homes.has(fresh), 'no pid is given twice');
  await cluster.move(pid, 3);
  await cluster.client.kill(pid, 9);
  await cluster.client.kill(child, 9);
});

test('a node is stopped, and the others know at once; started again it takes part by itself', async () => {
  const pid = await start('node3', SLEEP);
  const moved = await start('node3', SLEEP);
  await cluster.move(moved, 1);
  assert.equal((await krg('stop', 'node3')).stdout, 'node3 is stopped\n');
  assert.equal(await stateOf('node3'), 'dead');
  const now = await places();
  assert.ok(!now.has(pid));
  assert.equal(now.get(moved), 'node1');
  const started = await krg('start', 'node3');
  assert.match(started.stdout, /^node3 is up, its daemon is \d+$/m, started.stderr);
  await eventually('it to take part', async () => (await stateOf('node3')) === 'online');
  assert.ok((await start('node3', SLEEP)) > 0);
});

test('several nodes are emptied into those that stay', async () => {
  const pids = [await start('node2', SLEEP), await start('node3', SLEEP)];
  const { status, stdout } = await krg('drain', 'node2', 'node3', '--json');
  assert.equal(status, 0);
  assert.deepEqual(
    result.parse(JSON.parse(stdout)).map(({ node, outcome, moved }) => [node, outcome, moved]),
    [
      ['node2', 'removed', [{ pid: pids[0], to: 'node1' }]],
      ['node3', 'removed', [{ pid: pids[1], to: 'node1' }]],
    ],
  );
  // The last one stays, whoever asks.
  const last = await krg('drain', 'node1');
  assert.equal(last.status, 2);
  assert.match(last.stderr, /KRG_BAD_REQUEST/);
  const outside = new NodeClient(cluster.description.nodes[1]?.socket ?? '');
  await assert.rejects(outside.removeNodes({ nodes: ['node1'] }), { code: 'KRG_NODE_NOT_ONLINE' });
  // A program without a node starts where one takes part.
  const { node } = await outside.runDetached({
    arguments: SLEEP,
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    umask: 0o022,
  });
  assert.equal(node, 'node1');
});
