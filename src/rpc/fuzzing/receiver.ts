/**
 * What is fuzzed: all that stands between the bytes of a peer and the handlers of a node, without the sockets. The first byte of an input says where the link
 * stands when the rest of it comes.
 */
import { z } from 'zod';
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import { defineCall, defineNotice, defineStream, rawBytes } from '../definition.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, type FrameSizes, malformed } from '../frame.ts';
import { advance, greet, type Handshake } from '../handshake.ts';
import { DEFAULT_LIMITS, type RpcLimits } from '../limits.ts';
import { SILENT_LOG } from '../log.ts';
import { errorMessage, pack, unpackAs } from '../message.ts';
import { openStream } from '../open-stream.ts';
import { OutgoingCall, type RawAnswer, type Routes } from '../outgoing-call.ts';
import { HandlerRegistry } from '../registry.ts';
import type { CallContext } from '../incoming-call.ts';
import type { RpcStream } from '../stream.ts';
import { OWN_VERSIONS } from '../versions.ts';
import { RememberedAnswers } from '../remembered-answers.ts';
import { Session } from '../session.ts';

export const STAGES = ['accepting', 'opening', 'open'] as const;
const [ACCEPTING, OPENING] = STAGES;
const PEER = 2;
const HANDSHAKE_SIZES: FrameSizes = { body: 4096, trailer: 0 };
export const OPEN_SIZES: FrameSizes = { body: 4096, trailer: 4096 };
const LIMITS: RpcLimits = {
  ...DEFAULT_LIMITS,
  bodyBytes: OPEN_SIZES.body,
  trailerBytes: OPEN_SIZES.trailer,
  streamWindowBytes: 8192,
  streams: 16,
  incomingCalls: 64,
  callsOfDisabledHandler: 4,
  signalsOfCall: 4,
  answersKept: 16,
};

export const echo = defineCall('echo', z.object({ text: z.string() }), z.object({ text: z.string() }));
export const wait = defineCall('wait', z.object({}), z.object({}));
export const fetch = defineCall('fetch', z.int(), z.unknown());
export const disabled = defineCall('disabled', z.unknown(), z.unknown());
export const told = defineNotice('told', z.object({ number: z.int() }));
export const sums = defineStream('sums', { request: z.object({ from: z.int() }), toHandler: z.int(), toOpener: z.int() });
export const bytes = defineStream('bytes', { request: z.object({}), toHandler: rawBytes, toOpener: rawBytes });

/** One that is meant to be opened by the other end. */
export const ownLife = 'life of node 1';
const own = { id: 1, cluster: 'fuzzed', life: ownLife, versions: OWN_VERSIONS };
const certified = { cluster: 'fuzzed', id: PEER, serial: 'A2' };

/** What an input led to, in short: equal for inputs that took the same way. @throws what may never be thrown, or an Error that names the broken invariant */
export function receive(input: Buffer): string {
  const stage = STAGES[(input[0] ?? 0) % STAGES.length] ?? ACCEPTING;
  const wire = input.subarray(1);
  checkFrames(wire, stage === 'open' ? OPEN_SIZES : HANDSHAKE_SIZES);
  return `${stage}: ${stage === 'open' ? receiveOpen(wire) : shakeHands(wire, stage)}`;
}

/** Frames and the error that ended them do not depend on the pieces in which the bytes come, and are nothing but those bytes. */
function checkFrames(wire: Buffer, sizes: FrameSizes): void {
  const whole = decode([wire], sizes);
  const pieces: Buffer[] = [];
  for (let at = 0, n = wire.length; at < wire.length; n = Math.imul(n ^ at, 0x9e3779b1) >>> 0) {
    const size = 1 + (n % 37);
    pieces.push(wire.subarray(at, at + size));
    at += size;
  }
  const cut = decode(pieces, sizes);
  if (cut.error !== whole.error) throw new Error(`in pieces it ended in "${cut.error}", as a whole in "${whole.error}"`);
  if (!cut.bytes.equals(whole.bytes)) throw new Error('in pieces other frames came than as a whole');
  if (!wire.subarray(0, whole.bytes.length).equals(whole.bytes)) throw new Error('the frames are not what the bytes said');
}

/** @returns the frames, encoded again, a stream's raw bytes as they were divided by the sender */
function decode(pieces: readonly Buffer[], sizes: FrameSizes): { bytes: Buffer; error: string } {
  const parts: Uint8Array[] = [];
  let at = 0;
  let rawLeft = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    at += part.length;
  };
  const all = Buffer.concat(pieces);
  const decoder = new FrameDecoder(sizes, (frame) => {
    const isRaw = frame.type === FRAME.streamData && frame.body.length === 0 && frame.trailer.length > 0;
    if (!isRaw) {
      if (rawLeft > 0) throw new Error('a frame came in the midst of raw bytes');
      return add(encodeFrame(frame));
    }
    if (rawLeft === 0) {
      rawLeft = all.readUInt32BE(at + 12);
      add(encodeFrame(frame).subarray(0, 12));
      add(all.subarray(at, at + 4));
    }
    rawLeft -= frame.trailer.length;
    return add(frame.trailer);
  });
  const error = outcome(() => pieces.forEach((piece) => decoder.push(piece)));
  return { bytes: Buffer.concat(parts), error };
}

