import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { extendRevocationList, type ListSigner, NOTHING_REVOKED, readRevocationList } from './revocation-list.ts';
import { createKeyPair, SIGNATURE_ALGORITHM } from './signing-request.ts';
import { X509CertificateGenerator } from './x509.ts';

async function signer(): Promise<ListSigner & { readonly certificate: string }> {
  const keys = await createKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({ name: 'CN=test', keys, signingAlgorithm: SIGNATURE_ALGORITHM });
  return { name: 'CN=test', key: keys.privateKey, certificate: certificate.toString('pem') };
}

let authority: Awaited<ReturnType<typeof signer>>;
before(async () => {
  authority = await signer();
});

test('a list comes back with its number and its serials, whatever their first digits', async () => {
  const serials = ['1', '7F', '80', 'FF00', '100', '4A5B'];
  for (const number of [1, 127, 128, 255, 256, 32_768, 2 ** 31, 2 ** 40]) {
    const made = await extendRevocationList({ ...NOTHING_REVOKED, number: number - 1 }, serials, authority);
    const read = await readRevocationList(made.pem, authority.certificate);
    assert.deepEqual(read, made);
    assert.deepEqual([read.number, [...read.serials].toSorted()], [number, serials.toSorted()]);
  }
});

test('a list of somebody else and none at all are refused, and no change makes another one of it', async () => {
  const made = await extendRevocationList(NOTHING_REVOKED, ['AB'], authority);
  const { certificate } = await signer();
  await assert.rejects(readRevocationList(made.pem, certificate), { code: 'KRG_PEER_UNAUTHENTICATED' });
  await assert.rejects(readRevocationList('no list', authority.certificate), { code: 'KRG_BAD_REQUEST' });
  const der = Buffer.from(made.pem.split('\n').slice(1, -1).join(''), 'base64');
  for (let position = 0; position < der.length; position++) {
    const changed = Buffer.from(der);
    changed[position] = (changed[position] ?? 0) ^ 0x55;
    // Lengths and encodings around what is signed may change; what it says may not.
    const read = await readRevocationList(changed.toString('base64'), authority.certificate).catch(() => made);
    assert.deepEqual([read.number, read.serials], [made.number, made.serials], `byte ${position}`);
  }
});
