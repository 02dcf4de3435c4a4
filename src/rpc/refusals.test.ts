/** Who gets no link, on real sockets: both ends learn why, by name, and the node goes on. */
import assert from 'node:assert/strict';
import { connect as connectTCP } from 'node:net';
import { before, describe, test } from 'node:test';
import { connect, type ConnectionOptions, createServer } from 'node:tls';
import type { CertificateAuthority } from './certificates/authority.ts';
import type { NodeCredentials } from './certificates/credentials.ts';
import { createKeyPair, privateKeyPEM, SIGNATURE_ALGORITHM } from './certificates/signing-request.ts';
import { Trust } from './certificates/trust.ts';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from './certificates/x509.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder } from './frame.ts';
import { handshakeFrame, refusalIn } from './handshake.ts';
import { PROTOCOL_VERSION } from './limits.ts';
import type { Address } from './peer.ts';
import { LINK_PROTOCOL } from './port.ts';
import type { RpcNode } from './rpc-node.ts';
import { createTestAuthority } from './test-certificates.ts';
import { authority, credentialsOf, echo, HOST, TestCluster, until, wait } from './test-cluster.ts';

const OPTIONS = { timeout: 30_000 };
const LIMITS = { handshakeMs: 500 };

let foreign: CertificateAuthority;
let red: CertificateAuthority;
before(async () => {
  foreign = await createTestAuthority('test');
  red = await createTestAuthority('red');
});

/** Nodes 1 and 2 that are linked, and where node 1 listens. */
async function target(cluster: TestCluster): Promise<{ one: RpcNode; address: Address; isWell: () => Promise<void> }> {
  const [one, two] = await cluster.pair(LIMITS);
  one.handle(echo, ({ text }) => ({ text, by: 1 }));
  one.addPeer(3, HOST, 1);
  const address = await one.listen({ host: HOST, port: 0 });
  const isWell = async (): Promise<void> => {
    assert.equal((await two.call(1, echo, { text: 'well' })).text, 'well');
  };
  await isWell();
  return { one, address, isWell };
}

/** What a node answers to somebody who connects with these options and says `first`; undefined when it closes without a word. */
async function answerTo(address: Address, options: ConnectionOptions, first?: Frame): Promise<Frame | undefined> {
  const socket = connect({ ...address, rejectUnauthorized: false, ALPNProtocols: [LINK_PROTOCOL], ...options });
  let answer: Frame | undefined;
  const decoder = new FrameDecoder({ body: 4096, trailer: 0 }, (frame) => (answer ??= frame));
  socket.on('data', (bytes: Buffer) => decoder.push(bytes));
  socket.on('error', () => {});
  if (first !== undefined) socket.on('secureConnect', () => socket.write(encodeFrame(first)));
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

const hello = (from: number, change: object = {}): Frame =>
  handshakeFrame(FRAME.hello, {
    version: PROTOCOL_VERSION,
    oldest: PROTOCOL_VERSION,
    cluster: 'test',
    from,
    to: 1,
    life: 'x',
    lastLink: '',
    nonce: '0'.repeat(32),
    ...change,
  });

const shown = ({ key, certificate, authority: issuer }: NodeCredentials): ConnectionOptions => ({ key, cert: certificate + issuer });

/** A certificate that says anything, signed by its own key. */
async function selfSigned(name: string): Promise<NodeCredentials> {
  const keys = await createKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=node 2 of test',
    keys,
    signingAlgorithm: SIGNATURE_ALGORITHM,
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: name }]),
    ],
  });
  const pem = `${certificate.toString('pem')}\n`;
  return { key: privateKeyPEM(keys.privateKey), certificate: pem, authority: pem };
}

