/**
 * The handshake: how two nodes agree on the protocol, the cluster, who they are, and prove that both know the secret of the cluster.
 *
 *     opener → acceptor   hello   version, cluster, ids, life, nonce
 *     acceptor → opener   hello   the same of its own, or refuse
 *     opener → acceptor   proof   HMAC(secret, "opener", both hellos), or refuse
 *     acceptor → opener   proof   HMAC(secret, "acceptor", both hellos), or refuse
 *
 * The opener proves itself first, so a stranger learns nothing. Both hellos, with their nonces, are covered by both proofs.
 * Bodies are JSON: a stranger's bytes reach no other parser. Pure: `(state, frame) → step`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import { PROTOCOL_VERSION } from './limits.ts';

const helloSchema = z.object({
  version: z.int().nonnegative(),
  cluster: z.string().min(1).max(200),
  /** Who greets. */
  from: z.int().positive(),
  /** Who is greeted. */
  to: z.int().positive(),
  /** Made anew whenever the node's process starts. */
  life: z.string().min(1).max(64),
  /** The last link that the greeter had with the greeted, '' when it had none. */
  lastLink: z.string().max(64),
  /** Freshly random. The opener's nonce is the id of the link. */
  nonce: z.string().length(32),
});

export type Hello = z.infer<typeof helloSchema>;

/** A peer of any version must be able to read the version and a refusal. */
const versionSchema = z.object({ version: z.int().nonnegative() });
const refuseSchema = z.object({ code: z.string().max(100), message: z.string().max(2000) });
const proofSchema = z.object({ proof: z.hex().length(64) });

/** Who this node is. `secret` never leaves it. */
export interface Identity {
  readonly id: number;
  readonly cluster: string;
  readonly life: string;
  readonly secret: Uint8Array;
}

/** Refusal of a second link between the same two nodes; not an error, the other link is used. */
export const DUPLICATE_LINK = 'KRG_DUPLICATE_LINK';

/** What the acceptor's node says to a greeting: undefined to go on. Asked twice, at the hello and at the proof. */
export type Admit = (hello: Hello) => KorriganError | undefined;

export type Handshake =
  | { readonly kind: 'opener-greeted'; readonly own: Identity; readonly hello: Hello; readonly helloBytes: Uint8Array }
  | { readonly kind: 'opener-proved'; readonly own: Identity; readonly transcript: Transcript }
  | { readonly kind: 'acceptor-waits'; readonly own: Identity; readonly admit: Admit; readonly lastLinkWith: (peer: number) => string }
  | { readonly kind: 'acceptor-greeted'; readonly own: Identity; readonly admit: Admit; readonly transcript: Transcript };

interface Transcript {
  readonly opener: Hello;
  readonly acceptor: Hello;
  readonly openerBytes: Uint8Array;
  readonly acceptorBytes: Uint8Array;
}

export type Step =
  | { readonly kind: 'go-on'; readonly send: Frame; readonly next: Handshake }
  | { readonly kind: 'open'; readonly send: Frame | undefined; readonly link: AgreedLink }
  | { readonly kind: 'refused'; readonly send: Frame | undefined; readonly error: KorriganError };

/** What the two ends have agreed on. */
export interface AgreedLink {
  /** The same on both ends, different for every link. */
  readonly id: string;
  readonly peer: number;
  readonly peerLife: string;
  readonly opener: boolean;
}

/** The opener's first step. */
export function greet(own: Identity, peer: number, lastLink: string): { next: Handshake; send: Frame } {
  const hello = makeHello(own, peer, lastLink);
  const helloBytes = toJSONBytes(hello);
  return { next: { kind: 'opener-greeted', own, hello, helloBytes }, send: handshakeFrame(FRAME.hello, helloBytes) };
}

/** What a frame of the handshake leads to. Throws KRG_PEER_PROTOCOL for one that is malformed or out of place. */
export function advance(state: Handshake, frame: Frame): Step {
  if (frame.type === FRAME.refuse) {
    const { code, message } = parse(refuseSchema, frame);
    return { kind: 'refused', send: undefined, error: new KorriganError(code, message) };
  }
  switch (state.kind) {
    case 'opener-greeted':
      return openerGetsHello(state, expect(frame, FRAME.hello));
    case 'opener-proved':
      return openerGetsProof(state, expect(frame, FRAME.proof));
    case 'acceptor-waits':
      return acceptorGetsHello(state, expect(frame, FRAME.hello));
    case 'acceptor-greeted':
      return acceptorGetsProof(state, expect(frame, FRAME.proof));
  }
}

function openerGetsHello(state: Handshake & { kind: 'opener-greeted' }, frame: Frame): Step {
  const { own, hello, helloBytes } = state;
  const mismatch = compare(own, frame);
  if (mismatch !== undefined) return refuse(mismatch);
  const answer = parse(helloSchema, frame);
  if (answer.from !== hello.to || answer.to !== own.id) return refuse(wrongIdentity(hello.to, answer.from));
  const transcript = { opener: hello, acceptor: answer, openerBytes: helloBytes, acceptorBytes: frame.body };
  return { kind: 'go-on', send: proofFrame(own, 'opener', transcript), next: { kind: 'opener-proved', own, transcript } };
}

