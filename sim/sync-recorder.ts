/**
 * What clients of sync asked and were told, and what follows from it at once: nobody has what excludes another one's, nobody is overtaken, nothing stays free for long while
 * somebody waits. Whole histories are judged at the end by `check-sync`.
 */
import type { NodeId } from '../src/kddm/index.ts';
import { type Client, type Reply, type Request, tableOf } from '../src/sync/index.ts';
import { PARTIES } from './sync-scenario.ts';

export interface Record {
  readonly number: number;
  readonly node: NodeId;
  readonly client: number;
  readonly request: Request;
  /** Of the lock, the semaphore, …; a wait on a condition variable has one for itself. */
  readonly key: string;
  /** Moments are counted: no two are the same. */
  readonly start: number;
  readonly startMs: number;
  queued: number | undefined;
  end: number | undefined;
  endMs: number;
  reply: Reply | undefined;
  /** When its client was killed, or its node was, while it was under way or had what it got. */
  death: { readonly at: number; readonly cause: 'client' | 'node' | 'drain' } | undefined;
  /** Of what it gave up, or stated to be consistent. */
  readonly of: Record | undefined;
}

export class SyncRecorder {
  readonly records: Record[] = [];
  readonly lostTables = new Set<number>();
  readonly #fail: (description: string) => void;
  readonly #open = new Map<number, Record>();
  /** By node and claim. */
  readonly #held = new Map<string, Record>();
  readonly #claimsOf = new Map<Record, string>();
  readonly #stuckSinceMs = new Map<string, number>();
  #moment = 0;
  /** Units that nobody will give back. */
  readonly lostUnits: { readonly key: string; readonly count: number }[] = [];

  constructor(fail: (description: string) => void) {
    this.#fail = fail;
  }

  /** Somebody waits for a signal there. */
  isAwaited(key: string): boolean {
    return [...this.#open.values()].some(({ request }) => request.kind === 'wait' && request.key === key);
  }

  isLost(key: string): boolean {
    return this.lostTables.has(tableOf(key));
  }

  asked(id: number, node: NodeId, client: Client, request: Request, nowMs: number): void {
    const ofClaim = 'claim' in request ? request.claim : request.kind === 'wait' ? request.lock : undefined;
    const held = ofClaim === undefined ? undefined : this.#held.get(`${node}/${ofClaim}`);
    const key = 'key' in request ? request.key : ((held && (lockKeyOf(held) ?? held.key)) ?? '');
    const record: Record = {
      number: this.records.length,
      node,
      client: client.client,
      request,
      key,
      start: ++this.#moment,
      startMs: nowMs,
      queued: undefined,
      end: undefined,
      endMs: Infinity,
      reply: undefined,
      death: undefined,
      of: held,
    };
    this.records.push(record);
    this.#open.set(id, record);
    if (held !== undefined && (request.kind === 'release' || request.kind === 'give-back' || request.kind === 'wait')) this.#drop(held);
  }

  queued(id: number): void {
    const record = this.#open.get(id);
    if (record !== undefined) record.queued ??= ++this.#moment;
  }

  replied(id: number, reply: Reply, nowMs: number): void {
    const record = this.#open.get(id);
    if (record === undefined) return;
    this.#open.delete(id);
    record.end = ++this.#moment;
    record.endMs = nowMs;
    record.reply = reply;
    if (reply.kind === 'lost' && !this.isLost(record.key)) this.#fail(`node ${record.node} lost track of ${record.key}, which is there`);
    if (reply.kind === 'absent' && !this.isLost(record.key) && record.request.kind !== 'signal' && record.request.kind !== 'remove')
      if (record.request.kind !== 'release') this.#fail(`node ${record.node} finds no ${record.key}`);
    if (reply.kind === 'not-held' || reply.kind === 'deadlock') this.#fail(`${record.request.kind} of ${record.key}: ${reply.kind}`);
    if (reply.kind === 'granted' || reply.kind === 'signalled' || reply.kind === 'not-signalled') this.#got(record, reply.claim);
  }

  #got(record: Record, claim: number): void {
    const { request } = record;
    if (request.kind === 'acquire') {
      this.#checkExclusion(record, request.key, request.mode);
      this.#checkOrder(record, request.mode);
    } else if (request.kind === 'wait' && record.of !== undefined) this.#checkExclusion(record, record.of.key, 'exclusive');
    const place = `${record.node}/${claim}`;
    this.#held.set(place, record);
    this.#claimsOf.set(record, place);
  }

