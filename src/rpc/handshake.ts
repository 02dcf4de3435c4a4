/**
 * The handshake: how two nodes that have shown each other their certificates agree on the protocol, the cluster, who they are, and the link.
 *
 *     opener → acceptor   hello   versions, cluster, ids, life, nonce
 *     acceptor → opener   hello   the same of its own, or refuse
 *     opener → acceptor   agree   or refuse
 *     acceptor → opener   agree   or refuse
 *
 * It runs inside TLS; what a hello says of its sender must be what the certificate says. The acceptor may refuse before it has got anything.
 * Bodies are JSON: a peer's bytes reach no other parser before it is known. Pure: `(state, frame) → step`.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import type { CertifiedNode } from './certificates/identity.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import { agreeOnVersion, type Versions } from './versions.ts';

const helloSchema = z.object({
  /** The newest version that the greeter speaks, and the oldest. */
  version: z.int().nonnegative(),
  oldest: z.int().nonnegative(),
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
export const versionSchema = z.object({ version: z.int().nonnegative(), oldest: z.int().nonnegative().optional() });
const refuseSchema = z.object({ code: z.string().max(100), message: z.string().max(2000) });
const agreeSchema = z.object({ nonce: z.string().length(32) });

/** Who this node is. */
export interface Identity {
  readonly id: number;
  readonly cluster: string;
  readonly life: string;
  readonly versions: Versions;
}

/** Refusal of a second link between the same two nodes; not an error, the other link is used. */
export const DUPLICATE_LINK = 'KRG_DUPLICATE_LINK';

/** What the acceptor's node says to a greeting: undefined to go on. Asked twice, at the hello and when the opener agrees. */
export type Admit = (hello: Hello) => KorriganError | undefined;

/** `certified` is the other end, as its certificate shows it. */
interface End {
  readonly own: Identity;
  readonly certified: CertifiedNode;
}

export type Handshake = End &
  (
    | { readonly kind: 'opener-greeted'; readonly hello: Hello }
    | { readonly kind: 'opener-agreed'; readonly hello: Hello; readonly answer: Hello }
    | { readonly kind: 'acceptor-waits'; readonly admit: Admit; readonly lastLinkWith: (peer: number) => string }
    | { readonly kind: 'acceptor-greeted'; readonly admit: Admit; readonly hello: Hello; readonly answer: Hello }
  );

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
  /** Serial number of the peer's certificate. */
  readonly serial: string;
  /** Of the protocol; both ends speak it. */
  readonly version: number;
}

/** The opener's first step. */
export function greet(own: Identity, peer: number, lastLink: string, certified: CertifiedNode): { next: Handshake; send: Frame } {
  const hello = makeHello(own, peer, lastLink);
  return { next: { kind: 'opener-greeted', own, certified, hello }, send: handshakeFrame(FRAME.hello, hello) };
}

/** What a frame of the handshake leads to. Throws KRG_PEER_PROTOCOL for one that is malformed or out of place. */
export function advance(state: Handshake, frame: Frame): Step {
  if (frame.type === FRAME.refuse) return { kind: 'refused', send: undefined, error: refusalIn(frame) };
  switch (state.kind) {
    case 'opener-greeted':
      return openerGetsHello(state, expect(frame, FRAME.hello));
    case 'opener-agreed':
      return openerGetsAgreement(state, expect(frame, FRAME.agree));
    case 'acceptor-waits':
      return acceptorGetsHello(state, expect(frame, FRAME.hello));
    case 'acceptor-greeted':
      return acceptorGetsAgreement(state, expect(frame, FRAME.agree));
  }
}

/** The frame that tells a peer why it is refused. */
export function refusal(error: KorriganError): Frame {
  return handshakeFrame(FRAME.refuse, { code: error.code, message: error.message.slice(0, 2000) });
}

/** Why a peer refuses. */
export function refusalIn(frame: Frame): KorriganError {
  const { code, message } = parseJSON(refuseSchema, frame);
  return new KorriganError(code, message);
}

function openerGetsHello(state: Handshake & { kind: 'opener-greeted' }, frame: Frame): Step {
  const { own, hello, certified } = state;
  const answer = readHello(state, frame);
  if (answer instanceof KorriganError) return refuse(answer);
  if (answer.from !== hello.to || answer.to !== own.id) return refuse(wrongNode(hello.to, answer.from));
  const send = handshakeFrame(FRAME.agree, { nonce: answer.nonce });
  return { kind: 'go-on', send, next: { kind: 'opener-agreed', own, certified, hello, answer } };
}