/** @returns '' or the text of KRG_PEER_PROTOCOL @throws anything else */
function outcome(action: () => void): string {
  try {
    action();
    return '';
  } catch (error) {
    if (!isKorriganError(error, 'KRG_PEER_PROTOCOL')) throw error;
    return error.message;
  }
}

/** Without what differs from input to input of one kind. */
const general = (text: string): string => text.replace(/(: )?✖.*/gs, '').replace(/\(it starts with [0-9a-f]+\)|\d+/g, '#');

function shakeHands(wire: Buffer, stage: typeof ACCEPTING | typeof OPENING): string {
  const way: string[] = [];
  let state: Handshake | undefined =
    stage === 'opening'
      ? greet(own, PEER, '', certified).next
      : { kind: 'acceptor-waits', own, certified, admit: () => undefined, lastLinkWith: () => '' };
  const decoder = new FrameDecoder(HANDSHAKE_SIZES, (frame) => {
    if (state === undefined) return;
    const step = advance(state, frame);
    // What a peer's own refusal says is its own.
    way.push(step.kind === 'refused' && frame.type !== FRAME.refuse ? step.error.code : step.kind);
    if (step.kind === 'open' && step.link.peer !== certified.id) throw new Error(`a link with node ${step.link.peer}`);
    state = step.kind === 'go-on' ? step.next : undefined;
  });
  const ended = outcome(() => decoder.push(wire));
  return [...way, general(ended)].join(' ');
}

/** Settlements that are due once a session has ended; counted, because promises are told later. */
export const unsettled = { count: 0 };

function receiveOpen(wire: Buffer): string {
  const way = new Set<string>();
  const session = openSession((frame) => way.add(`<${frame.type}`));
  const dead = new KorriganError('KRG_NODE_DEAD', 'the link was closed');
  let isClosed = false;
  startOwn({ forwards: 2, whenOpen: (_, then) => then(isClosed ? dead : session) });
  const decoder = new FrameDecoder(OPEN_SIZES, (frame) => {
    way.add(`>${frame.type}`);
    receiveAsLink(session, frame);
  });
  const ended = outcome(() => decoder.push(wire));
  isClosed = true;
  session.closed(dead);
  return [...way, general(ended)].join(' ');
}

/** As Link does it. */
function receiveAsLink(session: Session, frame: Frame): void {
  switch (frame.type) {
    case FRAME.ping:
    case FRAME.pong:
      return;
    case FRAME.goodbye:
      unpackAs(errorMessage, frame.body);
      return;
    case FRAME.hello:
    case FRAME.agree:
    case FRAME.refuse:
      throw malformed('it shook hands a second time');
    default:
      session.receive(frame);
  }
}

function openSession(sent: (frame: Pick<Frame, 'type'>) => void): Session {
  const registry = new HandlerRegistry(LIMITS.callsOfDisabledHandler);
  const answers = new RememberedAnswers(LIMITS, () => performance.now());
  const same = (request: unknown): unknown => request;
  const repeat = async (_: unknown, stream: RpcStream<unknown, unknown>): Promise<void> => {
    for await (const message of stream) await stream.write(message);
  };
  const waits = (_: unknown, { signal }: CallContext): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  registry.add({ ...echo, run: same });
  registry.add({ ...wait, run: waits });
  registry.add({ ...fetch, run: (to: unknown, context: CallContext) => context.forward(Number(to), 'elsewhere') });
  registry.add({ ...disabled, run: same });
  registry.disable(disabled);
  registry.add({ ...told, run: same });
  registry.add({ ...sums, run: repeat });
  registry.add({ ...bytes, run: repeat });
  const transport = { send: (type: Frame['type']) => sent({ type }), hasRoom: () => undefined };
  return new Session({ registry, answers, limits: LIMITS, log: SILENT_LOG }, transport, PEER, 'life of node 2', false);
}

/** A call (of id 2) and a stream (of id 4) of this end, for the peer to answer. */
function startOwn(routes: Routes): void {
  const settle = (): void => {
    unsettled.count--;
  };
  unsettled.count += 2;
  const answered = (answer: RawAnswer): void => {
    if (answer.body.length > OPEN_SIZES.body) throw new Error('an answer is larger than the limit');
    settle();
  };
  new OutgoingCall(routes, PEER, echo, { text: 'asked' }, {}, answered, settle).start();
  const opening = { body: pack([sums.name, { from: 1 }]), incoming: sums.toOpener, outgoing: sums.toHandler, priority: sums.priority };
  openStream(routes, PEER, opening, {}).then((stream) => void stream.closed.then(settle), settle);
}
