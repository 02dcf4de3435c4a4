/** A node dies, with everything on it: what ran there ends for its relatives, everything else goes on, and the node comes back empty. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { daemonPid, SharedObjects } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Family } from './support/family.ts';
import { becomes, killNode, returnNode } from './support/nodes.ts';

const EXITED = 1;
const KILLED = 2;
const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGTERM = 15;
const PATHS = { PATH: '/usr/bin:/bin' };

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('node-death');
});
after(() => cluster[Symbol.asyncDispose]());

test('parents elsewhere see the processes of a node that has died killed', async () => {
  const kin = await Family.start(cluster, 'parents');
  await kin.fork('root', 'child');
  await kin.fork('root', 'other');
  await kin.move('child', 3);
  await kin.move('other', 2);
  killNode(cluster, 3);
  await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
  await kin.isGone('child');
  kin.order('other', 'exit 4');
  await kin.hasSeen('root', [...kin.ended('child', KILLED, SIGKILL, SIGKILL), ...kin.ended('other', EXITED, 4, 4 << 8)]);
  await kin.end();
  await becomes(cluster, 3, 'dead');
  await returnNode(cluster, 3);
  await becomes(cluster, 3, 'online');
});

test('what was born on a node that has died, and had left it, goes on with its relatives, signals and pids', async () => {
  const kin = await Family.start(cluster, 'survivors', 3);
  await kin.fork('root', 'here');
  await kin.fork('root', 'child');
  await kin.fork('root', 'sister');
  await kin.move('root', 1);
  await kin.move('child', 2);
  await kin.move('sister', 1);
  killNode(cluster, 3);
  const seen = kin.ended('here', KILLED, SIGKILL, SIGKILL);
  await kin.hasSeen('root', seen);
  for (const member of ['root', 'child', 'sister']) await kin.isAlive(member);
  // Between nodes, both ways, to processes whose home is away.
  assert.equal(await kin.do('child', `kill ${kin.pid('root')} ${SIGUSR1}`), 'kill 0');
  await kin.sees('root', `signal ${SIGUSR1} code 0 by ${kin.pid('child')}`);
  assert.equal(await kin.do('root', `kill ${kin.pid('child')} ${SIGUSR1}`), 'kill 0');
  await kin.sees('child', `signal ${SIGUSR1} code 0 by ${kin.pid('root')}`);
  await cluster.client.kill(kin.pid('child'), SIGUSR1);
  // They move on, and are found.
  await kin.move('sister', 2);
  await kin.move('root', 2);
  await kin.move('root', 1);
  kin.order('child', 'exit 5');
  for (const line of kin.ended('child', EXITED, 5, 5 << 8)) await kin.sees('root', line);
  await kin.isGone('child');
  // Nobody gets the pids of those who live.
  await returnNode(cluster, 3);
  await becomes(cluster, 3, 'online');
  const fresh = await Family.start(cluster, 'fresh', 3);
  await fresh.fork('root', 'child');
  await fresh.fork('root', 'third');
  const living = [kin.pid('root'), kin.pid('sister')];
  for (const member of ['root', 'child', 'third'])
    assert.ok(!living.includes(fresh.pid(member)), `pid ${fresh.pid(member)} is given twice`);
  // The home is there again, and has its part.
  kin.order('sister', `die ${SIGTERM} 0`);
  for (const line of kin.ended('sister', KILLED, SIGTERM, SIGTERM)) await kin.sees('root', line);
  await kin.isGone('sister');
  await kin.move('root', 3);
  await kin.isAlive('root');
  await fresh.end();
  await kin.end();
});

test('a node whose daemon is stopped for too long is dead for the others, and comes back empty when it goes on', async () => {
  const kin = await Family.start(cluster, 'stopped');
  await kin.fork('root', 'child');
  await kin.move('child', 3);
  const daemon = daemonPid(cluster.description.cluster, 3);
  process.kill(daemon, 'SIGSTOP');
  await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
  await becomes(cluster, 3, 'dead');
  process.kill(daemon, 'SIGCONT');
  await becomes(cluster, 3, 'online');
  await kin.isGone('child');
  assert.notEqual(daemonPid(cluster.description.cluster, 3), daemon);
  await kin.fork('root', 'second');
  await kin.move('second', 3);
  await kin.end();
});

test('streams and users of a process that has died with its node see their end', async () => {
  const output = join(cluster.directory, 'pipeline');
  const root = await cluster.start(`sh -c 'sleep 1000 | cat; echo the pipe has ended'`, output);
  const { pid: writer } = await eventually('the writer', async () =>
    (await cluster.client.processes()).find(({ ppid, command }) => ppid === root && command.startsWith('sleep')),
  );
  const moved = await cluster.attach(['sh', '-c', 'echo begun; exec sleep 1000']);
  await once(moved.stdout, 'data');
  for (const pid of [writer, moved.pid]) await cluster.move(pid, 3);
  const there = await cluster.client.run({
    arguments: ['sleep', '1000'],
    environment: PATHS,
    workingDirectory: '/',
    umask: 0o22,
    node: 'node3',
  });
  await there.started;
  killNode(cluster, 3);
  await eventually('the end of the pipe', () => readFileSync(output, 'utf8').includes('the pipe has ended'));
  assert.deepEqual(await moved.exited, { kind: 'signalled', signal: SIGKILL, coreDumped: false });
  await assert.rejects(there.exited, { code: 'KRG_NODE_LOST' });
  await becomes(cluster, 3, 'dead');
  await returnNode(cluster, 3);
});

test('shared objects with replicas outlive a node; those without are lost to whoever asks, until they are removed', async () => {
  await using stack = new AsyncDisposableStack();
  const [one, , three] = cluster.description.nodes;
  await becomes(cluster, 3, 'online');
  const there = stack.use(await SharedObjects.connect(three?.socket ?? ''));
  const here = stack.use(await SharedObjects.connect(one?.socket ?? ''));
  const kept = { there: await there.open<string>('kept', { replicas: 1 }), here: await here.open<string>('kept', { replicas: 1 }) };
  const alone = { there: await there.open<string>('alone', { replicas: 0 }), here: await here.open<string>('alone', { replicas: 0 }) };
  for (const object of [0, 1, 2, 3]) {
    await kept.there.change(object, () => `kept ${object}`);
    await alone.there.change(object, () => `alone ${object}`);
  }
  killNode(cluster, 3);
  for (const object of [0, 1, 2, 3]) {
    assert.equal(await kept.here.read(object), `kept ${object}`);
    await assert.rejects(alone.here.read(object), { code: 'KRG_OBJECT_LOST' });
    await alone.here.remove(object);
    await alone.here.change(object, () => 'again');
    assert.equal(await alone.here.read(object), 'again');
  }
  await becomes(cluster, 3, 'dead');
  await returnNode(cluster, 3);
});
