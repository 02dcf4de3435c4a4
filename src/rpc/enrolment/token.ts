/**
 * A token: what somebody who may add a node gives to it. It says for which node id it is, holds a secret that only the authority and the new
 * node know, and the fingerprint by which the new node knows the authority. Good once, and for a short time.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { KorriganError } from '../../linux/errors.ts';
import type { NodeId } from '../definition.ts';

export interface Token {
  /** Which node the certificate will be for. */
  readonly id: NodeId;
  readonly secret: Uint8Array;
  /** SHA-256 of the authority's certificate (DER). */
  readonly fingerprint: Uint8Array;
}

export const SECRET_BYTES = 16;
const FINGERPRINT_BYTES = 32;
const ID_BYTES = 4;
/** So that a token is recognised where it should not be, such as in a log. */
const PREFIX = 'krg_join_';
const TEXT = /^krg_join_[A-Za-z0-9_-]{70}$/;

/** @param authority its certificate, PEM */
export function fingerprintOf(authority: string): Buffer {
  return createHash('sha256').update(new X509Certificate(authority).raw).digest();
}

export function encodeToken({ id, secret, fingerprint }: Token): string {
  const number = Buffer.alloc(ID_BYTES);
  number.writeUInt32BE(id);
  return PREFIX + Buffer.concat([number, secret, fingerprint]).toString('base64url');
}

/** @throws KorriganError KRG_TOKEN_INVALID */
export function decodeToken(text: string): Token {
  const bytes = TEXT.test(text) ? Buffer.from(text.slice(PREFIX.length), 'base64url') : Buffer.alloc(0);
  if (bytes.length !== ID_BYTES + SECRET_BYTES + FINGERPRINT_BYTES)
    throw new KorriganError('KRG_TOKEN_INVALID', 'this is no token of Korrigan, or not all of it: krg token prints one');
  const secretEnd = ID_BYTES + SECRET_BYTES;
  return { id: bytes.readUInt32BE(), secret: bytes.subarray(ID_BYTES, secretEnd), fingerprint: bytes.subarray(secretEnd) };
}
