/** `krgadm` on real clusters: one node, nodes that come, nodes that are waited for, what is refused; Kerrighed's lines and exit statuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NodeClient, startCluster, startNode, stopCluster, stopNode } from '../src/node/index.ts';
import { eventually } from './support/cluster.ts';
import { type Outcome, runCommand, startCommand } from './support/commands.ts';
import { storeOfTests } from './support/stores.ts';

const cluster = `membership-${process.pid}`;
const other = `membership-b-${process.pid}`;
let client: NodeClient;
/** Of the second node. */
let second: NodeClient;

before(async () => {
  const [{ nodes }] = await Promise.all([
    startCluster({ cluster, nodes: 4, start: 1, standby: true, ...storeOfTests() }),
    startCluster({ cluster: other, nodes: 1, ...storeOfTests() }),
  ]);
  client = new NodeClient(nodes[0]?.socket ?? '');
  second = new NodeClient(nodes[1]?.socket ?? '');
});
after(async () => {
  await Promise.all([stopCluster(cluster), stopCluster(other)]);
});

const krgadm = (...words: string[]): Promise<Outcome> => runCommand('krgadm', cluster, ...words);
const said = async (...words: string[]): Promise<string> => {
  const { status, stdout, stderr } = await krgadm(...words);
  assert.deepEqual([status, stderr], [0, '']);
  return stdout;
};

test('one node boots; those that are not up are hidden; another cluster is not seen', async () => {
  assert.equal(await said('cluster', 'status'), 'status: up on 1 nodes\n');
  assert.equal(await said('cluster'), 'status: up on 1 nodes\n');
  assert.equal(await said('nodes'), '1:online\n');
  assert.equal(await said('nodes', 'add', '--all'), 'No present node to add.\n');
  assert.equal((await runCommand('krgadm', other, 'nodes')).stdout, '1:online\n');
  assert.deepEqual(await runCommand('krgadm', `${other}-c`, 'cluster', 'status'), { status: 0, stdout: 'status: down\n', stderr: '' });
});

test('nodes that are not there are waited for, and ^C leaves everything as it was', async () => {
  const earlier = await client.status();
  const waiting = startCommand('krgadm', cluster, ['nodes', 'add', '-n', '9']);
  await eventually('it to wait', () => waiting.stdout() === 'Waiting for nodes to join... ');
  waiting.child.kill('SIGINT');
  const { status } = await waiting.ended;
  assert.ok(status === null || status === 130 || status === 1, `status ${status}`);
  assert.deepEqual(
    (await client.status()).nodes.map(({ id, state }) => [id, state]),
    earlier.nodes.map(({ id, state }) => [id, state]),
  );
});

test('until there are two it waits; it goes on when the second is started, which by itself is present only', async () => {
  const waiting = startCommand('krgadm', cluster, ['nodes', 'add', '-t', '2']);
  await eventually('it to wait', () => waiting.stdout() === 'Waiting for 1 nodes to join... ');
  await startNode(cluster, 'node2');
  assert.deepEqual(await waiting.ended, {
    status: 0,
    stdout: 'Waiting for 1 nodes to join...    1/1    done\nAdding nodes [2]... done\n',
    stderr: '',
  });
  assert.equal(await said('nodes', 'status'), '1:online\n2:online\n');
});

test('what cannot be is refused by name', async () => {
  await assert.rejects(client.addNodes(['2']), { code: 'KRG_NODE_ONLINE' });
  await assert.rejects(client.addNodes(['3']), { code: 'KRG_NODE_NOT_PRESENT' });
  await assert.rejects(client.addNodes(['9']), { code: 'KRG_NO_SUCH_NODE' });
  await assert.rejects(startNode(cluster, 'node2'), { code: 'KRG_NODE_ONLINE' });
  await assert.rejects(startNode(cluster, 'node9'), { code: 'KRG_NO_SUCH_NODE' });
  await Promise.all([startNode(cluster, 'node3'), startNode(cluster, 'node4')]);
  assert.equal(await said('nodes', 'status', '-n', '2-3,9'), '2:online\n3:present\n');
  // One that does not take part itself does not let others in.
  const outside = await krgadm('--at', 'node3', 'nodes', 'add', '-n', '4');
  assert.equal(outside.status, 1);
  assert.match(outside.stderr, /^fail: Operation not permitted\nkrgadm: node3 is not online itself/);
  assert.equal(outside.stdout, 'Waiting for nodes to join...    4:1 done\nAdding nodes [4]... \n');
  // All or none.
  await assert.rejects(client.addNodes(['3', '2']), { code: 'KRG_NODE_ONLINE' });
  assert.equal(await said('nodes'), '1:online\n2:online\n3:present\n4:present\n');
  const program = { arguments: ['true'], environment: {}, workingDirectory: '/', umask: 0o022 };
  await assert.rejects(client.runDetached({ ...program, node: 'node3' }), { code: 'KRG_NODE_NOT_ONLINE' });
});

