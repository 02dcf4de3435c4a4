/** The secret of a cluster: what its nodes share and a stranger lacks. It comes from a file, never from a command line, and is never logged. */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { KorriganError } from '../linux/errors.ts';

/** Shorter ones could be guessed offline from a proof that was overheard. */
export const SECRET_BYTES = 32;

/** Makes a new secret in a file that only its owner can read. Fails when the file exists. */
export function createClusterSecret(path: string): Uint8Array {
  const secret = randomBytes(SECRET_BYTES);
  writeFileSync(path, `${secret.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  return secret;
}

/** Reads the secret from its file, which nobody but its owner may be able to read. */
export function readClusterSecret(path: string): Uint8Array {
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new KorriganError(
      'KRG_PERMISSION',
      `${path} holds the secret of the cluster, but others can read it: chmod 600 ${path}, and make a new secret`,
    );
  }
  return checkedSecret(Buffer.from(readFileSync(path, 'utf8').trim(), 'hex'));
}

/** `secret` when it is long enough, else KRG_BAD_REQUEST. */
export function checkedSecret(secret: Uint8Array): Uint8Array {
  if (secret.byteLength >= SECRET_BYTES) return secret;
  throw new KorriganError(
    'KRG_BAD_REQUEST',
    `the secret of the cluster has ${secret.byteLength} bytes; it needs ${SECRET_BYTES}, written in hexadecimal`,
  );
}
