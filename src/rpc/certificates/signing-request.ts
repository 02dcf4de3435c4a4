/** The joining node's side of a certificate: a key pair that is made where it is used, and the request that travels (PKCS #10, RFC 2986). */
import { KeyObject, type webcrypto } from 'node:crypto';
import { KorriganError } from '../../linux/errors.ts';

/** ECDSA on P-256 with SHA-256: FIPS 186-5; what every TLS 1.3 implementation must have (RFC 8446 §9.1). */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const SIGNATURE_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;

export interface SigningRequest {
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PKCS #10, PEM. Names nobody: who the certificate is for is said by the authority. */
  readonly request: string;
}

export function createKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
}

export function privateKeyPEM(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Makes a key and the request for a certificate of it. */
export async function createSigningRequest(): Promise<SigningRequest> {
  const { Pkcs10CertificateRequestGenerator } = await import('./x509.ts');
  const keys = await createKeyPair();
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: SIGNATURE_ALGORITHM });
  return { key: privateKeyPEM(keys.privateKey), request: request.toString('pem') };
}

/**
 * The public key that a request is for, after checking that whoever made it has the private one.
 * @throws KorriganError KRG_BAD_REQUEST
 */
export async function requestedKey(request: string): Promise<webcrypto.CryptoKey> {
  const { Pkcs10CertificateRequest } = await import('./x509.ts');
  try {
    const parsed = new Pkcs10CertificateRequest(request);
    const key = await parsed.publicKey.export(KEY_ALGORITHM, ['verify']);
    if (await parsed.verify()) return key;
  } catch (cause) {
    throw new KorriganError('KRG_BAD_REQUEST', 'the signing request cannot be read: it is PKCS #10 in PEM, for a key on P-256', { cause });
  }
  throw new KorriganError('KRG_BAD_REQUEST', 'the signing request is not signed by the key that it is for');
}
