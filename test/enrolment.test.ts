/** Certificates on a cluster of real daemons: a program of its own gets one for a token, strangers are refused, a node is revoked. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { type JoinToken, NodeClient, restartDaemon } from '../src/node/index.ts';
import { CertificateAuthority, defineCall, enrol, ownerOf, type NodeCredentials, RpcNode, Trust } from '../src/rpc/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const NOBODY = '65534';
const anything = defineCall('node.status', z.object({}), z.unknown());

let cluster: TestCluster;
let folder: string;
before(async () => {
  cluster = await startTestCluster('enrolment');
  folder = mkdtempSync(join(tmpdir(), 'korrigan-enrolment-'));
});
after(async () => {
  rmSync(folder, { recursive: true });
  await cluster[Symbol.asyncDispose]();
});

const client = (id: number): NodeClient => new NodeClient(cluster.description.nodes[id - 1]?.socket ?? '');
const logOf = (id: number): string => readFileSync(join(cluster.description.nodes[id - 1]?.socket ?? '', '../krgd.log'), 'utf8');
const states = async (id: number): Promise<string[]> => (await client(id).status()).nodes.map(({ state }) => state);

function addressOf({ address }: Pick<JoinToken, 'address'>): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':');
  return { host, port: Number(port) };
}

/** What a daemon answers to somebody with these credentials. */
async function call(credentials: NodeCredentials, token: JoinToken): Promise<unknown> {
  await using node = new RpcNode({ trust: new Trust(credentials) });
  const { host, port } = addressOf(token);
  node.addPeer(1, host, port);
  return await node.call(1, anything, {});
}

test('a token gets a certificate, once; with it the program is known, and no member', async () => {
  const token = await client(1).token();
  assert.equal(token.id, 4);
  const credentials = await enrol(addressOf(token), token.token);
  assert.deepEqual({ ...ownerOf(credentials), serial: '' }, { cluster: cluster.description.cluster, id: 4, serial: '' });
  await assert.rejects(enrol(addressOf(token), token.token), { code: 'KRG_TOKEN_USED' });
  // Any daemon of this machine answers; they share what was used.
  await assert.rejects(enrol({ ...addressOf(token), host: cluster.description.nodes[1]?.address ?? '' }, token.token), {
    code: 'KRG_TOKEN_USED',
  });
  await assert.rejects(call(credentials, token), { code: 'KRG_NO_SUCH_NODE' });

  await client(2).revoke('4');
  await eventually('the revocation on node 1', async () =>
    call(credentials, token).then(
      () => false,
      (error: Error & { code?: string }) => error.code === 'KRG_PEER_REVOKED',
    ),
  );
  assert.deepEqual(await states(1), ['online', 'online', 'online']);
  for (const id of [1, 2, 3]) assert.ok(!logOf(id).includes(token.token) && !logOf(id).includes('PRIVATE KEY'));
});

test('a token whose time is over, a wrong one and a stranger without any are refused by name', async () => {
  const late = await client(1).token(1);
  await eventually('the end of the token', () => Date.now() > late.expires);
  await assert.rejects(enrol(addressOf(late), late.token), { code: 'KRG_TOKEN_EXPIRED' });
  const { token } = await client(1).token();
  const last = token.at(20) === 'A' ? 'B' : 'A';
  await assert.rejects(enrol(addressOf(late), token.slice(0, 20) + last + token.slice(21)), { code: 'KRG_TOKEN_INVALID' });
  await assert.rejects(enrol(addressOf(late), 'x'), { code: 'KRG_TOKEN_INVALID' });

  const other = await CertificateAuthority.create(join(folder, 'authority'), cluster.description.cluster);
  await assert.rejects(call(await other.credentialsFor(2), late), { code: 'KRG_PEER_CLUSTER' });
  for (const code of ['KRG_TOKEN_EXPIRED', 'KRG_TOKEN_INVALID', 'KRG_PEER_CLUSTER'])
    await eventually(`${code} in the log`, () =>
      logOf(1)
        .split('\n')
        .some((line) => line.includes(code) && line.includes('"remote"')),
    );
  assert.deepEqual(await states(1), ['online', 'online', 'online']);
});

test('only root lets nodes join and takes their certificates', () => {
  const krg = join(import.meta.dirname, '../src/cli/main.ts');
  const words = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', process.execPath, krg];
  for (const command of [['token'], ['revoke', 'node3']]) {
    const { status, stderr } = spawnSync('setpriv', [...words, ...command, '--cluster', cluster.description.cluster], { encoding: 'utf8' });
    assert.equal(status, 4, stderr);
    assert.match(stderr, /KRG_PERMISSION/);
  }
});

test('a node that is revoked is out, also for daemons that are started later; the others go on', async () => {
  const { id } = await client(1).revoke('node3');
  assert.equal(id, 3);
  for (const node of [1, 2])
    await eventually(`node ${node} without node 3`, async () => (await states(node)).join() === 'online,online,unreachable');
  await restartDaemon(cluster.description.cluster, 2);
  assert.deepEqual(await states(2), ['online', 'online', 'unreachable']);
  await restartDaemon(cluster.description.cluster, 3);
  assert.deepEqual(await states(3), ['unreachable', 'unreachable', 'online']);
  assert.match(logOf(3), /KRG_PEER_REVOKED/);
  const program = await cluster.attach(['echo', 'well']);
  assert.deepEqual(await program.exited, { kind: 'exited', code: 0 });
});
