/** Enrolment by whoever has the authority of the cluster: gives out tokens, and certificates for them. */
import { join } from 'node:path';
import { KorriganError } from '../../linux/errors.ts';
import type { CertificateAuthority } from '../certificates/authority.ts';
import { requestedKey } from '../certificates/signing-request.ts';
import type { NodeId } from '../definition.ts';
import { decodeToken, encodeToken, fingerprintOf } from './token.ts';
import { TokenStore } from './token-store.ts';

export interface NewToken {
  readonly token: string;
  /** Which node it is for. */
  readonly id: NodeId;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export class Enrolment {
  readonly #authority: CertificateAuthority;
  readonly #tokens: TokenStore;

  /** @param directory of the authority; tokens lie in it, too */
  constructor(authority: CertificateAuthority, directory: string) {
    this.#authority = authority;
    this.#tokens = new TokenStore(join(directory, 'tokens'));
  }

  /** @param last the largest id that a node can have @param validMs for how long the token is good @throws KorriganError KRG_LIMIT */
  createToken(last: NodeId, validMs: number): NewToken {
    const issued = this.#authority.issuedIds;
    const { id, secret, expires } = this.#tokens.create((candidate) => issued.has(candidate), last, validMs);
    return { token: encodeToken({ id, secret, fingerprint: fingerprintOf(this.#authority.certificate) }), id, expires };
  }

  /** A certificate, PEM, for a token and a signing request, PEM. @throws KorriganError KRG_TOKEN_INVALID, _USED, _EXPIRED, KRG_BAD_REQUEST */
  async enrol(text: string, request: string): Promise<string> {
    const token = decodeToken(text);
    if (!fingerprintOf(this.#authority.certificate).equals(token.fingerprint))
      throw new KorriganError('KRG_TOKEN_INVALID', 'the token is of another cluster');
    // A stranger's request is not looked at, and a request that is wrong does not use the token up.
    this.#tokens.check(token);
    await requestedKey(request);
    this.#tokens.use(token);
    return this.#authority.issue(request, token.id);
  }
}
