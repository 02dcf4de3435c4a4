/** sync on one node: the machine over kddm and rpc, in step with hotplug, for its clients. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Stage, View } from '../../hotplug/index.ts';
import { type FailureCode, type Hold, type Kddm, type KddmSetHandle, livesOf } from '../../kddm/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { defineCall, defineNotice, type NodeId, type RpcLog, type RpcNode } from '../../rpc/index.ts';
import { confirmed, type Deadlock, findDeadlocks } from '../deadlocks.ts';
import { noticeSchema, type Reply, type SyncEffect, type SyncEvent } from '../events.ts';
import { SyncNode } from '../sync-node.ts';
import { UniqueIds } from '../unique-ids.ts';
import { keyOf, SYNC_SET, SYNC_SET_RECORD, type Table, tableLinker } from '../table.ts';
import { SyncClient } from './sync-client.ts';

const answersNotice = defineNotice('sync.answers', noticeSchema);
/** A node is to leave, or stays after all. Answered when it has given up what it had. */
const leaveCall = defineCall('sync.leave', z.object({ isLeaving: z.boolean() }), z.null());
const LEAVE_MILLISECONDS = 5000;
/** The tables of which a node knows that there is something in them. */
const tablesCall = defineCall('sync.tables', z.object({}), z.object({ tables: z.array(z.int().nonnegative()) }));

export interface SyncOptions {
  readonly rpc: RpcNode;
  readonly kddm: Kddm;
  readonly log: RpcLog;
  /** This daemon's life as it stands in the cluster's record (`lifeOf` of the record of this node). */
  readonly life: string;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number;
}

const TICK_MILLISECONDS = 50;
/** How long other nodes, and tables, may take to say what there is. */
const LIST_MILLISECONDS = 5000;
/** After so long who waits is looked at for a deadlock; then ever more seldom. */
const SUSPICION_MILLISECONDS = { first: 1000, longest: 60_000 };

