/** What a node shows its peers, and whom of them it believes. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { KorriganError } from '../../linux/errors.ts';
import { type NodeCredentials, ownerOf } from './credentials.ts';
import { type CertifiedNode, certifiedNode } from './identity.ts';
import { NOTHING_REVOKED, type RevocationList } from './revocation-list.ts';

/** X.509 verification errors, as Node names them, that mean: signed by somebody else than the authority of this cluster. */
const FOREIGN = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Why the chain of a peer's certificate was not accepted. @param code of the verification error */
export function verificationFailure(code: string): KorriganError {
  return FOREIGN.has(code)
    ? new KorriganError('KRG_PEER_CLUSTER', `the certificate of the peer is of the authority of another cluster (${code})`)
    : new KorriganError('KRG_PEER_UNAUTHENTICATED', `the certificate of the peer is not valid (${code})`);
}

export class Trust {
  #credentials: NodeCredentials;
  #self: CertifiedNode;
  #context: SecureContext;
  #revoked: RevocationList;

  /** @throws KorriganError KRG_BAD_REQUEST when the parts of the credentials do not belong together */
  constructor(credentials: NodeCredentials, revoked: RevocationList = NOTHING_REVOKED) {
    this.#self = ownerOf(credentials);
    this.#credentials = credentials;
    this.#context = createSecureContext(contextOptions(credentials));
    this.#revoked = revoked;
  }

  /** This node. */
  get self(): CertifiedNode {
    return this.#self;
  }

  get revoked(): RevocationList {
    return this.#revoked;
  }

  /** For connections that this node opens. */
  get context(): SecureContext {
    return this.#context;
  }

  /** For the port that it opens. */
  get contextOptions(): SecureContextOptions {
    return contextOptions(this.#credentials);
  }

  get validFrom(): Date {
    return new X509Certificate(this.#credentials.certificate).validFromDate;
  }

  get validTo(): Date {
    return new X509Certificate(this.#credentials.certificate).validToDate;
  }

  /** The authority's certificate, PEM. */
  get authority(): string {
    return this.#credentials.authority;
  }

  /** From now on the node shows a newer certificate. @throws KorriganError KRG_PEER_IDENTITY when it is another node's */
  renew(credentials: NodeCredentials): void {
    const { cluster, id } = ownerOf(credentials);
    if (cluster !== this.#self.cluster || id !== this.#self.id)
      throw new KorriganError('KRG_PEER_IDENTITY', `a certificate of node ${id} of ${cluster} is none for node ${this.#self.id}`);
    this.#self = ownerOf(credentials);
    this.#credentials = credentials;
    this.#context = createSecureContext(contextOptions(credentials));
  }

  /** @returns whether the list is newer than what was known */
  revoke(list: RevocationList): boolean {
    if (list.number <= this.#revoked.number) return false;
    this.#revoked = list;
    return true;
  }

  /** Who is at the other end of a connection whose TLS handshake is done, or why it is not believed. */
  peerOf(socket: TLSSocket): CertifiedNode | KorriganError {
    const certificate = socket.getPeerX509Certificate();
    // A session that is resumed shows no certificate, and Node calls it authorized; no node ever resumes one.
    if (certificate === undefined || socket.isSessionReused())
      return new KorriganError(
        'KRG_PEER_UNAUTHENTICATED',
        'the peer has shown no certificate: every node has one of the authority of its cluster',
      );
    if (!socket.authorized) return verificationFailure(errorCode(socket.authorizationError));
    const node = certifiedNode(certificate);
    if (node === undefined) return new KorriganError('KRG_PEER_UNAUTHENTICATED', 'the certificate of the peer is none of a node');
    if (node.cluster !== this.#self.cluster)
      return new KorriganError('KRG_PEER_CLUSTER', `the certificate of the peer is of node ${node.id} of another cluster, ${node.cluster}`);
    return this.revocationOf(node) ?? node;
  }

  /** The refusal of a node whose certificate was revoked. */
  revocationOf({ id, serial }: Pick<CertifiedNode, 'id' | 'serial'>): KorriganError | undefined {
    if (!this.#revoked.serials.has(serial)) return undefined;
    return new KorriganError('KRG_PEER_REVOKED', `the certificate of node ${id} (${serial}) was revoked: it has to join anew`);
  }
}

/** RFC 8446 only; no second chance for an older version, no session tickets beyond those that TLS 1.3 cannot be told to leave out. */
function contextOptions({ key, certificate, authority }: NodeCredentials): SecureContextOptions {
  return { key, cert: `${certificate.trim()}\n${authority.trim()}\n`, ca: authority, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' };
}

/** `authorizationError` is declared as an Error, and is the code itself on the accepting side. */
function errorCode(error: unknown): string {
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
