/**
 * The few calls of etcd's version 3 that a store needs, over its JSON gateway (etcd documentation, "gRPC gateway"): keys and values are base64, 64-bit
 * numbers are strings. Each call goes to one endpoint after the other until one answers.
 */
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';

const revision = z.string().transform(BigInt);
const keyValue = z.object({ value: z.string().default(''), mod_revision: revision });
const rangeAnswer = z.object({ kvs: z.array(keyValue).default([]) });
const transactionAnswer = z.object({ succeeded: z.boolean().default(false) });
const watchAnswer = z.object({
  result: z.object({ events: z.array(z.object({ kv: keyValue })).default([]), canceled: z.boolean().default(false) }),
});

/** A value and the revision in which it was put; 0 stands for no value yet. */
export interface Versioned {
  readonly value: string | undefined;
  readonly revision: bigint;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function versioned({ value, mod_revision }: z.infer<typeof keyValue>): Versioned {
  return { value: Buffer.from(value, 'base64').toString(), revision: mod_revision };
}

export interface EtcdOptions {
  /** URLs, as `http://10.0.0.1:2379`. */
  readonly endpoints: readonly string[];
  /** How long one endpoint may take to answer. @default 2000 */
  readonly answerMs?: number;
}

const ANSWER_MILLISECONDS = 2000;

export class EtcdClient {
  private readonly options: EtcdOptions;
  /** That which has answered last is asked first. */
  private preferred = 0;

  constructor(options: EtcdOptions) {
    this.options = options;
  }

  /** The value as it is now (a linearizable read). */
  async get(key: string): Promise<Versioned> {
    const { kvs } = rangeAnswer.parse(await this.ask('kv/range', { key: base64(key) }));
    return kvs[0] === undefined ? { value: undefined, revision: 0n } : versioned(kvs[0]);
  }

  async remove(key: string): Promise<void> {
    await this.ask('kv/deleterange', { key: base64(key) });
  }

  /** Puts a value if the present one is still of this revision. @returns false when it is not */
  async replace(key: string, value: string, present: bigint): Promise<boolean> {
    const answer = await this.ask('kv/txn', {
      compare: [{ key: base64(key), target: 'MOD', result: 'EQUAL', modRevision: String(present) }],
      success: [{ requestPut: { key: base64(key), value: base64(value) } }],
    });
    return transactionAnswer.parse(answer).succeeded;
  }

  /**
   * Values that are put after a revision, as they are. It ends when etcd ends it, and when `signal` is aborted: a peer that hangs says nothing, so whoever
   * watches begins anew from time to time.
   */
  async *watch(key: string, after: bigint, signal: AbortSignal): AsyncGenerator<Versioned> {
    const request = { create_request: { key: base64(key), start_revision: String(after + 1n) } };
    const response = await this.post(this.endpoint(0), 'watch', request, signal);
    let rest = '';
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      const lines = (rest + decoder.decode(piece as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter((text) => text !== '')) {
        const { events, canceled } = watchAnswer.parse(JSON.parse(line)).result;
        for (const { kv } of events) yield versioned(kv);
        if (canceled) return;
      }
    }
  }

  /** @throws KorriganError KRG_NO_MAJORITY when none of the endpoints answers */
  private async ask(path: string, body: object): Promise<unknown> {
    const { endpoints, answerMs = ANSWER_MILLISECONDS } = this.options;
    let failure: unknown;
    for (let n = 0; n < endpoints.length; n++) {
      try {
        const response = await this.post(this.endpoint(n), path, body, AbortSignal.timeout(answerMs));
        const answer: unknown = await response.json();
        this.preferred = (this.preferred + n) % endpoints.length;
        return answer;
      } catch (error) {
        failure = error;
      }
    }
    throw new KorriganError('KRG_NO_MAJORITY', `etcd does not answer (${endpoints.join(', ')})`, { cause: failure });
  }

  private async post(endpoint: string, path: string, body: object, signal: AbortSignal): Promise<Response> {
    const response = await fetch(`${endpoint}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), signal });
    if (!response.ok) throw new Error(`${endpoint} answers ${path} with ${response.status}: ${(await response.text()).slice(0, 200)}`);
    return response;
  }

  /** The n-th to be asked. */
  private endpoint(n: number): string {
    const { endpoints } = this.options;
    return endpoints[(this.preferred + n) % endpoints.length] ?? '';
  }
}