  #drop(record: Record): void {
    const place = this.#claimsOf.get(record);
    if (place !== undefined) this.#held.delete(place);
    this.#claimsOf.delete(record);
  }

  #holdersOf(key: string): Record[] {
    return [...this.#held.values()].filter((each) => lockKeyOf(each) === key);
  }

  #checkExclusion(record: Record, key: string, mode: 'shared' | 'exclusive'): void {
    if (this.isLost(key)) return;
    for (const other of this.#holdersOf(key)) {
      const isShared = mode === 'shared' && other.request.kind === 'acquire' && other.request.mode === 'shared';
      if (!isShared)
        this.#fail(`two have ${key}: program ${record.client} on node ${record.node} and program ${other.client} on node ${other.node}`);
    }
  }

  #checkOrder(record: Record, mode: 'shared' | 'exclusive'): void {
    if (this.isLost(record.key)) return;
    for (const other of this.#open.values()) {
      const { request } = other;
      if (other === record || request.kind !== 'acquire' || request.key !== record.key || other.death !== undefined) continue;
      const isEarlier = other.queued !== undefined && other.queued < record.start;
      if (isEarlier && (mode === 'exclusive' || request.mode === 'exclusive'))
        this.#fail(`program ${record.client} has overtaken program ${other.client} at ${record.key}`);
    }
  }

  /** Its client, or its node, or its node's part in the cluster has ended. */
  #died(isConcerned: (record: Record) => boolean, cause: 'client' | 'node'): void {
    const at = ++this.#moment;
    for (const [id, record] of this.#open) {
      if (!isConcerned(record)) continue;
      this.#open.delete(id);
      record.death = { at, cause };
      // What was being given up may have been had until then.
      if (record.of !== undefined && record.request.kind !== 'repair') record.of.death ??= { at, cause };
      this.#noteUnits(record);
    }
    for (const record of this.#held.values()) {
      if (!isConcerned(record)) continue;
      this.#drop(record);
      record.death = { at, cause };
      this.#noteUnits(record);
    }
  }

  #noteUnits({ request }: Record): void {
    if (request.kind === 'take' && !request.undo) this.lostUnits.push({ key: request.key, count: request.count });
    if (request.kind === 'post') this.lostUnits.push({ key: request.key, count: request.count });
  }

  clientDied(client: number): void {
    this.#died((record) => record.client === client, 'client');
  }

  nodeDied(node: NodeId): void {
    this.#died((record) => record.node === node, 'node');
  }

  holdLost(node: NodeId, claim: number): void {
    const record = this.#held.get(`${node}/${claim}`);
    if (record === undefined) return;
    this.#drop(record);
    record.death = { at: ++this.#moment, cause: 'drain' };
  }

  /** What could be had is had by who waits for it, within that time. */
  checkProgress(nowMs: number, quietSinceMs: number, limitMs: number): void {
    const waiting = new Map<string, Record[]>();
    for (const record of this.#open.values()) {
      const { kind } = record.request;
      if (record.queued === undefined || (kind !== 'acquire' && kind !== 'arrive')) continue;
      waiting.set(record.key, [...(waiting.get(record.key) ?? []), record]);
    }
    for (const key of new Set([...waiting.keys(), ...this.#stuckSinceMs.keys()])) {
      const here = waiting.get(key) ?? [];
      const isBarrier = here[0]?.request.kind === 'arrive';
      const isStuck = isBarrier ? here.length >= PARTIES : here.length > 0 && this.#holdersOf(key).length === 0;
      if (!isStuck || this.isLost(key)) {
        this.#stuckSinceMs.delete(key);
        continue;
      }
      const sinceMs = this.#stuckSinceMs.get(key) ?? nowMs;
      this.#stuckSinceMs.set(key, sinceMs);
      if (nowMs - Math.max(sinceMs, quietSinceMs) > limitMs) this.#fail(`nobody has ${key}, and ${here.length} go on waiting for it`);
    }
  }
}

/** The lock that a record has, once it has been answered. */
function lockKeyOf({ request, of }: Record): string | undefined {
  if (request.kind === 'acquire') return request.key;
  return request.kind === 'wait' ? of?.key : undefined;
}
