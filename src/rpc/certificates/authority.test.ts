import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CertificateAuthority, NODE_CERTIFICATE_DAYS } from './authority.ts';
import { ownerOf, readCredentials, writeCredentials } from './credentials.ts';
import { certifiedNode, identityURI } from './identity.ts';
import { NOTHING_REVOKED } from './revocation-list.ts';
import { createSigningRequest } from './signing-request.ts';
import { Trust } from './trust.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let folder: string;
let authority: CertificateAuthority;
let other: CertificateAuthority;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'korrigan-authority-'));
  authority = await CertificateAuthority.create(join(folder, 'blue'), 'blue');
  other = await CertificateAuthority.create(join(folder, 'other'), 'blue');
});
after(() => rmSync(folder, { recursive: true }));

describe('the authority', () => {
  test('issues certificates that name the node, for TLS on both sides, and for the time that is said', async () => {
    const { key, request } = await createSigningRequest();
    const pem = await authority.issue(request, 3);
    const certificate = new X509Certificate(pem);
    assert.deepEqual(certifiedNode(certificate), { cluster: 'blue', id: 3, serial: certificate.serialNumber });
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']); // clientAuth, serverAuth: RFC 5280 §4.2.1.12
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    const days = (certificate.validToDate.getTime() - Date.now()) / DAY_MS;
    assert.ok(Math.abs(days - NODE_CERTIFICATE_DAYS) < 1, `${days} days`);
    assert.ok(certificate.validFromDate.getTime() < Date.now());
    assert.equal(ownerOf({ key, certificate: pem, authority: authority.certificate }).id, 3);
    assert.throws(() => ownerOf({ key, certificate: pem, authority: other.certificate }), { code: 'KRG_BAD_REQUEST' });
    const stranger = await createSigningRequest();
    assert.throws(() => ownerOf({ key: stranger.key, certificate: pem, authority: authority.certificate }), { code: 'KRG_BAD_REQUEST' });
  });

  test('is the same again when it is opened, and its keys are for its owner only', async () => {
    const again = await CertificateAuthority.open(join(folder, 'blue'), 'blue');
    const { request, key } = await createSigningRequest();
    const certificate = await again.issue(request, 4);
    assert.equal(ownerOf({ key, certificate, authority: authority.certificate }).id, 4);
    assert.ok(again.issuedIds.has(4));
    assert.equal(statSync(join(folder, 'blue')).mode & 0o777, 0o700);
    for (const file of readdirSync(join(folder, 'blue')))
      if (file !== 'certificate.pem') assert.equal(statSync(join(folder, 'blue', file)).mode & 0o777, 0o600, file);
    chmodSync(join(folder, 'other', 'key.pem'), 0o640);
    await assert.rejects(CertificateAuthority.open(join(folder, 'other'), 'blue'), { code: 'KRG_PERMISSION' });
    chmodSync(join(folder, 'other', 'key.pem'), 0o600);
    await assert.rejects(CertificateAuthority.create(join(folder, 'blue'), 'blue'), { code: 'EEXIST' });
  });

  test('signs nothing but a request that its own key has signed', async () => {
    const { request } = await createSigningRequest();
    const lines = request.split('\n');
    const der = Buffer.from(lines.slice(1, -1).join(''), 'base64');
    der[40] = (der[40] ?? 0) ^ 1; // within the public key
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    const issued = authority.issuedIds;
    for (const bad of ['', 'x', forged, authority.certificate]) await assert.rejects(authority.issue(bad, 9), { code: 'KRG_BAD_REQUEST' });
    assert.deepEqual(authority.issuedIds, issued);
  });

  test('takes no name that a certificate could not hold unchanged', async () => {
    for (const cluster of ['', 'a/node/1', 'A', 'a,URI:b', 'ä', 'x'.repeat(64)])
      await assert.rejects(CertificateAuthority.create(join(folder, 'never'), cluster), { code: 'KRG_BAD_REQUEST' });
    for (const id of [0, -1, 1.5, 2 ** 31]) assert.throws(() => identityURI({ cluster: 'blue', id }), { code: 'KRG_BAD_REQUEST' });
    assert.equal(certifiedNode(new X509Certificate(authority.certificate)), undefined);
  });

  test('revokes all certificates of a node; lists are numbered, signed, and kept', async () => {
    const serials: string[] = [];
    for (let round = 0; round < 2; round++) {
      const { request } = await createSigningRequest();
      serials.push(new X509Certificate(await authority.issue(request, 7)).serialNumber);
    }
    assert.deepEqual(await authority.revocationList(), NOTHING_REVOKED);
    const list = await authority.revoke(7);
    assert.deepEqual([list.number, list.serials], [1, new Set(serials)]);
    await assert.rejects(authority.revoke(7), { code: 'KRG_NO_SUCH_NODE' });
    await assert.rejects(authority.revoke(77), { code: 'KRG_NO_SUCH_NODE' });
    const again = await CertificateAuthority.open(join(folder, 'blue'), 'blue');
    assert.deepEqual(await again.revocationList(), list);
  });
});

test('two who revoke at the same time lose nothing of each other', async () => {
  const directory = join(folder, 'twice');
  const one = await CertificateAuthority.create(directory, 'blue');
  for (const id of [1, 2, 3, 4]) await one.credentialsFor(id);
  const two = await CertificateAuthority.open(directory, 'blue');
  await Promise.all([one.revoke(1), two.revoke(2), one.revoke(3), two.revoke(4)]);
  const { number, serials } = await two.revocationList();
  assert.deepEqual([number, serials.size], [4, 4]);
});

describe('credentials', () => {
  test('lie in one private file and come back', async () => {
    const { key, request } = await createSigningRequest();
    const credentials = { key, certificate: await authority.issue(request, 1), authority: authority.certificate };
    const path = join(folder, 'identity.pem');
    writeCredentials(path, credentials);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(ownerOf(readCredentials(path)).id, 1);
    writeCredentials(path, credentials);
    chmodSync(path, 0o644);
    assert.throws(() => readCredentials(path), { code: 'KRG_PERMISSION' });
    writeFileSync(path, readFileSync(path, 'utf8').replace(/-----BEGIN PRIVATE[^]*?END PRIVATE KEY-----/, ''));
    chmodSync(path, 0o600);
    assert.throws(() => readCredentials(path), { code: 'KRG_BAD_REQUEST' });
  });

  test('are renewed for the same node only', async () => {
    const make = async (id: number): Promise<Parameters<Trust['renew']>[0]> => {
      const { key, request } = await createSigningRequest();
      return { key, certificate: await authority.issue(request, id), authority: authority.certificate };
    };
    const trust = new Trust(await make(1));
    const { serial } = trust.self;
    trust.renew(await make(1));
    assert.notEqual(trust.self.serial, serial);
    assert.throws(() => {
      trust.renew({ key: '', certificate: '', authority: '' });
    });
    const stranger = await make(2);
    assert.throws(() => trust.renew(stranger), { code: 'KRG_PEER_IDENTITY' });
  });
});
