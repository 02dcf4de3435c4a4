/** The calls of one session: those that this node has sent and those that it answers. */
import { errorToJSON, KorriganError } from '../linux/errors.ts';
import { z } from 'zod';
import { type Entry, startInTurn } from './registry.ts';
import { cancelled } from './failures.ts';
import { FRAME, type Frame, malformed, NO_BYTES } from './frame.ts';
import { Forwarded, IncomingCall } from './incoming-call.ts';
import { callMessage, noticeMessage, pack, signalMessage, unpackAs } from './message.ts';
import type { OutgoingCall } from './outgoing-call.ts';
import type { Answer } from './remembered-answers.ts';
import type { SessionPart } from './session.ts';
import type { Priority } from './definition.ts';

export class CallTable {
  readonly #part: SessionPart;
  readonly #outgoing = new Map<number, OutgoingCall>();
  readonly #incoming = new Map<number, IncomingCall>();

  constructor(part: SessionPart) {
    this.#part = part;
  }

  /** Gives a call its id. Throws KRG_LIMIT. */
  add(call: OutgoingCall, body: Uint8Array, bytes: Uint8Array): number {
    const { limits, peer } = this.#part;
    if (this.#outgoing.size >= limits.outgoingCalls) {
      throw new KorriganError(
        'KRG_LIMIT',
        `${this.#outgoing.size} calls to node ${peer} are under way; no more are sent until some have ended`,
      );
    }
    if (body.byteLength > limits.bodyBytes || bytes.byteLength > limits.trailerBytes) {
      throw new KorriganError('KRG_LIMIT', `a call of ${body.byteLength} and ${bytes.byteLength} bytes is too large; use a stream`);
    }
    const id = this.#part.newId((used) => this.#outgoing.has(used));
    this.#outgoing.set(id, call);
    return id;
  }

  send(id: number, body: Uint8Array, bytes: Uint8Array, priority: Priority): void {
    this.#part.transport.send(FRAME.call, id, body, bytes, priority);
  }

