/** A cluster whose record lies in an etcd: nodes die, daemons are killed, members of the etcd go and come back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { restartDaemon } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { MEMBERS, TestEtcd } from './support/etcd.ts';
import { Family } from './support/family.ts';
import { cutLink, setCable } from './support/links.ts';
import { becomes, killNode, returnNode } from './support/nodes.ts';

const KILLED = 2;
const SIGKILL = 9;

let etcd: TestEtcd;
let cluster: TestCluster;
before(async () => {
  etcd = await TestEtcd.start();
  cluster = await startTestCluster('etcd', { store: { kind: 'etcd', endpoints: etcd.endpoints } });
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  await etcd[Symbol.asyncDispose]();
});

test('each member of the etcd may be away while a daemon is started again', async () => {
  for (const member of MEMBERS) {
    await etcd.killMember(member);
    await restartDaemon(cluster.description.cluster, member + 1);
    etcd.startMember(member);
    await etcd.isUp();
  }
  const { nodes } = await cluster.client.status();
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ['online', 'online', 'online'],
  );
});

test('a node dies while a member of the etcd is away, and comes back', async () => {
  const kin = await Family.start(cluster, 'parent');
  await kin.fork('root', 'child');
  await kin.move('child', 3);
  await etcd.killMember(0);
  killNode(cluster, 3);
  await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
  await becomes(cluster, 3, 'dead');
  etcd.startMember(0);
  await returnNode(cluster, 3);
  await becomes(cluster, 3, 'online');
  await kin.end();
});

test('a cut between two nodes that others hear is no death, and a node that is cut off from all is', async () => {
  const kin = await Family.start(cluster, 'cut');
  await kin.fork('root', 'child');
  await kin.move('child', 2);
  const mend = cutLink(cluster.description, 1, 2);
  try {
    await assert.rejects(kin.move('root', 2));
    await kin.isAlive('root');
    await kin.isAlive('child');
  } finally {
    mend();
  }
  await eventually('a move over the link', async () =>
    kin.move('child', 1).then(
      () => true,
      () => false,
    ),
  );
  await kin.move('child', 3);
  setCable(cluster.description, 3, 'down');
  await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
  await becomes(cluster, 3, 'dead');
  setCable(cluster.description, 3, 'up');
  await becomes(cluster, 3, 'online');
  await kin.isGone('child');
  await kin.end();
});

test('without a majority of the etcd nobody is declared dead; when it is back, whoever died meanwhile is', async () => {
  const kin = await Family.start(cluster, 'waiting');
  await kin.fork('root', 'child');
  await kin.move('child', 3);
  await etcd.killMember(0);
  await etcd.killMember(1);
  killNode(cluster, 3);
  await becomes(cluster, 3, 'unreachable');
  await kin.isAlive('root');
  assert.ok(!kin.log('root').some((line) => line.startsWith('child ')));
  etcd.startMember(0);
  etcd.startMember(1);
  await etcd.isUp();
  await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
  await kin.end();
});
