/** A call that this node answers: what its handler sees of it. */
import type { KorriganError } from '../linux/errors.ts';
import type { NodeId } from './definition.ts';
import { deadlinePassed } from './failures.ts';
import { malformed } from './frame.ts';

export interface CallContext {
  readonly caller: NodeId;
  /** The raw bytes that came with the request; empty when there were none. */
  readonly bytes: Uint8Array;
  /** Present when the caller may ask again after a lost link. The RPC answers the second call from memory, but not after this node was started anew. */
  readonly idempotencyKey: string | undefined;
  /**
   * Aborted when nobody wants the answer any more: the caller has cancelled, its deadline is over, or its link is lost (this not for calls
   * with an idempotency key: their callers come back).
   */
  readonly signal: AbortSignal;
  /** Raw bytes to go with the response. They must not be changed any more. */
  answerBytes(bytes: Uint8Array): void;
  /** Called for each number that the caller signals while the handler runs; those that came earlier first. */
  onSignal(listener: (signal: number) => void): void;
  /**
   * Ends the handler (it throws): the caller asks the node `to` instead, with `request`, and within the same deadline.
   * Only a caller that still waits does so; nothing of the call stays on this node.
   */
  forward(to: NodeId, request: unknown): never;
}

/** Thrown by `forward`. Not an error. */
export class Forwarded {
  readonly to: NodeId;
  readonly request: unknown;

  constructor(to: NodeId, request: unknown) {
    this.to = to;
    this.request = request;
  }
}

export class IncomingCall implements CallContext {
  readonly caller: NodeId;
  readonly bytes: Uint8Array;
  readonly idempotencyKey: string | undefined;
  /** Of the response. */
  trailer: Uint8Array | undefined;
  readonly #endsAtMs: number | undefined;
  readonly #signalsKept: number;
  #controller: AbortController | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #cancelled: KorriganError | undefined;
  readonly #signals: number[] = [];
  #signalled: ((signal: number) => void) | undefined;

  /** @param deadlineMs time that the caller gives, 0 for any */
  constructor(caller: NodeId, bytes: Uint8Array, deadlineMs: number, idempotencyKey: string, signalsKept: number) {
    this.#signalsKept = signalsKept;
    this.caller = caller;
    this.bytes = bytes;
    this.idempotencyKey = idempotencyKey === '' ? undefined : idempotencyKey;
    this.#endsAtMs = deadlineMs === 0 ? undefined : performance.now() + deadlineMs;
  }

  /** Made when it is first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    this.#controller = new AbortController();
    if (this.#cancelled !== undefined) this.#controller.abort(this.#cancelled);
    else if (this.#endsAtMs !== undefined) this.#startDeadline(this.#controller, this.#endsAtMs);
    return this.#controller.signal;
  }

  answerBytes(bytes: Uint8Array): void {
    this.trailer = bytes;
  }

  onSignal(listener: (signal: number) => void): void {
    this.#signalled = listener;
    for (const signal of this.#signals.splice(0)) listener(signal);
  }

  forward(to: NodeId, request: unknown): never {
    throw new Forwarded(to, request);
  }

  /** For the session: the caller signals. */
  signalFromCaller(signal: number): void {
    if (this.#signalled !== undefined) this.#signalled(signal);
    else if (this.#signals.push(signal) > this.#signalsKept)
      throw malformed(`it sent more than ${this.#signalsKept} signals to a call that takes none`);
  }

  /** For the session: nobody waits for the answer, and nobody will ask for it again. */
  get isUnwanted(): boolean {
    return this.#cancelled !== undefined && this.idempotencyKey === undefined;
  }

  /** For the session: nobody wants the answer. */
  cancel(reason: KorriganError): void {
    this.#cancelled ??= reason;
    clearTimeout(this.#deadline);
    this.#controller?.abort(reason);
  }

  /** For the session: the handler has ended. */
  finished(): void {
    clearTimeout(this.#deadline);
  }

  #startDeadline(controller: AbortController, endsAtMs: number): void {
    const leftMs = Math.max(0, endsAtMs - performance.now());
    this.#deadline = setTimeout(() => controller.abort(deadlinePassed(leftMs)), leftMs).unref();
  }
}
