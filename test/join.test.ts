/** A machine joins a cluster that runs: here one with a network and a directory of clusters of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NodeClient } from '../src/node/index.ts';
import { enrol } from '../src/rpc/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { type Outcome, runCommand } from './support/commands.ts';

const KRG = join(import.meta.dirname, '../krg');
const SLEEP = { arguments: ['sleep', '100000'], environment: { PATH: '/usr/bin:/bin' }, workingDirectory: '/', umask: 0o022 };

let cluster: TestCluster;
/** Network namespace of the machine that joins; its cable is named after it. */
const machine = `kj${process.pid}`;
let address: string;
before(async () => {
  cluster = await startTestCluster('join');
  const path = `/run/korrigan/${cluster.description.cluster}/configuration.json`;
  const { network } = JSON.parse(readFileSync(path, 'utf8')) as { network: { bridge: string; prefix: string } };
  address = `${network.prefix}.50`;
  const ip = (...words: string[]): unknown => execFileSync('ip', words);
  ip('netns', 'add', machine);
  ip('link', 'add', machine, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', machine);
  ip('link', 'set', machine, 'master', network.bridge, 'up');
  ip('-n', machine, 'link', 'set', 'lo', 'up');
  ip('-n', machine, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', machine, 'link', 'set', 'eth0', 'up');
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  spawnSync('ip', ['netns', 'del', machine]);
});

const krg = (...words: string[]): Promise<Outcome> => runCommand('krg', cluster.description.cluster, ...words);
const nodes = async (): Promise<string[]> => (await cluster.client.status()).nodes.map(({ name, state }) => `${name} ${state}`);

/** `krg` on the other machine, which has no cluster before. @param input its standard input */
function elsewhere(words: readonly string[], input: string): Outcome {
  const script = 'mount -t tmpfs none /run/korrigan && exec "$0" "$@"';
  const enter = [`--net=/run/netns/${machine}`, 'unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, KRG];
  const { status, stdout, stderr } = spawnSync('nsenter', [...enter, ...words], { input, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('who says what cannot be is refused, and keeps its token', async () => {
  const { token, address: at } = await cluster.client.token();
  for (const [words, message] of [
    [['--name', 'node2'], /node2 of this cluster is at .*KRG_BAD_REQUEST/],
    [['--name', 'Node 4'], /name: takes a small letter.*KRG_BAD_REQUEST/],
    [['--address', 'nowhere'], /not understood: address.*KRG_BAD_REQUEST/],
    [['--address', at.split(':')[0] ?? ''], /node1 of this cluster is at .*KRG_BAD_REQUEST/],
  ] as const) {
    const { status, stderr } = elsewhere(['join', at, '--token', '-', ...words], token);
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
  assert.equal(elsewhere(['join', 'a:b:c', '--token', '-'], token).status, 2);
  assert.match(elsewhere(['join', at, '--token', '-'], 'krg_join_x').stderr, /KRG_TOKEN_INVALID/);
  assert.deepEqual(await nodes(), ['node1 online', 'node2 online', 'node3 online']);
});

test('a machine joins with a token, programs run there and come and go; then it leaves, and is forgotten', async () => {
  const { token, address: at } = await cluster.client.token();
  const joined = elsewhere(['join', at, '--token', '-', '--name', 'far', '--json'], `${token}\n`);
  assert.equal(joined.status, 0, joined.stderr);
  const { nodes: own } = JSON.parse(joined.stdout) as { nodes: { id: number; pid: number; address: string; socket: string }[] };
  const [far] = own;
  assert.ok(far);
  assert.equal(far.address, address);
  await eventually('the new node', async () => (await nodes()).join() === 'node1 online,node2 online,node3 online,far online');
  assert.match(elsewhere(['join', at, '--token', '-'], token).stderr, /KRG_TOKEN_USED/);

  // It is a node like the others: asked itself, and as a place for programs.
  const itself = new NodeClient(`/proc/${far.pid}/root${far.socket}`);
  assert.equal((await itself.status()).node, 'far');
  const { pid } = await itself.runDetached(SLEEP);
  const { pid: born } = await cluster.client.runDetached({ ...SLEEP, node: 'node2' });
  const [moved] = await itself.migrate({ pids: [born], node: 'far' });
  assert.equal(moved?.outcome, 'moved');
  const uptime = await cluster.client.run({ ...SLEEP, arguments: ['cat', '/proc/uptime'], node: 'far' });
  const there = Number((await uptime.stdout.toArray()).join('').split(' ')[0]);
  const ours = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  assert.ok(there <= ours && ours - there < 60, `one clock: ${there} there, ${ours} here`);

  const left = await krg('leave', 'far');
  assert.equal(left.status, 0, left.stderr);
  assert.deepEqual(await nodes(), ['node1 online', 'node2 online', 'node3 online']);
  const living = (await cluster.client.processes()).map((process) => process.pid);
  assert.ok(living.includes(pid) && living.includes(born), 'what ran there goes on');
  await eventually('its daemon to end', async () =>
    itself.status().then(
      () => false,
      () => true,
    ),
  );
});

test('a machine that joins may wait until it is added', async () => {
  const { token, address: at, id } = await cluster.client.token();
  const joined = elsewhere(['join', at, '--token', '-', '--standby'], token);
  assert.equal(joined.status, 0, joined.stderr);
  assert.match(
    joined.stdout,
    new RegExp(`^this machine is node${id} of cluster ${cluster.description.cluster}, at ${address}:7420; it waits to be added$`, 'm'),
  );
  await eventually('the new node', async () => (await nodes()).includes(`node${id} present`));
  assert.equal((await krg('add', `node${id}`)).status, 0);
  assert.ok((await nodes()).includes(`node${id} online`));
  assert.equal((await krg('leave', String(id))).status, 0);
});

test('a node that was let in and never came is forgotten with its certificate', async () => {
  const { token, address: at, id } = await cluster.client.token();
  const [host = '', port = ''] = at.split(':');
  await enrol({ host, port: Number(port) }, token, { about: () => ({ address: '10.255.255.1', port: 7420, isStandby: false }) });
  assert.ok((await nodes()).includes(`node${id} possible`));
  await cluster.client.revoke(String(id));
  assert.deepEqual(await nodes(), ['node1 online', 'node2 online', 'node3 online']);
});
