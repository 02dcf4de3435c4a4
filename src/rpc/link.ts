/**
 * A link: one TLS connection to one peer. It shakes hands, is open, is closed; there is no way back, a lost link is replaced by a new one.
 *
 * In the state `handshaking` only frames of the handshake are understood, and they must be small. In `open`, frames go to the owner and
 * heartbeats run in both directions. Whatever is malformed closes the link.
 */
import type { Socket } from 'node:net';
import { type KorriganError, toKorriganError } from '../linux/errors.ts';
import type { Priority } from './definition.ts';
import { dead } from './failures.ts';
import { FRAME, type Frame, FrameDecoder, type FrameType, malformed, NO_BYTES } from './frame.ts';
import { type AgreedLink, advance, type Handshake } from './handshake.ts';
import type { RpcLimits } from './limits.ts';
import { errorMessage, pack, unpackAs } from './message.ts';
import { SendQueue } from './send-queue.ts';

/** What the owner of a link is told. `closed` comes exactly once, last. */
export interface LinkOwner {
  opened(agreed: AgreedLink): void;
  frame(frame: Frame): void;
  closed(reason: KorriganError): void;
}

type State =
  | { readonly kind: 'handshaking'; readonly handshake: Handshake; readonly timeout: NodeJS.Timeout }
  | { readonly kind: 'open'; readonly heartbeat: NodeJS.Timeout; silentHeartbeats: number }
  | { readonly kind: 'closed'; readonly reason: KorriganError };

export class Link {
  /** Address of the peer, for the log. */
  readonly remote: string;
  readonly #socket: Socket;
  readonly #limits: RpcLimits;
  readonly #owner: LinkOwner;
  readonly #decoder: FrameDecoder;
  readonly #queue: SendQueue;
  #hasFallenSilent = false;
  #state: State;

  /** @param socket connected, its peer certified, and nobody else listens to it @param first the handshake's first frame when this end opens */
  constructor(socket: Socket, handshake: Handshake, first: Frame | undefined, limits: RpcLimits, owner: LinkOwner) {
    this.#socket = socket;
    this.#limits = limits;
    this.#owner = owner;
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#decoder = new FrameDecoder({ body: limits.handshakeBytes, trailer: 0 }, (frame) => this.#receive(frame));
    this.#queue = new SendQueue(socket, limits);
    const timeout = setTimeout(() => this.close(dead('it did not finish the handshake in time')), limits.handshakeMs);
    this.#state = { kind: 'handshaking', handshake, timeout };
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.close(dead('it closed the connection')));
    socket.on('error', (cause) => this.close(dead(`the connection failed (${cause.message})`, { cause })));
    socket.on('close', () => this.close(dead('the connection was closed')));
    if (first !== undefined) this.#queue.push(first, 'control');
  }

  /** Was it closed here because the peer neither spoke nor closed it? */
  get hasFallenSilent(): boolean {
    return this.#hasFallenSilent;
  }

  /** Sends a frame; does nothing on a link that is closed, whose owner has been told. */
  send(type: FrameType, id: number, body: Uint8Array, trailer: Uint8Array, priority: Priority): void {
    if (this.#state.kind !== 'open') return;
    this.#queue.push({ type, id, body, trailer }, priority);
    if (this.#queue.queuedBytes <= this.#limits.queuedBytes) return;
    this.#hasFallenSilent = true;
    this.close(dead('it does not read what is sent to it'));
  }

  /** A promise to wait for before bulk frames are sent, or undefined when there is room. */
  hasRoom(): Promise<void> | undefined {
    return this.#queue.hasRoom();
  }

  /** Closes at once; what was not yet sent is lost. */
  close(reason: KorriganError): void {
    if (!this.#end(reason)) return;
    this.#queue.close();
    this.#socket.destroy();
    this.#owner.closed(reason);
  }

  /** Sends what is queued, then `last`, and closes. */
  closeAfter(last: Frame, reason: KorriganError): void {
    if (!this.#end(reason)) return;
    this.#queue.push(last, 'control');
    this.#queue.end();
    // A peer that does not read would keep the socket; it gets as long as a handshake.
    const timeout = setTimeout(() => this.#socket.destroy(), this.#limits.handshakeMs).unref();
    this.#socket.on('close', () => clearTimeout(timeout));
    this.#owner.closed(reason);
  }

  /** Tells the peer why this node leaves, and closes. */
  goodbye(reason: KorriganError): void {
    if (this.#state.kind === 'open')
      this.closeAfter({ type: FRAME.goodbye, id: 0, body: pack(reason.toJSON()), trailer: NO_BYTES }, reason);
    else this.close(reason);
  }

  #end(reason: KorriganError): boolean {
    if (this.#state.kind === 'closed') return false;
    if (this.#state.kind === 'open') clearInterval(this.#state.heartbeat);
    else clearTimeout(this.#state.timeout);
    this.#state = { kind: 'closed', reason };
    return true;
  }

  #read(bytes: Buffer): void {
    if (this.#state.kind === 'closed') return;
    if (this.#state.kind === 'open') this.#state.silentHeartbeats = 0;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      this.close(toKorriganError(error));
    }
  }

  #receive(frame: Frame): void {
    // Frames behind one that closed the link are not looked at.
    if (this.#state.kind === 'handshaking') this.#shakeHands(this.#state, frame);
    else if (this.#state.kind === 'open') this.#receiveOpen(frame);
  }

  #shakeHands(state: State & { kind: 'handshaking' }, frame: Frame): void {
    const step = advance(state.handshake, frame);
    switch (step.kind) {
      case 'go-on':
        this.#queue.push(step.send, 'control');
        this.#state = { ...state, handshake: step.next };
        break;
      case 'refused':
        if (step.send === undefined) this.close(step.error);
        else this.closeAfter(step.send, step.error);
        break;
      case 'open': {
        if (step.send !== undefined) this.#queue.push(step.send, 'control');
        clearTimeout(state.timeout);
        this.#decoder.setSizes({ body: this.#limits.bodyBytes, trailer: this.#limits.trailerBytes });
        const heartbeat = setInterval(() => this.#beat(), this.#limits.heartbeatMs).unref();
        this.#state = { kind: 'open', heartbeat, silentHeartbeats: 0 };
        this.#owner.opened(step.link);
      }
    }
  }

  #receiveOpen(frame: Frame): void {
    switch (frame.type) {
      case FRAME.ping:
        this.send(FRAME.pong, 0, NO_BYTES, NO_BYTES, 'control');
        break;
      case FRAME.pong:
        break;
      case FRAME.goodbye:
        this.close(dead(`it said goodbye: ${unpackAs(errorMessage, frame.body).message}`));
        break;
      case FRAME.hello:
      case FRAME.agree:
      case FRAME.refuse:
        throw malformed('it shook hands a second time');
      default:
        this.#owner.frame(frame);
    }
  }

  /** Silence is counted in heartbeats of this process: when it was stalled itself, one late heartbeat counts as one. */
  #beat(): void {
    if (this.#state.kind !== 'open') return;
    if (this.#state.silentHeartbeats >= this.#limits.heartbeatsMissed) {
      const silenceMs = this.#limits.heartbeatMs * this.#limits.heartbeatsMissed;
      this.#hasFallenSilent = true;
      this.close(dead(`it has given no sign of life for ${silenceMs} ms`));
      return;
    }
    if (this.#state.silentHeartbeats > 0) this.send(FRAME.ping, 0, NO_BYTES, NO_BYTES, 'control');
    this.#state.silentHeartbeats += 1;
  }
}