test('all that are present come at once, and hear of it', async () => {
  assert.equal(await said('nodes', 'add', '-a'), 'Adding nodes [3,4]... done\n');
  assert.equal(await said('cluster', 'status'), 'status: up on 4 nodes\n');
  assert.equal(await said('--at', 'node4', 'nodes'), '1:online\n2:online\n3:online\n4:online\n');
  assert.equal(await said('nodes', 'add', '-n', '2-3'), 'No present node to add.\n');
});

test('lists of nodes and options that are wrong', async () => {
  for (const [words, complaint] of [
    [['-n', '2,x'], 'node: Invalid argument\n'],
    [['-n', 'x-2'], 'first node range: Invalid argument\n'],
    [['-n', '2-'], 'end node range: Invalid argument\n'],
    [['-c', 'two'], 'nodes number: Invalid argument\n'],
  ] as const)
    assert.deepEqual(await krgadm('nodes', 'add', ...words), { status: 1, stdout: '', stderr: complaint });
  const both = await krgadm('nodes', 'del', '-a', '-n', '2');
  assert.deepEqual([both.status, both.stdout], [1, 'Only one of --all, --count, --total or --nodes option is\nsupported. Aborting.\n']);
  const none = await krgadm('nodes', 'del');
  assert.deepEqual([none.status, none.stdout.slice(0, 6)], [1, 'Usage:']);
  assert.equal(await said('--help'), none.stdout);
});

test('nodes are taken out by list, by number, down to a total; not the current one, and no more than there are', async () => {
  assert.deepEqual(await krgadm('nodes', 'del', '-n', '1,7'), {
    status: 1,
    stdout: "Unable to suppress current node.\nUnable to suppress node 7 (must be 'online').\nNo online node to remove.\n",
    stderr: '',
  });
  assert.deepEqual(await krgadm('nodes', 'del', '-c', '4'), { status: 1, stdout: 'Not enough nodes to remove. Aborting.\n', stderr: '' });
  assert.equal(await said('nodes', 'del', '-n', '4'), 'Removing nodes [4]... done\n');
  assert.equal(await said('--at', 'node2', 'nodes', 'del', '--count', '1'), 'Removing nodes [1]... done\n');
  assert.equal(await said('nodes'), '1:present\n2:online\n3:online\n4:present\n');
  // What was taken out stays out, also when its daemon is another one.
  await stopNode(cluster, 'node4');
  await startNode(cluster, 'node4');
  assert.equal(await said('--at', 'node3', 'nodes'), '1:present\n2:online\n3:online\n4:present\n');
  assert.equal(await said('--at', 'node2', 'nodes', 'del', '-t', '1'), 'Removing nodes [3]... done\n');
  await assert.rejects(second.removeNodes({ nodes: ['2'] }), { code: 'KRG_BAD_REQUEST' });
  assert.equal(await said('--at', 'node2', 'nodes', 'del', '-a'), 'No online node to remove.\n');
  assert.equal(
    await said('--at', 'node2', 'nodes', 'add', '-c', '3'),
    'Waiting for 3 nodes to join...    3/3    done\nAdding nodes [1,3,4]... done\n',
  );
});

test('the cluster is rebooted, and powered off', async () => {
  const pids = async (): Promise<number[]> => (await client.status()).nodes.map(({ daemon }) => daemon?.pid ?? 0);
  const earlier = await pids();
  assert.equal(await said('cluster', 'reboot'), 'Rebooting cluster... done\n');
  await eventually('other daemons', async () => {
    const now = await pids().catch(() => []);
    return now.length === 4 && now.every((pid) => pid > 0 && !earlier.includes(pid));
  });
  await eventually('all of them', async () => (await said('cluster')) === 'status: up on 4 nodes\n');
  assert.equal(await said('cluster', 'poweroff'), 'Shutting down cluster... done\n');
  assert.equal(await said('cluster', 'status'), 'status: down\n');
  const again = await krgadm('cluster', 'poweroff');
  assert.deepEqual([again.status, again.stdout], [1, 'Shutting down cluster... fail (cluster not running)\n']);
  assert.equal((await runCommand('krgadm', other, 'cluster')).stdout, 'status: up on 1 nodes\n');
  assert.doesNotMatch(readFileSync(`/run/korrigan/${other}/node1/krgd.log`, 'utf8'), /refused/, 'nobody of the other cluster came');
});

test('only root changes who takes part', () => {
  const script = `exec setpriv --reuid 65534 --regid 65534 --clear-groups "${process.execPath}" "$0" "$@"`;
  const main = join(import.meta.dirname, '../src/cli/main.ts');
  for (const words of [
    ['add', 'node1'],
    ['drain', 'node1'],
    ['leave', 'node1'],
  ]) {
    const { status, stderr } = spawnSync('sh', ['-c', script, main, ...words, '--cluster', other], { encoding: 'utf8' });
    assert.equal(status, 4, stderr);
    assert.match(stderr, /KRG_PERMISSION/);
  }
});
