/**
 * Watches: a node hears that an object, or any of a set, has changed. Who has put, created or removed an object tells the watchers, without the content: what
 * they get then is no older. Every member knows all watches of all sets; they are reported anew at each reconfiguration, after which watchers are told that anything may
 * have changed.
 */
import type { NodeId } from '../rpc/index.ts';
import type { Context } from './context.ts';
import type { KddmEffect } from './events.ts';
import type { ObjectId, SetId } from './identity.ts';
import type { MessageOf, ReportedWatch, Watch } from './messages.ts';
import { DONE, failed, type SetOperation } from './operations.ts';
import type { SetDirectory } from './set-directory.ts';
import type { KddmSet } from './sets.ts';

/** Changes that one watcher is told of at once. Beyond that anything may have changed. */
const MOST_OBJECTS = 1000;

type Changed = Extract<KddmEffect, { kind: 'changed' }>;

/** A watch of this node. */
interface Own {
  readonly namespace: number;
  readonly set: SetId;
  readonly object: ObjectId | undefined;
  /** Who does not know it yet; the operation is complete when all do. */
  readonly missing: Set<NodeId>;
}

export class Watches {
  readonly #context: Context;
  readonly #directory: SetDirectory;
  readonly #tellUser: (effect: Changed) => void;
  readonly #own = new Map<number, Own>();
  /** Who was told something since the last tick, with what else there is to tell. */
  readonly #told = new Map<NodeId, Map<KddmSet, Set<ObjectId> | 'anything'>>();

  constructor(context: Context, directory: SetDirectory, tellUser: (effect: Changed) => void) {
    this.#context = context;
    this.#directory = directory;
    this.#tellUser = tellUser;
  }

  start(operation: SetOperation & { readonly kind: 'watch' | 'unwatch' }): void {
    const { members, self } = this.#context;
    const { id, namespace } = operation;
    if (operation.kind === 'unwatch') {
      const own = this.#own.get(operation.watch);
      this.#own.delete(operation.watch);
      if (own !== undefined) for (const member of members) this.#tell(member, own, operation.watch, false);
      return this.#context.complete(operation, own === undefined ? failed('no-entry') : DONE);
    }
    if (this.#directory.find(namespace, operation.set) === undefined) return this.#context.complete(operation, failed('no-entry'));
    const own = { namespace, set: operation.set, object: operation.object, missing: new Set(members) };
    this.#own.set(id, own);
    for (const member of members) if (member !== self) this.#tell(member, own, id, true);
    this.#tell(self, own, id, true);
  }

  #tell(member: NodeId, { namespace, set, object }: Own, watch: number, isOn: boolean): void {
    const record = this.#directory.find(namespace, set)?.record;
    if (record === undefined) return;
    this.#context.send(member, { kind: 'KDDM_WATCH', record, watch, isOn, ...(object !== undefined && { object }) });
  }

  onWatch(from: NodeId, { record, watch, object, isOn }: MessageOf<'KDDM_WATCH'>): void {
    const set = this.#directory.install(record);
    if (set !== undefined && isOn) add(set, { node: from, watch, ...(object !== undefined && { object }) });
    if (set !== undefined && !isOn) set.watches = set.watches.filter((known) => known.node !== from || known.watch !== watch);
    if (isOn) this.#context.send(from, { kind: 'KDDM_WATCHED', watch });
  }

  onWatched(from: NodeId, { watch }: MessageOf<'KDDM_WATCHED'>): void {
    const own = this.#own.get(watch);
    if (own?.missing.delete(from) === true && own.missing.size === 0) this.#context.complete({ id: watch }, DONE);
  }

  /** The object has changed here. */
  note(set: KddmSet, object: ObjectId): void {
    if (this.#context.has('watchers-not-told')) return;
    const nodes = new Set(set.watches.filter((watch) => watch.object === undefined || watch.object === object).map(({ node }) => node));
    for (const node of nodes) {
      const pending = this.#told.get(node);
      if (pending === undefined) {
        this.#told.set(node, new Map());
        this.#send(node, set, [object]);
        continue;
      }
      const objects = pending.get(set) ?? new Set();
      if (objects === 'anything') continue;
      objects.add(object);
      pending.set(set, objects.size > MOST_OBJECTS ? 'anything' : objects);
    }
  }

  #send(node: NodeId, { record }: KddmSet, objects: ObjectId[]): void {
    this.#context.send(node, { kind: 'KDDM_CHANGED', namespace: record.namespace, set: record.set, objects });
  }

  /** What has changed since the last tick is told. */
  tick(): void {
    for (const [node, pending] of this.#told) {
      if (pending.size === 0) this.#told.delete(node);
      for (const [set, objects] of pending) this.#send(node, set, objects === 'anything' ? [] : [...objects]);
      pending.clear();
    }
  }

  onChanged({ namespace, set, objects }: MessageOf<'KDDM_CHANGED'>): void {
    for (const [watch, own] of this.#own) {
      if (own.namespace !== namespace || own.set !== set) continue;
      const mine = own.object === undefined ? objects : objects.filter((object) => object === own.object);
      if (objects.length === 0 || mine.length > 0) this.#tellUser({ kind: 'changed', watch, objects: mine });
    }
  }

  /** Of this node, as they are reported. */
  report(): ReportedWatch[] {
    return [...this.#own].map(([watch, { namespace, set, object }]) => ({
      namespace,
      set,
      watch,
      ...(object !== undefined && { object }),
    }));
  }

  /** A reconfiguration begins: who watches says so again. */
  forgetAll(): void {
    for (const set of this.#directory.all()) set.watches = [];
    this.#told.clear();
  }

  adopt(from: NodeId, reported: readonly ReportedWatch[]): void {
    if (this.#context.has('watch-not-renewed')) return;
    for (const { namespace, set: id, watch, object } of reported) {
      const set = this.#directory.find(namespace, id);
      if (set !== undefined) add(set, { node: from, watch, ...(object !== undefined && { object }) });
    }
  }

  /** All members know all watches. */
  resume(): void {
    for (const [watch, { missing }] of this.#own) {
      if (missing.size > 0) this.#context.complete({ id: watch }, DONE);
      missing.clear();
      this.#tellUser({ kind: 'changed', watch, objects: [] });
    }
  }

  /** A set is destroyed: what was watched is gone. */
  destroyed(namespace: number, set: SetId): void {
    for (const [watch, own] of this.#own) {
      if (own.namespace !== namespace || own.set !== set) continue;
      this.#own.delete(watch);
      if (own.missing.size > 0) this.#context.complete({ id: watch }, failed('no-entry'));
      else this.#tellUser({ kind: 'changed', watch, objects: [] });
    }
  }
}

function add(set: KddmSet, watch: Watch): void {
  if (!set.watches.some((known) => known.node === watch.node && known.watch === watch.watch)) set.watches.push(watch);
}
