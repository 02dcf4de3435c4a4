/**
 * A call that this node makes, from the request to its one outcome. It waits for a link, is sent, and is settled by an answer, its deadline, its
 * caller's signal, or the loss of the link. With an idempotency key it survives that loss and is sent again.
 */
import { KorriganError } from '../linux/errors.ts';
import type { NodeId, Priority } from './definition.ts';
import { cancelled, dead, deadlinePassed } from './failures.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import { errorMessage, forwardMessage, pack, unpackAs } from './message.ts';
import type { Session } from './session.ts';

export interface CallOptions {
  /** Time for the call as a whole, in milliseconds; then it ends in KRG_DEADLINE and the handler is told. @default none: the call ends when the peer answers or dies */
  readonly deadlineMs?: number;
  /** Gives the call up: it ends in KRG_CANCELLED and the handler is told. */
  readonly signal?: AbortSignal;
  /** Raw bytes to go with the request, never encoded. They must not be changed before the call has ended. */
  readonly bytes?: Uint8Array;
  /**
   * Makes the call survive the loss of its link: it is sent again over the next one, and the peer carries out calls of one key only once.
   * A key is unique among the calls of this node.
   */
  readonly idempotencyKey?: string;
  /**
   * Send it again also to a peer that was started anew and remembers nothing. Only for handlers that keep the keys themselves, or do no harm twice.
   * @default false: the call ends in KRG_NODE_DEAD
   */
  readonly acrossRestarts?: boolean;
  /** Called once when the call is on its way, with what signals its running handler. */
  readonly onStarted?: (signal: (number: number) => void) => void;
}

/** A response that is not yet parsed, its bytes, and the node that gave it. */
export interface RawAnswer {
  readonly body: Uint8Array;
  readonly bytes: Uint8Array;
  readonly from: NodeId;
}

/** How a call finds its node. */
export interface Routes {
  /** Calls back with the session, at once when there is one, else when there is one or none can be had. Throws KRG_NO_SUCH_NODE. */
  whenOpen(node: NodeId, then: (session: Session | KorriganError) => void): void;
  readonly forwards: number;
}

type State =
  | { readonly kind: 'waits' }
  | { readonly kind: 'sent'; readonly session: Session; readonly id: number }
  | { readonly kind: 'settled' };

export class OutgoingCall {
  readonly #routes: Routes;
  readonly #name: string;
  readonly #priority: Priority;
  readonly #options: CallOptions;
  readonly #resolve: (answer: RawAnswer) => void;
  readonly #reject: (error: KorriganError) => void;
  #to: NodeId;
  #body: Uint8Array;
  #forwards = 0;
  #state: State = { kind: 'waits' };
  #timer: NodeJS.Timeout | undefined;
  /** The life of the peer that the call was sent to first. */
  #peerLife: string | undefined;

  /** Exactly one of `resolve` and `reject` is called, once, and not before `start`. */
  constructor(
    routes: Routes,
    to: NodeId,
    definition: { readonly name: string; readonly priority: Priority },
    request: unknown,
    options: CallOptions,
    resolve: (answer: RawAnswer) => void,
    reject: (error: KorriganError) => void,
  ) {
    this.#routes = routes;
    this.#to = to;
    this.#name = definition.name;
    this.#priority = definition.priority;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#body = this.#encode(request);
  }

  start(): void {
    const { deadlineMs, signal } = this.#options;
    if (signal?.aborted === true) {
      this.#fail(cancelled(signal.reason));
      return;
    }
    signal?.addEventListener('abort', this.#onAbort);
    if (deadlineMs !== undefined) this.#timer = setTimeout(() => this.#giveUp(deadlinePassed(deadlineMs)), deadlineMs);
    this.#route();
  }

  /** For the session: an answer has come. */
  answered(frame: Frame): void {
    if (this.#state.kind !== 'sent') return;
    switch (frame.type) {
      case FRAME.result: {
        const from = this.#to;
        this.#settle();
        this.#resolve({ body: frame.body, bytes: frame.trailer, from });
        break;
      }
      case FRAME.failure:
        this.#fail(KorriganError.fromJSON(unpackAs(errorMessage, frame.body) as never));
        break;
      case FRAME.forward:
        this.#forward(frame);
        break;
      default:
        throw malformed(`a frame of type ${frame.type} is no answer to a call`);
    }
  }

  /** For the session: its link is lost. */
  linkLost(reason: KorriganError): void {
    if (this.#state.kind !== 'sent') return;
    if (this.#options.idempotencyKey === undefined) {
      this.#fail(dead(`node ${this.#to} was lost during the call ${this.#name}: ${reason.message}`, { cause: reason }));
      return;
    }
    this.#state = { kind: 'waits' };
    // Not from within the teardown of the old link.
    queueMicrotask(() => this.#route());
  }

  readonly #onAbort = (): void => this.#giveUp(cancelled(this.#options.signal?.reason));

  #encode(request: unknown): Uint8Array {
    return pack([this.#name, request, this.#options.deadlineMs ?? 0, this.#options.idempotencyKey ?? '']);
  }

  #route(): void {
    if (this.#state.kind !== 'waits') return;
    try {
      this.#routes.whenOpen(this.#to, (session) => this.#send(session));
    } catch (error) {
      this.#fail(error as KorriganError);
    }
  }

  #send(session: Session | KorriganError): void {
    if (this.#state.kind !== 'waits') return;
    if (session instanceof KorriganError) {
      this.#fail(session);
      return;
    }
    const { bytes, acrossRestarts, onStarted } = this.#options;
    if (this.#peerLife !== undefined && this.#peerLife !== session.peerLife && acrossRestarts !== true) {
      this.#fail(dead(`node ${this.#to} was started anew during the call ${this.#name}; whether it was carried out is not known`));
      return;
    }
    const isFirst = this.#peerLife === undefined;
    this.#peerLife = session.peerLife;
    try {
      const id = session.calls.add(this, this.#body, bytes ?? NO_BYTES);
      // Before it is sent, for sending may find that the link is lost.
      this.#state = { kind: 'sent', session, id };
      session.calls.send(id, this.#body, bytes ?? NO_BYTES, this.#priority);
    } catch (error) {
      this.#fail(error as KorriganError);
      return;
    }
    if (isFirst && this.#forwards === 0) onStarted?.((number) => this.#signal(number));
  }

  #signal(number: number): void {
    if (this.#state.kind === 'sent') this.#state.session.calls.signal(this.#state.id, number, this.#priority);
  }

  #forward(frame: Frame): void {
    const [to, request] = unpackAs(forwardMessage, frame.body);
    this.#forwards += 1;
    if (this.#forwards > this.#routes.forwards) {
      this.#fail(new KorriganError('KRG_LIMIT', `the call ${this.#name} was forwarded ${this.#forwards} times; it goes in a circle`));
      return;
    }
    this.#to = to;
    this.#body = this.#encode(request);
    this.#peerLife = undefined;
    this.#state = { kind: 'waits' };
    this.#route();
  }

  #giveUp(error: KorriganError): void {
    if (this.#state.kind === 'sent') this.#state.session.calls.cancel(this.#state.id, this.#priority);
    this.#fail(error);
  }

  #fail(error: KorriganError): void {
    if (this.#state.kind === 'settled') return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#state = { kind: 'settled' };
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }
}
