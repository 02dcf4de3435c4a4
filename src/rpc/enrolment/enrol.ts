/** The joining node's side of an enrolment. */
import { timingSafeEqual, X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { KorriganError } from '../../linux/errors.ts';
import { type NodeCredentials, ownerOf } from '../certificates/credentials.ts';
import { certifiedNode } from '../certificates/identity.ts';
import { createSigningRequest } from '../certificates/signing-request.ts';
import type { NodeId } from '../definition.ts';
import { dead } from '../failures.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, malformed } from '../frame.ts';
import { handshakeFrame, parseJSON, refusalIn } from '../handshake.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { Address } from '../peer.ts';
import { ENROLMENT_PROTOCOL, tlsFailure } from '../port.ts';
import { OWN_VERSIONS } from '../versions.ts';
import { type AboutNode, enrolledMessage } from './serve.ts';
import { decodeToken, fingerprintOf } from './token.ts';

export interface EnrolOptions {
  readonly timeoutMs?: number;
  /** What the node says of itself. @param local the address from which it asks */
  readonly about?: (local: string) => AboutNode;
}

export interface Enrolled extends NodeCredentials {
  /** The node that has answered. */
  readonly answerer: NodeId;
}

/**
 * Makes a key and asks a node that has the authority for a certificate of it. The token is shown to nobody who is not certified by the
 * authority that it names; the key stays here.
 * @param address of a node's RPC port
 * @throws KorriganError KRG_TOKEN_INVALID, KRG_TOKEN_USED, KRG_TOKEN_EXPIRED; KRG_PEER_CLUSTER when another cluster is there; KRG_NODE_DEAD
 */
export async function enrol(address: Address, token: string, options: EnrolOptions = {}): Promise<Enrolled> {
  const { timeoutMs = DEFAULT_LIMITS.handshakeMs, about } = options;
  const { id, fingerprint } = decodeToken(token);
  const { key, request } = await createSigningRequest();
  const socket = connect({
    ...address,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [ENROLMENT_PROTOCOL],
    // The authority is known by its fingerprint alone: `authorityOf` judges.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  try {
    await secured(socket, timeoutMs);
    const { authority, answerer } = authorityOf(socket, fingerprint);
    const said = about === undefined ? {} : { about: about(socket.localAddress ?? '') };
    const { newest: version, oldest } = OWN_VERSIONS;
    const frame = handshakeFrame(FRAME.enrol, { version, oldest, token, request, ...said });
    const { certificate } = parseJSON(enrolledMessage, await answerTo(socket, frame, timeoutMs));
    const credentials = { key, certificate, authority, answerer };
    const owner = ownerOf(credentials);
    if (owner.id !== id)
      throw new KorriganError('KRG_PEER_IDENTITY', `the token is for node ${id}, but the certificate for node ${owner.id}`);
    return credentials;
  } finally {
    socket.destroy();
  }
}

function secured(socket: TLSSocket, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(dead('the node did not finish the handshake in time')), timeoutMs);
  socket.once('secureConnect', resolve);
  socket.on('error', (cause) => reject(tlsFailure(cause)));
  return promise.finally(() => clearTimeout(late));
}

/** The certificate of the authority, PEM, when it is the one of the fingerprint and has certified the node at the other end; and that node. */
function authorityOf(socket: TLSSocket, fingerprint: Uint8Array): { authority: string; answerer: NodeId } {
  const node = socket.getPeerX509Certificate();
  const authority = node?.issuerCertificate;
  if (node === undefined || authority === undefined || !timingSafeEqual(fingerprintOf(authority.toString()), fingerprint))
    throw new KorriganError('KRG_PEER_CLUSTER', 'the node at this address is of another cluster than the token');
  const now = new Date();
  const isCertified =
    node.checkIssued(authority) && node.verify(authority.publicKey) && node.validFromDate <= now && now <= node.validToDate;
  const answerer = certifiedNode(node)?.id;
  if (isCertified && answerer !== undefined) return { authority: new X509Certificate(authority.raw).toString(), answerer };
  throw new KorriganError('KRG_PEER_UNAUTHENTICATED', 'the certificate of the node at this address is not valid');
}

/** Sends the one frame and waits for the one that answers it. */
function answerTo(socket: TLSSocket, frame: Frame, timeoutMs: number): Promise<Frame> {
  const { promise, resolve, reject } = Promise.withResolvers<Frame>();
  const late = setTimeout(() => reject(dead('the node did not answer in time')), timeoutMs);
  const decoder = new FrameDecoder({ body: DEFAULT_LIMITS.handshakeBytes, trailer: 0 }, (answer) => {
    if (answer.type === FRAME.refuse) reject(refusalIn(answer));
    else if (answer.type === FRAME.enrolled) resolve(answer);
    else reject(malformed(`a frame of type ${answer.type} came in place of a certificate`));
  });
  socket.on('data', (bytes: Buffer) => {
    try {
      decoder.push(bytes);
    } catch (error) {
      reject(error);
    }
  });
  socket.on('error', (cause) => reject(dead(cause.message, { cause })));
  socket.on('close', () => reject(dead('the node closed the connection before it had answered')));
  socket.write(encodeFrame(frame));
  return promise.finally(() => clearTimeout(late));
}