describe('who connects to a node', OPTIONS, () => {
  const strangers: readonly (readonly [who: string, code: string, options: () => Promise<ConnectionOptions>, first?: Frame])[] = [
    ['shows no certificate', 'KRG_PEER_UNAUTHENTICATED', async () => ({}), hello(2)],
    ['shows no certificate and names no protocol', 'KRG_PEER_UNAUTHENTICATED', async () => ({ ALPNProtocols: undefined })],
    ['has made a certificate itself', 'KRG_PEER_CLUSTER', async () => shown(await selfSigned('spiffe://test/node/2')), hello(2)],
    ['is of another cluster of the same name', 'KRG_PEER_CLUSTER', async () => shown(await foreign.credentialsFor(2)), hello(2)],
    ['is of another cluster', 'KRG_PEER_CLUSTER', async () => shown(await red.credentialsFor(2)), hello(2)],
    ['has a certificate that has expired', 'KRG_PEER_UNAUTHENTICATED', async () => shown(await authority.credentialsFor(2, -0.001))],
    ['says it is another node than its certificate', 'KRG_PEER_IDENTITY', async () => shown(credentialsOf(3)), hello(2)],
    [
      'says it is of another cluster than its certificate',
      'KRG_PEER_CLUSTER',
      async () => shown(credentialsOf(3)),
      hello(3, { cluster: 'red' }),
    ],
    ['greets another node', 'KRG_PEER_IDENTITY', async () => shown(credentialsOf(3)), hello(3, { to: 2 })],
    ['speaks another version', 'KRG_PEER_VERSION', async () => shown(credentialsOf(3)), hello(3, { version: 1 })],
    ['is no node of the cluster', 'KRG_NO_SUCH_NODE', async () => shown(credentialsOf(4)), hello(4)],
  ];
  for (const [who, code, options, first] of strangers) {
    test(`${who}: ${code}`, async () => {
      await using cluster = new TestCluster();
      const { address, isWell } = await target(cluster);
      const answer = await answerTo(address, await options(), first);
      assert.ok(answer);
      assert.equal(answer.type, FRAME.refuse);
      assert.equal(refusalIn(answer).code, code);
      await until(() => cluster.complaints.length > 0);
      assert.deepEqual(
        cluster.complaints.map(({ details }) => [details['code'], typeof details['remote']]),
        [[code, 'string']],
      );
      await isWell();
    });
  }

  test('comes back with the session of a connection that was refused: refused again', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    let session: Buffer | undefined;
    const first = connect({ ...address, rejectUnauthorized: false, ALPNProtocols: [LINK_PROTOCOL] });
    first.on('session', (ticket) => (session = ticket)).resume();
    await new Promise((resolve) => first.once('close', resolve));
    assert.ok(session);
    const answer = await answerTo(address, { session }, hello(2));
    assert.equal(answer && refusalIn(answer).code, 'KRG_PEER_UNAUTHENTICATED');
    await isWell();
  });

  test('speaks an older TLS, no TLS, or another protocol inside: nothing is told, the peer is logged', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    for (const options of [{ maxVersion: 'TLSv1.2' }, { ALPNProtocols: ['h2'] }] as const)
      assert.equal(await answerTo(address, options), undefined);
    const plain = connectTCP(address);
    plain.on('error', () => {}).resume();
    plain.write(encodeFrame(hello(2)));
    await new Promise((resolve) => plain.once('close', resolve));
    await until(() => cluster.complaints.length === 3);
    assert.deepEqual(new Set(cluster.complaints.map(({ details }) => details['code'])), new Set(['KRG_PEER_PROTOCOL']));
    assert.ok(cluster.complaints.every(({ details }) => /^127\.0\.0\.1:\d+$/.test(String(details['remote']))));
    await isWell();
  });
});

