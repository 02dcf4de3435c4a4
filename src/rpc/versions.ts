/** Which version of the wire two ends speak: the newest that both know. A version is given up two versions later, so neighbours work together. */
import { KorriganError } from '../linux/errors.ts';
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from './limits.ts';

/** All versions between the two, both included. */
export interface Versions {
  readonly oldest: number;
  readonly newest: number;
}

export const OWN_VERSIONS: Versions = { oldest: OLDEST_PROTOCOL_VERSION, newest: PROTOCOL_VERSION };

/** As an end says what it speaks. One that does not name its oldest version speaks one only. */
export interface SpokenVersions {
  readonly version: number;
  readonly oldest?: number | undefined;
}

/** @param who this end, for the message @returns the version that both speak, or why there is none */
export function agreeOnVersion(who: string, own: Versions, peer: SpokenVersions): number | KorriganError {
  const oldest = Math.min(peer.oldest ?? peer.version, peer.version);
  const common = Math.min(own.newest, peer.version);
  if (common >= own.oldest && common >= oldest) return common;
  return new KorriganError(
    'KRG_PEER_VERSION',
    `${who} speaks ${inWords(own)} of the protocol between nodes, its peer ${inWords({ oldest, newest: peer.version })}: update the older one; versions that follow each other work together`,
  );
}

function inWords({ oldest, newest }: Versions): string {
  return oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
}
