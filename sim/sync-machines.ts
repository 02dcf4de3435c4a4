/** One node of the sync world: its two machines, what has come for them, and what they want of each other. */
import { KddmNode, type KddmEffect, type KddmEvent, type NodeId, type Result } from '../src/kddm/index.ts';
import {
  type Reply,
  SYNC_NAMESPACE,
  SYNC_SET,
  SYNC_SET_RECORD,
  type SyncEffect,
  type SyncEvent,
  type SyncMutation,
  SyncNode,
  type Table,
  tableLinker,
} from '../src/sync/index.ts';
import { GRACE_MS } from './check-sync.ts';

export const LOOK_MS = 5000;

export type NodeEvent = { readonly of: 'kddm'; readonly event: KddmEvent } | { readonly of: 'sync'; readonly event: SyncEvent };

/** Effects that concern others than this node. */
export type OuterEffect =
  | { readonly of: 'kddm'; readonly effect: KddmEffect }
  | { readonly of: 'sync'; readonly effect: Exclude<SyncEffect, { kind: 'grab' | 'put' | 'see' }> };

export interface SyncMachinesHost {
  readonly nowMs: number;
  nextNumber(): number;
  /** The object manager says that this table is lost. */
  tableLost(node: NodeId, table: number): void;
  trace(line: () => string): void;
  carryOut(machines: SyncMachines, effect: OuterEffect): void;
}

/** A place for a node, and the one that is there now. */
export class SyncMachines {
  readonly id: NodeId;
  readonly #host: SyncMachinesHost;
  kddm: KddmNode | undefined;
  sync: SyncNode | undefined;
  life = '';
  isPaused = false;
  /** Not a member any more, and does not know it yet. */
  isZombie = false;
  readonly replies = new Map<number, (reply: Reply) => void>();
  /** What has not been handled: while it is paused, or while it handles something else. */
  readonly #inbox: NodeEvent[] = [];
  #isHandling = false;
  /** What waits for the set, once somebody has asked for it. */
  #waiting: (() => void)[] | undefined;
  #hasSet = false;
  readonly #results = new Map<number, (result: Result) => void>();

  constructor(host: SyncMachinesHost, id: NodeId) {
    this.#host = host;
    this.id = id;
  }

  boot(life: string, mutation: string | undefined): void {
    this.isZombie = false;
    this.life = life;
    const mutations = new Set(mutation === undefined ? [] : [mutation as SyncMutation]);
    this.kddm = new KddmNode({ self: this.id, linkers: [tableLinker] });
    this.sync = new SyncNode({ self: this.id, life, lookMs: LOOK_MS, graceMs: GRACE_MS, mutations });
  }

  end(): void {
    this.kddm = undefined;
    this.sync = undefined;
    this.#waiting = undefined;
    this.#hasSet = false;
    this.#inbox.length = 0;
    this.#results.clear();
    this.replies.clear();
  }

  resume(): void {
    this.isPaused = false;
    this.#work();
  }

  handle(event: NodeEvent): void {
    if (this.kddm === undefined) return;
    this.#inbox.push(event);
    this.#work();
  }

  #work(): void {
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      while (!this.isPaused) {
        const next = this.#inbox.shift();
        const { kddm, sync } = this;
        if (next === undefined || kddm === undefined || sync === undefined) return;
        if (next.of === 'kddm') for (const effect of kddm.step(next.event, this.#host.nowMs)) this.#onKddm(effect);
        else for (const effect of sync.step(next.event, this.#host.nowMs)) this.#onSync(effect);
      }
    } finally {
      this.#isHandling = false;
    }
  }

  /** As the service does: the set is made, or found, before it is first used. */
  #withSet(run: () => void): void {
    if (this.#hasSet) return run();
    if (this.#waiting !== undefined) return void this.#waiting.push(run);
    this.#waiting = [run];
    this.operate({ kind: 'create-set', record: SYNC_SET_RECORD }, () => {
      this.#hasSet = true;
      for (const next of this.#waiting ?? []) next();
    });
  }

  operate(what: object, onResult: (result: Result) => void): void {
    const id = this.#host.nextNumber();
    this.#results.set(id, onResult);
    const operation = { namespace: SYNC_NAMESPACE, set: SYNC_SET, ...what, id } as (KddmEvent & { kind: 'operation' })['operation'];
    this.handle({ of: 'kddm', event: { kind: 'operation', operation } });
  }

  #onKddm(effect: KddmEffect): void {
    if (effect.kind !== 'complete') return this.#host.carryOut(this, { of: 'kddm', effect });
    const onResult = this.#results.get(effect.operation);
    this.#results.delete(effect.operation);
    onResult?.(effect.result);
  }

  #onSync(effect: SyncEffect): void {
    switch (effect.kind) {
      case 'grab':
        return this.#withSet(() =>
          this.operate({ kind: 'grab', object: effect.table }, (result) => {
            const content = this.#contentOf(effect.table, result);
            if (content !== undefined) this.handle({ of: 'sync', event: { kind: 'grabbed', table: effect.table, content } });
          }),
        );
      case 'put':
        return this.operate({ kind: 'put', hold: 'grab', object: effect.table, content: effect.content }, (result) => {
          if (result.kind === 'failed') this.#host.trace(() => `node ${this.id} put fails: ${result.code}`);
          else this.handle({ of: 'sync', event: { kind: 'put', table: effect.table } });
        });
      case 'see':
        return this.operate({ kind: 'get', noLock: true, noFirstTouch: true, object: effect.table }, (result) => {
          const content = this.#contentOf(effect.table, result);
          this.handle({ of: 'sync', event: { kind: 'seen', table: effect.table, content } });
        });
      default:
        return this.#host.carryOut(this, { of: 'sync', effect });
    }
  }

  #contentOf(table: number, result: Result): Table | (Result & { kind: 'failed' })['code'] | undefined {
    if (result.kind === 'done') return result.content as Table;
    if (result.kind === 'absent') return undefined;
    if (result.code === 'lost') this.#host.tableLost(this.id, table);
    return result.code;
  }
}
