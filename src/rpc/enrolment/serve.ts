/** The authority's side of an enrolment: one connection without a certificate, one request, one answer. */
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { dead } from '../failures.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, malformed } from '../frame.ts';
import { handshakeFrame, parseJSON, versionSchema } from '../handshake.ts';
import type { RpcLimits } from '../limits.ts';
import type { RpcLog } from '../log.ts';
import { refuseConnection } from '../refused-connection.ts';
import { agreeOnVersion, OWN_VERSIONS } from '../versions.ts';

/** What a node that wants to join says of itself; flat, for a stranger says it. */
const aboutNode = z.record(z.string().max(32), z.union([z.string().max(256), z.number(), z.boolean()]));
export type AboutNode = z.output<typeof aboutNode>;

/** What the joining node sends, once it knows the authority: the token and a signing request (PKCS #10, PEM). */
export const enrolMessage = z.object({
  version: z.int(),
  oldest: z.int(),
  token: z.string().max(200),
  request: z.string().max(2000),
  about: aboutNode.optional(),
});
/** What it gets: a certificate (PEM) that says which node it is. */
export const enrolledMessage = z.object({ certificate: z.string() });

/** Answers a request with a certificate, PEM. @param about what the node says of itself @throws KorriganError that says why not */
export type Enrol = (token: string, request: string, about?: AboutNode) => Promise<string>;

export interface EnrolmentConnection {
  readonly enrol: Enrol | undefined;
  readonly limits: RpcLimits;
  readonly log: RpcLog;
  /** Called when the connection has ended. */
  readonly settled: () => void;
}

/** Serves one connection to its end. */
export function serveEnrolment(socket: TLSSocket, { enrol, limits, log, settled }: EnrolmentConnection): void {
  const remote = `${socket.remoteAddress}:${socket.remotePort}`;
  const late = setTimeout(() => refuse(dead('it did not ask for a certificate in time')), limits.handshakeMs);
  let isAnswered = false;

  const answer = (): boolean => {
    if (isAnswered) return false;
    isAnswered = true;
    clearTimeout(late);
    return true;
  };
  const refuse = (error: unknown): void => {
    if (!answer()) return;
    const reason = toKorriganError(error);
    log.warn({ remote, code: reason.code, reason: reason.message }, 'an enrolment was refused');
    refuseConnection(socket, reason, limits.handshakeMs);
  };
  const receive = async (frame: Frame): Promise<void> => {
    if (enrol === undefined)
      throw new KorriganError('KRG_NOT_SUPPORTED', 'this node cannot enrol others: it does not have the authority of the cluster');
    if (frame.type !== FRAME.enrol) throw malformed(`a frame of type ${frame.type} came in place of a request to enrol`);
    const version = agreeOnVersion('this node', OWN_VERSIONS, parseJSON(versionSchema, frame));
    if (version instanceof KorriganError) throw version;
    const { token, request, about } = parseJSON(enrolMessage, frame);
    const certificate = await enrol(token, request, about);
    if (!answer()) return;
    log.info({ remote }, 'a node was enrolled');
    socket.end(encodeFrame(handshakeFrame(FRAME.enrolled, { certificate })));
  };

  let hasAsked = false;
  const decoder = new FrameDecoder({ body: limits.handshakeBytes, trailer: 0 }, (frame) => {
    // What follows the first request is not looked at.
    if (hasAsked) return;
    hasAsked = true;
    receive(frame).catch(refuse);
  });
  socket.on('data', (bytes: Buffer) => {
    if (hasAsked) return;
    try {
      decoder.push(bytes);
    } catch (error) {
      hasAsked = true;
      refuse(error);
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    refuse(dead('it closed the connection before it had an answer'));
    settled();
  });
}