  cancel(id: number, priority: Priority): void {
    if (this.#outgoing.delete(id)) this.#part.transport.send(FRAME.cancel, id, NO_BYTES, NO_BYTES, priority);
  }

  signal(id: number, number: number, priority: Priority): void {
    if (this.#outgoing.has(id)) this.#part.transport.send(FRAME.signal, id, pack(number), NO_BYTES, priority);
  }

  /** An answer to one of our calls. One that comes after we gave the call up is dropped. */
  receiveAnswer(frame: Frame): void {
    this.#outgoing.get(frame.id)?.answered(frame);
    // Not before it has been understood: a call that breaks off with its link has to be told.
    this.#outgoing.delete(frame.id);
  }

  receiveCall(frame: Frame): void {
    const { limits, registry, peer } = this.#part;
    const [name, request, deadlineMs, key] = unpackAs(callMessage, frame.body);
    if (this.#incoming.has(frame.id)) throw malformed(`it used the id ${frame.id} for two calls at a time`);
    let refuse: ((answer: Answer) => void) | undefined;
    try {
      if (this.#incoming.size >= limits.incomingCalls) {
        throw new KorriganError(
          'KRG_LIMIT',
          `${this.#incoming.size} calls of this peer are under way; no more are taken until some have ended`,
        );
      }
      const entry = registry.find('call', name);
      const call = new IncomingCall(peer, frame.trailer, deadlineMs, key, limits.signalsOfCall);
      this.#incoming.set(frame.id, call);
      const answer = this.#answerer(frame.id, call, entry.priority);
      refuse = answer;
      if (answer !== undefined)
        registry.whenEnabled(name, () => {
          if (!call.isUnwanted) this.#run(entry, call, request, answer);
        });
    } catch (error) {
      // Also who asks again, with the same key, hears of it.
      refuse?.(failure(error));
      if (refuse !== undefined) return;
      this.#incoming.delete(frame.id);
      this.#send(frame.id, failure(error), 'control');
    }
  }

  receiveCancel(frame: Frame): void {
    const call = this.#incoming.get(frame.id);
    this.#incoming.delete(frame.id);
    call?.cancel(cancelled());
  }

  receiveSignal(frame: Frame): void {
    this.#incoming.get(frame.id)?.signalFromCaller(unpackAs(signalMessage, frame.body));
  }

  receiveNotice(frame: Frame): void {
    const { registry, peer, log } = this.#part;
    const [name, message] = unpackAs(noticeMessage, frame.body);
    const start = (entry: Entry & { kind: 'notice' }, parsed: unknown): Promise<void> | undefined => {
      try {
        const ended = entry.run(parsed, { caller: peer });
        return ended instanceof Promise ? ended.catch(refused) : undefined;
      } catch (error) {
        refused(error);
        return undefined;
      }
    };
    const run = (): void => {
      const entry = registry.find('notice', name);
      const parsed = parseRequest(entry.message, name, message);
      startInTurn(entry, parsed, peer, () => start(entry, parsed));
    };
    const refused = (error: unknown): void => log.warn({ peer, name, err: error }, 'a notice could not be handled');
    try {
      registry.whenEnabled(name, () => {
        try {
          run();
        } catch (error) {
          refused(error);
        }
      });
    } catch (error) {
      refused(error);
    }
  }

  /** The link is lost: our calls are told, and the calls that we answer are wanted by nobody, unless their callers come back. */
  closed(reason: KorriganError): void {
    const outgoing = [...this.#outgoing.values()];
    const incoming = [...this.#incoming.values()];
    this.#outgoing.clear();
    this.#incoming.clear();
    for (const call of outgoing) call.linkLost(reason);
    for (const call of incoming) if (call.idempotencyKey === undefined) call.cancel(reason);
  }

  /** Where the answer goes; undefined when a call of this key is known and needs no second run. */
  #answerer(id: number, call: IncomingCall, priority: Priority): ((answer: Answer) => void) | undefined {
    const { answers, peer, peerLife } = this.#part;
    const answerHere = (answer: Answer): void => {
      // Not when the caller has cancelled, or this session has ended.
      if (this.#incoming.delete(id)) this.#send(id, answer, priority);
    };
    if (call.idempotencyKey === undefined) return answerHere;
    const key = `${peer} ${peerLife} ${call.idempotencyKey}`;
    if (answers.ask(key, answerHere) === 'known') return undefined;
    return (answer) => answers.finish(key, answer);
  }

  #run(entry: Entry & { kind: 'call' }, call: IncomingCall, request: unknown, answer: (answer: Answer) => void): void {
    const succeeded = (response: unknown): void => {
      call.finished();
      let result: Answer;
      try {
        result = { type: FRAME.result, body: this.#checkedBody(pack(response)), trailer: call.trailer ?? NO_BYTES };
      } catch (error) {
        result = failure(error);
      }
      answer(result);
    };
    const failed = (error: unknown): void => {
      call.finished();
      if (error instanceof Forwarded) {
        answer({ type: FRAME.forward, body: pack([error.to, error.request]), trailer: NO_BYTES });
        return;
      }
      if (!(error instanceof KorriganError)) this.#part.log.error({ err: error, name: entry.name, peer: call.caller }, 'a handler failed');
      answer(failure(error));
    };
    const start = (parsed: unknown): Promise<void> | undefined => {
      if (call.isUnwanted) return undefined;
      try {
        const response = entry.run(parsed, call);
        if (response instanceof Promise) return response.then(succeeded, failed);
        succeeded(response);
      } catch (error) {
        failed(error);
      }
      return undefined;
    };
    try {
      const parsed = parseRequest(entry.request, entry.name, request);
      startInTurn(entry, parsed, call.caller, () => start(parsed));
    } catch (error) {
      failed(error);
    }
  }

  #checkedBody(body: Uint8Array): Uint8Array {
    if (body.byteLength <= this.#part.limits.bodyBytes) return body;
    throw new KorriganError(
      'KRG_LIMIT',
      `the response has ${body.byteLength} bytes; the limit is ${this.#part.limits.bodyBytes}: use a stream`,
    );
  }

  #send(id: number, answer: Answer, priority: Priority): void {
    this.#part.transport.send(answer.type, id, answer.body, answer.trailer, priority);
  }
}

export function failure(error: unknown): Answer {
  return { type: FRAME.failure, body: pack(errorToJSON(error)), trailer: NO_BYTES };
}

export function parseRequest(schema: z.ZodType, name: string, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new KorriganError('KRG_BAD_REQUEST', `what was sent to ${name} has the wrong form: ${z.prettifyError(parsed.error)}`);
}