export class Sync implements AsyncDisposable {
  readonly #options: SyncOptions;
  readonly #node: SyncNode;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #clients = new Map<number, SyncClient>();
  readonly #replies = new Map<number, { readonly client: SyncClient; readonly resolve: (reply: Reply) => void }>();
  readonly #held = new Map<number, Hold<Table>>();
  readonly #events: SyncEvent[] = [];
  #isStepping = false;
  #isClosed = false;
  #set: Promise<KddmSetHandle<Table>> | undefined;
  #members: readonly NodeId[] = [];
  #lastNumber = 0;
  #onDrained: (() => void) | undefined;
  #looking: Promise<Deadlock[]> | undefined;
  readonly #ids: UniqueIds;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { rpc, kddm, life, now = () => performance.now() } = options;
    this.#now = now;
    this.#node = new SyncNode({ self: rpc.id, life });
    this.#ids = new UniqueIds(rpc.id, async (count) => {
      using client = this.open('unique ids');
      const reply = await client.ask({ kind: 'reserve', key: keyOf('counter', 'system', `ids of node ${rpc.id}`), count });
      if (reply.kind === 'done' && reply.value !== undefined) return reply.value;
      throw new KorriganError('KRG_OBJECT_LOST', `no ids can be had: ${reply.kind}`);
    });
    kddm.addLinker(tableLinker);
    rpc.handleNotice(answersNotice, (notice) => this.#step({ kind: 'notice', notice }));
    rpc.handle(leaveCall, async ({ isLeaving }) => {
      if (isLeaving) await this.#drain();
      else this.#step({ kind: 'keep' });
      return null;
    });
    rpc.handle(tablesCall, () => ({ tables: this.#tablesHere() }));
    this.#timer = setInterval(() => {
      if (this.#node.needsTicks) this.#step({ kind: 'tick' });
    }, TICK_MILLISECONDS);
    this.#timer.unref();
  }

  /** Above kddm's: it waits for nothing. */
  get stage(): Stage {
    return {
      name: 'sync',
      change: ({ after }) => Promise.resolve(this.#follow(after)),
    };
  }

  #follow(view: View): void {
    const lives = livesOf(view);
    this.#members = [...lives.keys()];
    this.#step({ kind: 'view', epoch: view.epoch, members: lives });
  }

  /** Somebody who will hold and wait; what it has then is given up when it is closed, as by one who died. @param ancestors the session in which it was started */
  open(label: string, ancestors = ''): SyncClient {
    const number = ++this.#lastNumber;
    const own = `${this.#options.rpc.id}.${Date.now().toString(36)}.${number}`;
    const identity = { client: number, session: ancestors === '' ? own : `${ancestors}/${own}`, label };
    const client = new SyncClient(identity, {
      ask: (request, onQueued, signal) =>
        new Promise((resolve) => {
          const id = ++this.#lastNumber;
          this.#replies.set(id, { client, resolve });
          client.waiting.set(id, onQueued);
          signal?.addEventListener('abort', () => this.#step({ kind: 'cancel', id }), { once: true });
          this.#step({ kind: 'request', id, client: identity, request, atMs: Date.now() });
        }),
      close: () => {
        this.#clients.delete(number);
        for (const [id, each] of this.#replies) if (each.client === client) this.#reply(id, { kind: 'cancelled' });
        this.#step({ kind: 'client-gone', client: number });
      },
    });
    this.#clients.set(number, client);
    return client;
  }

  /**
   * A node is to be taken out: nobody gets anything there any more, and who holds something loses it. Resolves when the tables know of nobody there.
   * @throws KorriganError when it does not answer; who has something there is taken for dead when it is out
   */
  async empty(node: NodeId): Promise<void> {
    await this.#options.rpc.call(node, leaveCall, { isLeaving: true }, { deadlineMs: LEAVE_MILLISECONDS });
  }

  /** It stays after all. */
  async keep(node: NodeId): Promise<void> {
    await this.#options.rpc.call(node, leaveCall, { isLeaving: false }, { deadlineMs: LEAVE_MILLISECONDS });
  }

  #drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#step({ kind: 'drain' });
    });
  }

  /** All tables with something in them, each as it was at some moment since this was asked. */
  async tables(): Promise<Table[]> {
    const set = await this.#openSet();
    const { answers } = await this.#options.rpc.callGroup(this.#members, tablesCall, {}, { policy: 'each', deadlineMs: LIST_MILLISECONDS });
    const numbers = new Set([...this.#tablesHere(), ...[...answers.values()].flatMap(({ tables }) => tables)]);
    const signal = AbortSignal.timeout(LIST_MILLISECONDS);
    const found = await Promise.all([...numbers].map((table) => set.read(table, { noFirstTouch: true, signal })));
    return found.flatMap((table) => (table !== undefined && table.objects.size > 0 ? [table] : []));
  }

  /** An id that no call on whatever node gives out twice; it tells its node (`nodeOfId` of kddm). @throws KorriganError */
  uniqueId(): Promise<number> {
    return this.#ids.next();
  }

  /** Who asks while somebody else looks gets what that one finds. */
  deadlocks(): Promise<Deadlock[]> {
    const look = async (): Promise<Deadlock[]> => {
      const first = findDeadlocks(await this.tables());
      return first.length === 0 ? [] : confirmed(first, findDeadlocks(await this.tables()));
    };
    this.#looking ??= look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Calls back, again and again, with the deadlocks that a session is in, until it is aborted. */
  async watchDeadlocks(session: string, signal: AbortSignal, onDeadlock: (deadlock: Deadlock) => void): Promise<void> {
    const told = new Set<string>();
    for (let wait = SUSPICION_MILLISECONDS.first; !signal.aborted; wait = Math.min(2 * wait, SUSPICION_MILLISECONDS.longest)) {
      if (!(await passes(wait, signal))) return;
      const found = await this.deadlocks().catch((error: unknown) => {
        this.#options.log.debug({ err: error }, 'deadlocks could not be looked for');
        return [];
      });
      for (const deadlock of found) {
        if (signal.aborted || told.has(deadlock.name) || !deadlock.waits.some(({ waiter }) => waiter.session === session)) continue;
        told.add(deadlock.name);
        onDeadlock(deadlock);
      }
    }
  }

  /** What its clients have is lost with it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const id of this.#replies.keys()) this.#reply(id, { kind: 'leaving' });
    for (const client of this.#clients.values()) client.lose(undefined);
    return Promise.resolve();
  }

  #tablesHere(): number[] {
    const entries = this.#options.kddm.node?.set(SYNC_SET_RECORD.namespace, SYNC_SET)?.entries.values() ?? [];
    const isUsed = (content: unknown): boolean => content === undefined || (content as Table).objects.size > 0;
    const known = [...entries].filter(({ content, backup }) => (content !== undefined || backup !== undefined) && isUsed(content));
    return [...new Set([...known.map(({ object }) => object), ...this.#node.claims.all().map(({ table }) => table)])];
  }

  #openSet(): Promise<KddmSetHandle<Table>> {
    const { set, name, policy, isExclusive, replicas, unknownAfterCrash } = SYNC_SET_RECORD;
    this.#set ??= this.#options.kddm
      .createSet(tableLinker, { id: set, ...(name !== undefined && { name }), policy, isExclusive, replicas, unknownAfterCrash })
      .catch((error: unknown) => {
        this.#set = undefined;
        throw error;
      });
    return this.#set;
  }

  // The machine

  #step(event: SyncEvent): void {
    if (this.#isClosed) return;
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
        for (const effect of this.#node.step(next, this.#now())) this.#carryOut(effect);
    } finally {
      this.#isStepping = false;
    }
  }

  #carryOut(effect: SyncEffect): void {
    switch (effect.kind) {
      case 'grab':
        return void this.#grab(effect.table);
      case 'put':
        return void this.#put(effect.table, effect.content);
      case 'see':
        return void this.#see(effect.table);
      case 'send':
        if (this.#options.rpc.peers.includes(effect.to)) this.#options.rpc.notify(effect.to, answersNotice, effect.notice);
        return;
      case 'reply':
        return this.#reply(effect.id, effect.reply);
      case 'queued':
        return this.#replies.get(effect.id)?.client.waiting.get(effect.id)?.(effect.holders);
      case 'hold-lost':
        return this.#clients.get(effect.client)?.lose(effect.claim);
      case 'drained':
        return this.#onDrained?.();
    }
  }

  #reply(id: number, reply: Reply): void {
    const asked = this.#replies.get(id);
    this.#replies.delete(id);
    asked?.client.waiting.delete(id);
    asked?.resolve(reply);
  }

  async #grab(table: number): Promise<void> {
    try {
      const hold = await (await this.#openSet()).grab(table);
      this.#held.set(table, hold);
      this.#step({ kind: 'grabbed', table, content: hold.content });
    } catch (error) {
      this.#step({ kind: 'grabbed', table, content: this.#failureOf(error) });
    }
  }

  async #put(table: number, content: Table): Promise<void> {
    const hold = this.#held.get(table);
    this.#held.delete(table);
    if (hold === undefined) throw new TypeError(`table ${table} is put and was not grabbed`);
    try {
      hold.content = content;
      await hold.put();
      this.#step({ kind: 'put', table });
    } catch (error) {
      this.#step({ kind: 'put', table, failure: this.#failureOf(error) });
    }
  }

  async #see(table: number): Promise<void> {
    try {
      const content = await (await this.#openSet()).read(table, { noFirstTouch: true });
      this.#step({ kind: 'seen', table, content });
    } catch (error) {
      this.#step({ kind: 'seen', table, content: this.#failureOf(error) });
    }
  }

  #failureOf(error: unknown): FailureCode {
    const code = error instanceof KorriganError ? error.code : undefined;
    if (code === 'KRG_OBJECT_LOST') return 'lost';
    if (code !== 'KRG_NODE_LEAVING') this.#options.log.error({ err: error }, 'a table of sync could not be had');
    return 'leaving';
  }
}

/** @returns false when it was aborted before */
async function passes(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
