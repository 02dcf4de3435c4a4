/** The streams of one session, those that this end has opened and those of the other end. */
import { KorriganError, toKorriganError } from '../linux/errors.ts';
import { parseRequest } from './call-table.ts';
import type { Carried, Priority } from './definition.ts';
import { cancelled, dead } from './failures.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import { pack, streamOpenMessage, unpackAs } from './message.ts';
import { startInTurn } from './registry.ts';
import type { SessionPart } from './session.ts';
import { RpcStream } from './stream.ts';

interface Row {
  readonly stream: RpcStream<unknown, unknown>;
  /** Of a stream that this end has opened, until the other end has accepted it. */
  accepted: (() => void) | undefined;
}

export class StreamTable {
  readonly #part: SessionPart;
  readonly #rows = new Map<number, Row>();

  constructor(part: SessionPart) {
    this.#part = part;
  }

  /** Opens a stream. `accepted` is called when the handler runs; a refusal fails the stream instead. Throws KRG_LIMIT. */
  open(body: Uint8Array, incoming: Carried, outgoing: Carried, priority: Priority, accepted: () => void): RpcStream<unknown, unknown> {
    const { limits, transport } = this.#part;
    this.#checkNumber();
    if (body.byteLength > limits.bodyBytes)
      throw new KorriganError('KRG_LIMIT', `the request of a stream has ${body.byteLength} bytes; write them to it`);
    const id = this.#part.newId((used) => this.#rows.has(used));
    const stream = this.#add(id, incoming, outgoing, priority, accepted);
    transport.send(FRAME.streamOpen, id, body, NO_BYTES, priority);
    return stream;
  }

  receiveOpen(frame: Frame): void {
    const { registry, transport, peer } = this.#part;
    const [name, request] = unpackAs(streamOpenMessage, frame.body);
    if (this.#rows.has(frame.id)) throw malformed(`it used the id ${frame.id} for two streams at a time`);
    try {
      const entry = registry.find('stream', name);
      this.#checkNumber();
      const stream = this.#add(frame.id, entry.toHandler, entry.toOpener, entry.priority, undefined);
      const run = async (parsed: unknown): Promise<void> => {
        transport.send(FRAME.streamAccept, frame.id, NO_BYTES, NO_BYTES, entry.priority);
        await entry.run(parsed, stream);
        await stream.end();
      };
      registry.whenEnabled(name, () => {
        const failed = (error: unknown): void => this.#handlerFailed(name, stream, error);
        try {
          const parsed = parseRequest(entry.request, name, request);
          // It may have been broken off while it waited.
          startInTurn(entry, parsed, peer, () => (stream.signal.aborted ? undefined : run(parsed).catch(failed)));
        } catch (error) {
          failed(error);
        }
      });
    } catch (error) {
      const row = this.#rows.get(frame.id);
      if (row === undefined) transport.send(FRAME.streamAbort, frame.id, pack(toKorriganError(error).toJSON()), NO_BYTES, 'control');
      else row.stream.abort(error);
    }
  }

  /** A frame of a stream. One that comes after the stream was broken off here is dropped. */
  receive(frame: Frame): void {
    const row = this.#rows.get(frame.id);
    if (row === undefined) return;
    if (frame.type !== FRAME.streamAccept) {
      row.stream.receive(frame);
      return;
    }
    if (row.accepted === undefined) throw malformed('it accepted a stream that was not waiting for that');
    row.accepted();
    row.accepted = undefined;
  }

  closed(reason: KorriganError): void {
    const error = dead(`node ${this.#part.peer} was lost during a stream: ${reason.message}`, { cause: reason });
    for (const { stream } of this.#rows.values()) stream.fail(error);
  }

  #add(
    id: number,
    incoming: Carried,
    outgoing: Carried,
    priority: Priority,
    accepted: (() => void) | undefined,
  ): RpcStream<unknown, unknown> {
    const { transport, peer, limits } = this.#part;
    const wire = {
      peer,
      send: (type: Frame['type'], body: Uint8Array, trailer: Uint8Array): void => transport.send(type, id, body, trailer, priority),
      hasRoom: (): Promise<void> | undefined => (priority === 'bulk' ? transport.hasRoom() : undefined),
      finished: (): void => {
        this.#rows.delete(id);
      },
    };
    const stream = new RpcStream<unknown, unknown>(wire, incoming, outgoing, limits);
    this.#rows.set(id, { stream, accepted });
    return stream;
  }

  #handlerFailed(name: string, stream: RpcStream<unknown, unknown>, error: unknown): void {
    if (error === stream.signal.reason) return;
    const { log, peer } = this.#part;
    if (!(error instanceof KorriganError)) log.error({ err: error, name, peer }, 'the handler of a stream failed');
    stream.abort(error ?? cancelled());
  }

  #checkNumber(): void {
    if (this.#rows.size < this.#part.limits.streams) return;
    throw new KorriganError(
      'KRG_LIMIT',
      `${this.#rows.size} streams are open between node ${this.#part.peer} and this one; no more are opened`,
    );
  }
}
