/**
 * One end of a stream: messages or raw bytes in both directions, each with its own end. A side may send only what the other has
 * credit for, and credit comes back as the reader takes messages out, so what waits in memory is bounded by the window.
 */
import { KorriganError, toKorriganError } from '../linux/errors.ts';
import { type Carried, type NodeId, rawBytes } from './definition.ts';
import { FRAME, type Frame, type FrameType, frameBytes, HEADER_BYTES, malformed, NO_BYTES } from './frame.ts';
import type { RpcLimits } from './limits.ts';
import { creditMessage, errorMessage, pack, unpack, unpackAs } from './message.ts';
import { z } from 'zod';

/** How a stream reaches its other end. */
export interface StreamWire {
  readonly peer: NodeId;
  send(type: FrameType, body: Uint8Array, trailer: Uint8Array): void;
  hasRoom(): Promise<void> | undefined;
  /** Nothing more will be sent or received. */
  finished(): void;
}

interface PendingWrite {
  readonly type: FrameType;
  readonly body: Uint8Array;
  readonly trailer: Uint8Array;
  /** Credit that it needs: the size of the frame of a message, the number of raw bytes, 0 for the end. */
  readonly cost: number;
  readonly sent: () => void;
  readonly failed: (error: KorriganError) => void;
}

interface PendingRead<In> {
  readonly resolve: (message: In | undefined) => void;
  readonly reject: (error: KorriganError) => void;
}

export class RpcStream<In, Out> implements AsyncIterable<In>, AsyncDisposable {
  readonly peer: NodeId;
  /** Resolves when both ends have ended (undefined) or the stream was broken off (the error). Never rejects. */
  readonly closed: Promise<KorriganError | undefined>;
  readonly #wire: StreamWire;
  readonly #limits: RpcLimits;
  readonly #incoming: Carried;
  readonly #outgoing: Carried;
  readonly #resolveClosed: (error: KorriganError | undefined) => void;
  readonly #abort = new AbortController();

  readonly #received: { readonly message: In; readonly cost: number }[] = [];
  readonly #readers: PendingRead<In>[] = [];
  /** Received and not yet credited; taken by the reader and not yet credited. */
  #uncreditedBytes = 0;
  #takenBytes = 0;

  readonly #writes: PendingWrite[] = [];
  #creditBytes: number;
  #waitsForRoom = false;

  #localEnded = false;
  #remoteEnded = false;
  #error: KorriganError | undefined;

