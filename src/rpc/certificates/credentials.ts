/** What a node proves itself with, in one private file: its key, its certificate and the certificate of the authority, each as PEM. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { KorriganError } from '../../linux/errors.ts';
import { type CertifiedNode, certifiedNode } from './identity.ts';
import { readPrivateFile, replacePrivateFile } from './private-files.ts';

export interface NodeCredentials {
  /** PKCS #8, PEM. Never leaves the node. */
  readonly key: string;
  /** The node's certificate, PEM. */
  readonly certificate: string;
  /** The certificate of the cluster's authority, PEM. */
  readonly authority: string;
}

const BLOCKS = /-----BEGIN (PRIVATE KEY|CERTIFICATE)-----[^-]+-----END \1-----/g;

export function writeCredentials(path: string, { key, certificate, authority }: NodeCredentials): void {
  replacePrivateFile(path, [key, certificate, authority].map((block) => `${block.trim()}\n`).join(''));
}

/** @throws KorriganError KRG_PERMISSION when others can read the file, KRG_BAD_REQUEST when it does not hold what it should */
export function readCredentials(path: string): NodeCredentials {
  const blocks = Array.from(readPrivateFile(path).matchAll(BLOCKS), ([block, kind]) => ({ block, kind }));
  const [key, certificate, authority] = blocks;
  if (blocks.length !== 3 || key?.kind !== 'PRIVATE KEY' || certificate?.kind !== 'CERTIFICATE' || authority?.kind !== 'CERTIFICATE')
    throw new KorriganError('KRG_BAD_REQUEST', `${path} should hold a key, a certificate and the certificate of the authority`);
  const credentials = { key: key.block, certificate: certificate.block, authority: authority.block };
  ownerOf(credentials);
  return credentials;
}

/** Whose credentials these are. @throws KorriganError KRG_BAD_REQUEST when their parts do not belong together */
export function ownerOf({ key, certificate, authority }: NodeCredentials): CertifiedNode {
  const own = new X509Certificate(certificate);
  const issuer = new X509Certificate(authority);
  const node = certifiedNode(own);
  if (node === undefined || !own.checkPrivateKey(createPrivateKey(key)) || !own.checkIssued(issuer) || !own.verify(issuer.publicKey))
    throw new KorriganError('KRG_BAD_REQUEST', 'the key, the certificate and the authority of a node do not belong together');
  return node;
}