function openerGetsProof({ own, transcript }: Handshake & { kind: 'opener-proved' }, frame: Frame): Step {
  if (!isProof(own, 'acceptor', transcript, frame)) return refuse(notProven(transcript.acceptor.from));
  const { acceptor, opener } = transcript;
  return { kind: 'open', send: undefined, link: { id: opener.nonce, peer: acceptor.from, peerLife: acceptor.life, opener: true } };
}

function acceptorGetsHello(state: Handshake & { kind: 'acceptor-waits' }, frame: Frame): Step {
  const { own, admit, lastLinkWith } = state;
  const mismatch = compare(own, frame);
  if (mismatch !== undefined) return refuse(mismatch);
  const hello = parse(helloSchema, frame);
  if (hello.to !== own.id) return refuse(wrongIdentity(hello.to, own.id));
  const refusal = admit(hello);
  if (refusal !== undefined) return refuse(refusal);
  const answer = makeHello(own, hello.from, lastLinkWith(hello.from));
  const answerBytes = toJSONBytes(answer);
  const transcript = { opener: hello, acceptor: answer, openerBytes: frame.body, acceptorBytes: answerBytes };
  return { kind: 'go-on', send: handshakeFrame(FRAME.hello, answerBytes), next: { kind: 'acceptor-greeted', own, admit, transcript } };
}

function acceptorGetsProof({ own, admit, transcript }: Handshake & { kind: 'acceptor-greeted' }, frame: Frame): Step {
  const { opener } = transcript;
  if (!isProof(own, 'opener', transcript, frame)) return refuse(notProven(opener.from));
  const refusal = admit(opener);
  if (refusal !== undefined) return refuse(refusal);
  const link = { id: opener.nonce, peer: opener.from, peerLife: opener.life, opener: false };
  return { kind: 'open', send: proofFrame(own, 'acceptor', transcript), link };
}

function makeHello(own: Identity, to: number, lastLink: string): Hello {
  const nonce = randomBytes(16).toString('hex');
  return { version: PROTOCOL_VERSION, cluster: own.cluster, from: own.id, to, life: own.life, lastLink, nonce };
}

/** Version and cluster come first: of a hello of another version nothing else can be understood. */
function compare(own: Identity, frame: Frame): KorriganError | undefined {
  const { version } = parse(versionSchema, frame);
  if (version !== PROTOCOL_VERSION) {
    const text = `node ${own.id} speaks version ${PROTOCOL_VERSION} of the protocol between nodes, its peer version ${version}: run the same Korrigan on both`;
    return new KorriganError('KRG_PEER_VERSION', text);
  }
  const hello = parse(helloSchema, frame);
  if (hello.cluster !== own.cluster) {
    return new KorriganError(
      'KRG_PEER_CLUSTER',
      `node ${own.id} belongs to another cluster than its peer (node ${hello.from} of ${hello.cluster})`,
    );
  }
  return undefined;
}

function wrongIdentity(wanted: number, found: number): KorriganError {
  return new KorriganError(
    'KRG_PEER_IDENTITY',
    `node ${wanted} was expected at this address, but node ${found} is there: correct the list of nodes`,
  );
}

function notProven(peer: number): KorriganError {
  const text = `the peer that says it is node ${peer} did not prove that it knows the secret of the cluster: give all nodes the same secret`;
  return new KorriganError('KRG_PEER_UNAUTHENTICATED', text);
}

function refuse(error: KorriganError): Step {
  const send = handshakeFrame(FRAME.refuse, toJSONBytes({ code: error.code, message: error.message.slice(0, 2000) }));
  return { kind: 'refused', send, error };
}

type Role = 'opener' | 'acceptor';

function prove(own: Identity, role: Role, { openerBytes, acceptorBytes }: Transcript): Buffer {
  const hmac = createHmac('sha256', own.secret).update(`korrigan rpc ${role}\0`);
  // The size in front keeps the border between the two hellos from being moved.
  return hmac.update(`${openerBytes.byteLength}\0`).update(openerBytes).update(acceptorBytes).digest();
}

function proofFrame(own: Identity, role: Role, transcript: Transcript): Frame {
  return handshakeFrame(FRAME.proof, toJSONBytes({ proof: prove(own, role, transcript).toString('hex') }));
}

function isProof(own: Identity, role: Role, transcript: Transcript, frame: Frame): boolean {
  const { proof } = parse(proofSchema, frame);
  return timingSafeEqual(Buffer.from(proof, 'hex'), prove(own, role, transcript));
}

function handshakeFrame(type: Frame['type'], body: Uint8Array): Frame {
  return { type, id: 0, body, trailer: NO_BYTES };
}

function toJSONBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function expect(frame: Frame, type: Frame['type']): Frame {
  if (frame.type !== type) throw malformed(`a frame of type ${frame.type} came in place of the handshake's ${type}`);
  return frame;
}

function parse<T>(schema: z.ZodType<T>, frame: Frame): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(frame.body).toString('utf8'));
  } catch (cause) {
    throw malformed('a message of the handshake is not JSON', { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw malformed(`a message of the handshake has the wrong form: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
