/** A certificate for somebody who has a token and no daemon. */
import { existsSync } from 'node:fs';
import { KorriganError } from '../linux/errors.ts';
import { type Address, enrol, ownerOf, writeCredentials } from '../rpc/index.ts';

/** @param path where the key and the certificates go, in one file of mode 0600 @throws KorriganError KRG_BAD_REQUEST when it exists; see rpc's enrol */
export async function enrolInto(address: Address, token: string, path: string): Promise<{ cluster: string; id: number }> {
  if (existsSync(path)) throw new KorriganError('KRG_BAD_REQUEST', `${path} exists: nothing is written over keys`);
  const credentials = await enrol(address, token);
  writeCredentials(path, credentials);
  const { cluster, id } = ownerOf(credentials);
  return { cluster, id };
}