describe('whom a node connects to', OPTIONS, () => {
  test('nodes of two clusters: both say so by name, whoever connects', async () => {
    await using cluster = new TestCluster();
    const { one, address, isWell } = await target(cluster);
    const other = cluster.node(2, { trust: new Trust(await foreign.credentialsFor(2)) });
    other.addPeer(1, address.host, address.port);
    await assert.rejects(other.call(1, echo, { text: '' }), { code: 'KRG_PEER_CLUSTER' });
    await until(() => cluster.complaints.filter(({ details }) => details['code'] === 'KRG_PEER_CLUSTER').length === 2);
    one.addPeer(3, HOST, (await other.listen({ host: HOST, port: 0 })).port);
    await assert.rejects(one.call(3, echo, { text: '' }), { code: 'KRG_PEER_CLUSTER' });
    await isWell();
  });

  test('another node than the one that was expected: both ends learn the same code', async () => {
    await using cluster = new TestCluster();
    const { address } = await target(cluster);
    const three = cluster.node(3);
    three.addPeer(5, address.host, address.port);
    await assert.rejects(three.call(5, echo, { text: '' }), { code: 'KRG_PEER_IDENTITY', message: /node 5 was expected .* node 1/ });
    await until(() => cluster.complaints.filter(({ details }) => details['code'] === 'KRG_PEER_IDENTITY').length === 2);
  });

  test('one who has made its certificate itself gets nothing but a refusal', async () => {
    await using cluster = new TestCluster();
    const { key, certificate } = await selfSigned('spiffe://test/node/9');
    const got: Frame[] = [];
    const server = createServer(
      { key, cert: certificate, requestCert: true, rejectUnauthorized: false, ALPNProtocols: [LINK_PROTOCOL] },
      (socket) => {
        const decoder = new FrameDecoder({ body: 4096, trailer: 0 }, (frame) => got.push(frame));
        socket.on('data', (bytes: Buffer) => decoder.push(bytes)).on('error', () => {});
      },
    );
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === 'object');
    const one = cluster.node(1);
    one.addPeer(9, HOST, bound.port);
    await assert.rejects(one.call(9, echo, { text: 'nobody else may read this' }), { code: 'KRG_PEER_CLUSTER' });
    await until(() => got.length > 0);
    assert.deepEqual(
      got.map(({ type }) => type),
      [FRAME.refuse],
    );
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('certificates that change', OPTIONS, () => {
  test('one that is revoked: its links end, it gets no other, and the others go on', async () => {
    const own = await createTestAuthority();
    await using cluster = new TestCluster();
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map(async (id) => cluster.node(id, { limits: LIMITS, trust: new Trust(await own.credentialsFor(id)) })),
    );
    assert.ok(one && two && three);
    const { port } = await one.listen({ host: HOST, port: 0 });
    for (const node of [two, three]) {
      one.addPeer(node.id, HOST, 1);
      node.addPeer(1, HOST, port);
    }
    one.handle(echo, ({ text }) => ({ text, by: 1 }));
    one.handle(wait, () => new Promise(() => {}));
    const waiting = assert.rejects(two.call(1, wait, {}), { code: 'KRG_NODE_DEAD', message: /revoked/ });
    const other = three.call(1, wait, {}).catch(() => {});
    await until(() => one.isConnected(2) && one.isConnected(3));
    const list = await own.revoke(2);
    assert.equal(one.revoke(list), true);
    assert.equal(one.revoke(list), false);
    await waiting;
    assert.equal(one.isConnected(3), true);
    await assert.rejects(two.call(1, echo, { text: '' }), { code: 'KRG_PEER_REVOKED' });
    await until(() => cluster.complaints.some(({ details }) => details['code'] === 'KRG_PEER_REVOKED' && 'remote' in details));
    assert.equal((await three.call(1, echo, { text: 'well' })).text, 'well');
    await one.close();
    await other;
  });

  test('a node that is revoked is not called either', async () => {
    const own = await createTestAuthority();
    await using cluster = new TestCluster();
    const one = cluster.node(1, { trust: new Trust(await own.credentialsFor(1)) });
    const two = cluster.node(2, { trust: new Trust(await own.credentialsFor(2)) });
    two.addPeer(1, HOST, 1);
    one.addPeer(2, HOST, (await two.listen({ host: HOST, port: 0 })).port);
    one.revoke(await own.revoke(2));
    await assert.rejects(one.call(2, echo, { text: '' }), { code: 'KRG_PEER_REVOKED' });
    await until(() => cluster.complaints.filter(({ details }) => details['code'] === 'KRG_PEER_REVOKED').length === 2);
  });

  test('one that is renewed: the link stays, and new links are made with it', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair(LIMITS);
    for (const node of [one, two]) node.handle(echo, ({ text }) => ({ text, by: node.id }));
    await two.call(1, echo, { text: '' });
    one.renew(await authority.credentialsFor(1));
    two.renew(await authority.credentialsFor(2));
    assert.equal(two.isConnected(1), true);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      from.disconnect(to.id);
      await until(() => !to.isConnected(from.id));
      await from.call(to.id, echo, { text: '' });
    }
    const stranger = await authority.credentialsFor(3);
    assert.throws(() => one.renew(stranger), { code: 'KRG_PEER_IDENTITY' });
  });
});
