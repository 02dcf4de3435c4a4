/** Tokens and the certificates that they are good for: a real node with its port, and a program that has nothing but a token. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import fc from 'fast-check';
import { CertificateAuthority } from '../certificates/authority.ts';
import { ownerOf } from '../certificates/credentials.ts';
import { createKeyPair, createSigningRequest, privateKeyPEM, SIGNATURE_ALGORITHM } from '../certificates/signing-request.ts';
import { Trust } from '../certificates/trust.ts';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '../certificates/x509.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, NO_BYTES } from '../frame.ts';
import { handshakeFrame, refusalIn } from '../handshake.ts';
import { PROTOCOL_VERSION } from '../limits.ts';
import type { Address } from '../peer.ts';
import { ENROLMENT_PROTOCOL } from '../port.ts';
import { echo, HOST, TestCluster, until } from '../test-cluster.ts';
import { enrol } from './enrol.ts';
import { Enrolment } from './enrolment.ts';
import { TokenStore } from './token-store.ts';
import { decodeToken, encodeToken } from './token.ts';

const OPTIONS = { timeout: 30_000 };
const MINUTE_MS = 60_000;

let folder: string;
let authority: CertificateAuthority;
let enrolment: Enrolment;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'korrigan-enrolment-'));
  authority = await CertificateAuthority.create(join(folder, 'authority'), 'blue');
  enrolment = new Enrolment(authority, join(folder, 'authority'));
});
after(() => rmSync(folder, { recursive: true }));

const offer = (request: string, token: string): Promise<string> => enrolment.enrol(token, request);
const bad = <T>(work: Promise<T>, code: string): Promise<void> => assert.rejects(work, { code });

describe('tokens', OPTIONS, () => {
  test('are for ids that nobody has, each for another one, and only their digests are kept', async () => {
    await authority.credentialsFor(1);
    const tokens = [enrolment.createToken(9, MINUTE_MS), enrolment.createToken(9, MINUTE_MS)];
    assert.deepEqual(
      tokens.map(({ id }) => id),
      [2, 3],
    );
    const files = join(folder, 'authority', 'tokens');
    for (const { token } of tokens) {
      const { secret } = decodeToken(token);
      for (const file of readdirSync(files)) {
        assert.equal(statSync(join(files, file)).mode & 0o777, 0o600);
        const text = readFileSync(join(files, file), 'utf8');
        for (const form of ['hex', 'base64', 'base64url'] as const) assert.ok(!text.includes(Buffer.from(secret).toString(form)));
      }
    }
    assert.throws(() => enrolment.createToken(3, MINUTE_MS), { code: 'KRG_LIMIT' });
  });

  test('are good once, also when many use one at the same time', async () => {
    const { token, id } = enrolment.createToken(99, MINUTE_MS);
    const { request } = await createSigningRequest();
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => offer(request, token)));
    const issued = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    assert.equal(issued.length, 1);
    assert.match(new X509Certificate(issued[0] ?? '').subject, new RegExp(`node ${id} of blue`));
    await bad(offer(request, token), 'KRG_TOKEN_USED');
  });

  test('are good for their time; later they are expired, and much later unknown', () => {
    let now = 1_000_000;
    const store = new TokenStore(join(folder, 'timed'), () => now);
    const token = store.create(() => false, 5, MINUTE_MS);
    store.check(token);
    now += MINUTE_MS;
    assert.throws(() => store.use(token), { code: 'KRG_TOKEN_EXPIRED' });
    now += 60 * MINUTE_MS + 1;
    assert.equal(store.create(() => false, 5, MINUTE_MS).id, token.id);
    assert.throws(() => store.check(token), { code: 'KRG_TOKEN_INVALID' });
  });

  test('that are wrong are refused, whatever is wrong with them, and tell nothing of others', async () => {
    const { token } = enrolment.createToken(99, MINUTE_MS);
    const { request } = await createSigningRequest();
    const { id, secret, fingerprint } = decodeToken(token);
    const zeros = Buffer.alloc(16);
    const wrong = [
      '',
      'krg_join_',
      `${token}A`,
      token.slice(0, -1),
      encodeToken({ id: id + 1, secret, fingerprint }),
      encodeToken({ id, secret: zeros, fingerprint }),
      encodeToken({ id, secret, fingerprint: createHash('sha256').digest() }),
    ];
    for (const each of wrong) await bad(offer(request, each), 'KRG_TOKEN_INVALID');
    await bad(offer('no request', token), 'KRG_BAD_REQUEST');
    await offer(request, token); // not used up by all that
    await bad(offer(request, encodeToken({ id, secret: zeros, fingerprint })), 'KRG_TOKEN_INVALID');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.throws(() => decodeToken(text), { code: 'KRG_TOKEN_INVALID' });
      }),
    );
  });
});

describe('enrolment over the port of a node', OPTIONS, () => {
  /** Node 50 of the cluster, which has the authority. */
  async function target(cluster: TestCluster, change: object = {}): Promise<{ address: Address; isWell: () => Promise<void> }> {
    const limits = { handshakeMs: 400 };
    const trust = new Trust(await authority.credentialsFor(50));
    const node = cluster.node(50, { trust, limits, enrol: (token: string, request: string) => enrolment.enrol(token, request), ...change });
    const friend = cluster.node(51, { trust: new Trust(await authority.credentialsFor(51)), limits });
    node.handle(echo, ({ text }) => ({ text, by: 50 }));
    node.addPeer(51, HOST, 1);
    const address = await node.listen({ host: HOST, port: 0 });
    friend.addPeer(50, address.host, address.port);
    const isWell = async (): Promise<void> => {
      assert.equal((await friend.call(50, echo, { text: 'well' })).by, 50);
    };
    return { address, isWell };
  }

  test('a token gets a certificate, with which its owner is known to the cluster; a second time it gets nothing', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    const { token, id } = enrolment.createToken(99, MINUTE_MS);
    const credentials = await enrol(address, token);
    assert.deepEqual({ ...ownerOf(credentials), serial: '' }, { cluster: 'blue', id, serial: '' });
    await bad(enrol(address, token), 'KRG_TOKEN_USED');
    // A node that nobody has been told of: known by its certificate, and no member.
    const joined = cluster.node(id, { trust: new Trust(credentials) });
    joined.addPeer(50, address.host, address.port);
    await bad(joined.call(50, echo, { text: '' }), 'KRG_NO_SUCH_NODE');
    assert.ok(!JSON.stringify(cluster.log).includes(token));
    await isWell();
  });

  test('a token that is wrong or expired is refused by name, and logged with the peer', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    const { token } = enrolment.createToken(99, MINUTE_MS);
    const { id, fingerprint } = decodeToken(token);
    const wrong = encodeToken({ id, secret: Buffer.alloc(16), fingerprint });
    await bad(enrol(address, wrong), 'KRG_TOKEN_INVALID');
    await bad(enrol(address, enrolment.createToken(99, 0).token), 'KRG_TOKEN_EXPIRED');
    assert.deepEqual(
      cluster.complaints.map(({ details }) => details['code']),
      ['KRG_TOKEN_INVALID', 'KRG_TOKEN_EXPIRED'],
    );
    assert.ok(cluster.complaints.every(({ details }) => typeof details['remote'] === 'string'));
    await isWell();
  });

  test('the token is not shown to a node of another cluster, whatever that says', async () => {
    await using cluster = new TestCluster();
    const asked: string[] = [];
    const foreign = await CertificateAuthority.create(join(folder, `foreign-${asked.length}`), 'blue');
    const trust = new Trust(await foreign.credentialsFor(5));
    const liar = cluster.node(5, { trust, enrol: (token) => Promise.resolve(asked.push(token)).then(() => '') });
    const { token } = enrolment.createToken(99, MINUTE_MS);
    await bad(enrol(await liar.listen({ host: HOST, port: 0 }), token), 'KRG_PEER_CLUSTER');
    assert.deepEqual(asked, []);
  });

  test('nor to one who shows the certificate of the authority behind one that it has not signed', async () => {
    const keys = await createKeyPair();
    const forged = await X509CertificateGenerator.create({
      subject: 'CN=node 50 of blue',
      issuer: new X509Certificate(authority.certificate).subject,
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: SIGNATURE_ALGORITHM,
      extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://blue/node/50' }])],
    });
    const cert = `${forged.toString('pem')}\n${authority.certificate}`;
    let received = 0;
    const server = createServer({ key: privateKeyPEM(keys.privateKey), cert, ALPNProtocols: [ENROLMENT_PROTOCOL] }, (socket) => {
      socket.on('data', (bytes: Buffer) => (received += bytes.length)).on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === 'object');
    await bad(enrol({ host: HOST, port: bound.port }, enrolment.createToken(99, MINUTE_MS).token), 'KRG_PEER_UNAUTHENTICATED');
    await new Promise((resolve) => server.close(resolve));
    assert.equal(received, 0);
  });

  test('a node without the authority says so; where nobody is, that is said', async () => {
    await using cluster = new TestCluster();
    const { address } = await target(cluster, { enrol: undefined });
    const { token } = enrolment.createToken(99, MINUTE_MS);
    await bad(enrol(address, token), 'KRG_NOT_SUPPORTED');
    await bad(enrol({ host: HOST, port: 1 }, token), 'KRG_NODE_DEAD');
  });

  const requests: readonly (readonly [what: string, code: string, send: () => Uint8Array])[] = [
    ['nothing', 'KRG_NODE_DEAD', () => NO_BYTES],
    ['half a frame', 'KRG_NODE_DEAD', () => encodeFrame(handshakeFrame(FRAME.enrol, {})).subarray(0, 10)],
    ['no frame', 'KRG_PEER_PROTOCOL', () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    [
      'a frame that is too large',
      'KRG_PEER_PROTOCOL',
      () => encodeFrame({ type: FRAME.enrol, id: 0, body: Buffer.alloc(4097), trailer: NO_BYTES }),
    ],
    ['a hello', 'KRG_PEER_PROTOCOL', () => encodeFrame(handshakeFrame(FRAME.hello, {}))],
    ['no request', 'KRG_PEER_PROTOCOL', () => encodeFrame(handshakeFrame(FRAME.enrol, { version: PROTOCOL_VERSION }))],
    ['another version', 'KRG_PEER_VERSION', () => encodeFrame(handshakeFrame(FRAME.enrol, { version: 99, token: '', request: '' }))],
  ];
  for (const [what, code, send] of requests) {
    test(`who asks with ${what} is refused: ${code}`, async () => {
      await using cluster = new TestCluster();
      const { address, isWell } = await target(cluster);
      const socket = connect({ ...address, rejectUnauthorized: false, ALPNProtocols: [ENROLMENT_PROTOCOL] });
      let answer: Frame | undefined;
      const decoder = new FrameDecoder({ body: 4096, trailer: 0 }, (frame) => (answer ??= frame));
      socket.on('data', (bytes: Buffer) => decoder.push(bytes)).on('error', () => {});
      socket.on('secureConnect', () => socket.write(send()));
      await new Promise((resolve) => socket.once('close', resolve));
      assert.equal(answer && refusalIn(answer).code, code);
      await until(() => cluster.complaints.some(({ details }) => details['code'] === code));
      await isWell();
    });
  }
});