function openerGetsAgreement({ own, hello, answer, certified }: Handshake & { kind: 'opener-agreed' }, frame: Frame): Step {
  agreesTo(hello, frame);
  const version = Math.min(own.versions.newest, answer.version);
  const link = { id: hello.nonce, peer: answer.from, peerLife: answer.life, opener: true, serial: certified.serial, version };
  return { kind: 'open', send: undefined, link };
}

function acceptorGetsHello(state: Handshake & { kind: 'acceptor-waits' }, frame: Frame): Step {
  const { own, admit, lastLinkWith, certified } = state;
  const hello = readHello(state, frame);
  if (hello instanceof KorriganError) return refuse(hello);
  if (hello.to !== own.id) return refuse(wrongNode(hello.to, own.id));
  const refused = admit(hello);
  if (refused !== undefined) return refuse(refused);
  const answer = makeHello(own, hello.from, lastLinkWith(hello.from));
  const next = { kind: 'acceptor-greeted', own, certified, admit, hello, answer } as const;
  return { kind: 'go-on', send: handshakeFrame(FRAME.hello, answer), next };
}

function acceptorGetsAgreement(state: Handshake & { kind: 'acceptor-greeted' }, frame: Frame): Step {
  const { own, admit, hello, answer, certified } = state;
  agreesTo(answer, frame);
  const refused = admit(hello);
  if (refused !== undefined) return refuse(refused);
  const version = Math.min(own.versions.newest, hello.version);
  const link = { id: hello.nonce, peer: hello.from, peerLife: hello.life, opener: false, serial: certified.serial, version };
  return { kind: 'open', send: handshakeFrame(FRAME.agree, { nonce: hello.nonce }), link };
}

function makeHello(own: Identity, to: number, lastLink: string): Hello {
  const nonce = randomBytes(16).toString('hex');
  const { newest: version, oldest } = own.versions;
  return { version, oldest, cluster: own.cluster, from: own.id, to, life: own.life, lastLink, nonce };
}

/** The peer's hello, or why it cannot be one of a peer. Version and cluster come first: of a hello of another version nothing else can be understood. */
function readHello({ own, certified }: End, frame: Frame): Hello | KorriganError {
  const version = agreeOnVersion(`node ${own.id}`, own.versions, parseJSON(versionSchema, frame));
  if (version instanceof KorriganError) return version;
  const hello = parseJSON(helloSchema, frame);
  if (hello.cluster !== own.cluster) {
    const text = `node ${own.id} belongs to another cluster than its peer (node ${hello.from} of ${hello.cluster})`;
    return new KorriganError('KRG_PEER_CLUSTER', text);
  }
  if (hello.from === certified.id) return hello;
  return new KorriganError(
    'KRG_PEER_IDENTITY',
    `the peer says that it is node ${hello.from}, but its certificate is of node ${certified.id}`,
  );
}

function wrongNode(wanted: number, found: number): KorriganError {
  return new KorriganError(
    'KRG_PEER_IDENTITY',
    `node ${wanted} was expected at this address, but node ${found} is there: correct the list of nodes`,
  );
}

/** Throws KRG_PEER_PROTOCOL when the frame agrees to anything else than this hello. */
function agreesTo({ nonce }: Hello, frame: Frame): void {
  if (parseJSON(agreeSchema, frame).nonce !== nonce) throw malformed('it agreed to another handshake');
}

function refuse(error: KorriganError): Step {
  return { kind: 'refused', send: refusal(error), error };
}

/** A frame of the handshake, or of an enrolment. */
export function handshakeFrame(type: Frame['type'], value: unknown): Frame {
  return { type, id: 0, body: Buffer.from(JSON.stringify(value)), trailer: NO_BYTES };
}

function expect(frame: Frame, type: Frame['type']): Frame {
  if (frame.type !== type) throw malformed(`a frame of type ${frame.type} came in place of the handshake's ${type}`);
  return frame;
}

/** What a frame with a JSON body says. Throws KRG_PEER_PROTOCOL when that does not have the form of `schema`. */
export function parseJSON<T>(schema: z.ZodType<T>, frame: Frame): T {
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