  constructor(wire: StreamWire, incoming: Carried, outgoing: Carried, limits: RpcLimits) {
    this.#wire = wire;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#limits = limits;
    this.#creditBytes = limits.streamWindowBytes;
    this.peer = wire.peer;
    const { promise, resolve } = Promise.withResolvers<KorriganError | undefined>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** Aborted when the stream is broken off, with its error as the reason. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /**
   * Sends a message, or bytes that must not be changed any more. Resolves when the other end has room for it; a writer that waits
   * for that never piles up memory. Rejects when the stream was broken off.
   */
  write(message: Out): Promise<void> {
    if (this.#localEnded) return Promise.reject(new KorriganError('KRG_STREAM_BROKEN', 'the stream was written to after its end'));
    if (this.#outgoing === rawBytes) return this.#writeBytes(message as Uint8Array);
    return this.#push(FRAME.streamData, pack(message), NO_BYTES);
  }

  /** Ends this direction, behind everything that was written. The other direction goes on. */
  end(): Promise<void> {
    if (this.#localEnded) return Promise.resolve();
    this.#localEnded = true;
    return this.#push(FRAME.streamEnd, NO_BYTES, NO_BYTES);
  }

  /** The next message, or undefined when the other end has ended. Rejects when the stream was broken off. */
  read(): Promise<In | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const next = this.#received.shift();
    if (next !== undefined) {
      this.#taken(next.cost);
      return Promise.resolve(next.message);
    }
    if (this.#remoteEnded) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Breaks the stream off in both directions: the other end gets `reason`, this one too. What was not read is dropped. */
  abort(reason: unknown): void {
    if (this.#isOver) return;
    const error = toKorriganError(reason);
    this.#wire.send(FRAME.streamAbort, pack(error.toJSON()), NO_BYTES);
    this.fail(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<In, void, undefined> {
    try {
      for (let message = await this.read(); message !== undefined; message = await this.read()) yield message;
    } finally {
      if (!this.#remoteEnded) this.abort(new KorriganError('KRG_CANCELLED', 'the reader of the stream stopped before its end'));
    }
  }

  /** Breaks off what has not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort(new KorriganError('KRG_CANCELLED', 'the stream was left before its end'));
    await this.closed;
  }

  /** For the link: a frame of this stream has come. Throws KRG_PEER_PROTOCOL. */
  receive(frame: Frame): void {
    switch (frame.type) {
      case FRAME.streamData:
        this.#receiveData(frame);
        break;
      case FRAME.streamCredit:
        this.#creditBytes += unpackAs(creditMessage, frame.body);
        if (this.#creditBytes > this.#limits.streamWindowBytes) throw malformed('it gave more credit for a stream than it was sent');
        this.#pump();
        break;
      case FRAME.streamEnd:
        this.#remoteEnded = true;
        for (const { resolve } of this.#readers.splice(0)) resolve(undefined);
        this.#finishIfEnded();
        break;
      case FRAME.streamAbort:
        this.fail(KorriganError.fromJSON(unpackAs(errorMessage, frame.body) as never));
        break;
      default:
        throw malformed(`a frame of type ${frame.type} is none of a stream`);
    }
  }

  /** For the link: the stream is broken off without telling the other end. */
  fail(error: KorriganError): void {
    if (this.#isOver) return;
    this.#error = error;
    this.#localEnded = true;
    this.#received.length = 0;
    for (const { failed } of this.#writes.splice(0)) failed(error);
    for (const { reject } of this.#readers.splice(0)) reject(error);
    this.#abort.abort(error);
    this.#wire.finished();
    this.#resolveClosed(error);
  }

  get #isOver(): boolean {
    return this.#error !== undefined || (this.#localEnded && this.#remoteEnded && this.#writes.length === 0);
  }

  #finishIfEnded(): void {
    if (this.#error !== undefined || !this.#isOver) return;
    this.#wire.finished();
    this.#resolveClosed(undefined);
  }

  #receiveData(frame: Frame): void {
    if (this.#remoteEnded) throw malformed('it sent more of a stream after its end');
    const cost = this.#incoming === rawBytes ? frame.trailer.byteLength : frameBytes(frame);
    this.#uncreditedBytes += cost;
    const largestFrame = HEADER_BYTES + this.#limits.bodyBytes + this.#limits.trailerBytes;
    if (this.#uncreditedBytes > this.#limits.streamWindowBytes + largestFrame)
      throw malformed('it sent more of a stream than it had credit for');

    const message = this.#decode(frame);
    if (message === undefined) return;
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#received.push({ message, cost });
    } else {
      this.#taken(cost);
      reader.resolve(message);
    }
  }

  #decode(frame: Frame): In | undefined {
    if (this.#incoming === rawBytes) return frame.trailer.byteLength > 0 ? (frame.trailer as In) : undefined;
    const parsed = this.#incoming.safeParse(unpack(frame.body));
    if (parsed.success) return parsed.data as In;
    this.abort(new KorriganError('KRG_BAD_REQUEST', `a message of the stream has the wrong form: ${z.prettifyError(parsed.error)}`));
    return undefined;
  }

  /** Gives credit back in few frames: when half of the window has been taken in. */
  #taken(cost: number): void {
    this.#takenBytes += cost;
    if (this.#remoteEnded || this.#takenBytes * 2 < this.#limits.streamWindowBytes) return;
    this.#wire.send(FRAME.streamCredit, pack(this.#takenBytes), NO_BYTES);
    this.#uncreditedBytes -= this.#takenBytes;
    this.#takenBytes = 0;
  }

  #writeBytes(bytes: Uint8Array): Promise<void> {
    const size = this.#limits.streamChunkBytes;
    let last = Promise.resolve();
    for (let start = 0; start < bytes.byteLength; start += size) {
      last = this.#push(FRAME.streamData, NO_BYTES, bytes.subarray(start, start + size));
      // Every chunk fails with the same error; that of the last one is returned.
      last.catch(() => {});
    }
    return last;
  }

  #push(type: FrameType, body: Uint8Array, trailer: Uint8Array): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const headerBytes = body.byteLength > 0 ? HEADER_BYTES : 0;
    const cost = type === FRAME.streamEnd ? 0 : headerBytes + body.byteLength + trailer.byteLength;
    return new Promise((sent, failed) => {
      this.#writes.push({ type, body, trailer, cost, sent, failed });
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#writes[0] !== undefined && !this.#waitsForRoom) {
      const write = this.#writes[0];
      if (write.cost > 0 && this.#creditBytes <= 0) return;
      const room = this.#wire.hasRoom();
      if (room !== undefined) {
        this.#waitsForRoom = true;
        void room.then(() => {
          this.#waitsForRoom = false;
          this.#pump();
        });
        return;
      }
      this.#writes.shift();
      this.#creditBytes -= write.cost;
      this.#wire.send(write.type, write.body, write.trailer);
      write.sent();
      if (write.type === FRAME.streamEnd) this.#finishIfEnded();
    }
  }
}
