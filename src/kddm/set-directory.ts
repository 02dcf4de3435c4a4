/**
 * The sets that a node knows. A set that it does not know is looked up at the set's manager; creating and destroying go through the manager,
 * which tells everybody of a destruction. After a reconfiguration all members know all sets.
 */
import type { NodeId } from '../rpc/index.ts';
import type { Context } from './context.ts';
import type { SetId } from './identity.ts';
import { DestroyedSets } from './destroyed-sets.ts';
import type { IoLinker } from './linker.ts';
import type { Message, MessageOf, SetRecord } from './messages.ts';
import { ABSENT, DONE, failed, type ObjectOperation, type Result, type DirectoryOperation } from './operations.ts';
import { type KddmSet, managerOf, managerOfName } from './sets.ts';

/** A message about sets. */
type SetMessage = MessageOf<'REQ_KDDM_SET_LOOKUP' | 'KDDM_SET_RECORD' | 'REQ_KDDM_SET_DESTROY' | 'KDDM_SET_DESTROYED'>;

/** What waits until it is known whether a set exists. */
interface Lookup {
  readonly messages: { readonly from: NodeId; readonly message: Message }[];
  readonly operations: ObjectOperation[];
  /** Who does not know it: its manager first, then those from whom the messages came. */
  readonly asked: Set<NodeId>;
}

interface Running {
  readonly operation: DirectoryOperation;
  /** Of a set with a name: the manager of the name has agreed, its own has not. */
  isNamed: boolean;
}

interface Destruction {
  readonly requests: { readonly requester: NodeId; readonly operation: number }[];
  readonly awaited: Set<NodeId>;
}

export class SetDirectory {
  readonly #context: Context;
  readonly #linkers: ReadonlyMap<string, IoLinker<unknown>>;
  readonly #sets = new Map<number, Map<SetId, KddmSet>>();
  readonly #lookups = new Map<string, Lookup>();
  readonly #running = new Map<number, Running>();
  readonly #destructions = new Map<string, Destruction>();

  readonly #destroyed = new DestroyedSets();
  readonly #onDestroyed: (namespace: number, set: SetId) => void;

  constructor(context: Context, linkers: ReadonlyMap<string, IoLinker<unknown>>, onDestroyed: (namespace: number, set: SetId) => void) {
    this.#onDestroyed = onDestroyed;
    this.#context = context;
    this.#linkers = linkers;
  }

  find(namespace: number, set: SetId): KddmSet | undefined {
    return this.#sets.get(namespace)?.get(set);
  }

  /** Is it not destroyed? */
  has(set: KddmSet): boolean {
    return this.find(set.record.namespace, set.record.set) === set;
  }

  all(): KddmSet[] {
    return [...this.#sets.values()].flatMap((sets) => [...sets.values()]);
  }

  /** @returns the set with this record, or the one that has its id already; `undefined` when it was destroyed, or this node has no such linker */
  install(record: SetRecord): KddmSet | undefined {
    const known = this.find(record.namespace, record.set);
    if (known !== undefined) return known;
    if (this.#destroyed.has(record.namespace, record.set)) return undefined;
    const linker = this.#linkers.get(record.linker);
    if (linker === undefined) return undefined;
    const set: KddmSet = { record, linker, entries: new Map(), watches: [], lastUse: new Map(), termFloor: 0 };
    const namespace = this.#sets.get(record.namespace);
    if (namespace === undefined) this.#sets.set(record.namespace, new Map([[record.set, set]]));
    else namespace.set(record.set, set);
    linker.instantiate?.(record.set);
    return set;
  }

  /** The message or the operation goes on when the set is known; without a set the operation fails. */
  await(namespace: number, set: SetId, what: { from: NodeId; message: Message } | ObjectOperation): void {
    const key = `${namespace}:${set}`;
    if (this.#destroyed.has(namespace, set)) {
      if (!('message' in what)) this.#context.complete(what, failed('no-entry'));
      return;
    }
    const lookup = this.#lookups.get(key) ?? { messages: [], operations: [], asked: new Set() };
    if ('message' in what) lookup.messages.push(what);
    else lookup.operations.push(what);
    if (this.#lookups.has(key)) return;
    this.#lookups.set(key, lookup);
    this.#look(namespace, set);
  }

  #look(namespace: number, set: SetId): void {
    this.#context.send(managerOf(set, this.#context.members), { kind: 'REQ_KDDM_SET_LOOKUP', operation: 0, namespace, set });
  }

  start(asked: DirectoryOperation): void {
    const { epoch } = this.#context;
    const operation = asked.kind === 'create-set' ? { ...asked, record: { since: epoch, ...asked.record } } : asked;
    const running = { operation, isNamed: false };
    this.#running.set(operation.id, running);
    this.#ask(running);
  }

  #ask({ operation, isNamed }: Running): void {
    const { members } = this.#context;
    const { id, namespace } = operation;
    switch (operation.kind) {
      case 'create-set': {
        const { record } = operation;
        const manager = !isNamed && record.name !== undefined ? managerOfName(record.name, members) : managerOf(record.set, members);
        return this.#context.send(manager, { kind: 'REQ_KDDM_SET_LOOKUP', operation: id, namespace, set: record.set, record });
      }
      case 'find-set':
        return this.#context.send(managerOf(operation.set, members), {
          kind: 'REQ_KDDM_SET_LOOKUP',
          operation: id,
          namespace,
          set: operation.set,
        });
      case 'find-name':
        return this.#context.send(managerOfName(operation.name, members), {
          kind: 'REQ_KDDM_SET_LOOKUP',
          operation: id,
          namespace,
          name: operation.name,
        });
      case 'destroy-set':
        return this.#context.send(managerOf(operation.set, members), {
          kind: 'REQ_KDDM_SET_DESTROY',
          operation: id,
          namespace,
          set: operation.set,
          isOrder: false,
        });
    }
  }

  /** After a reconfiguration: what was asked is asked again. */
  resume(): void {
    this.#destructions.clear();
    for (const { messages, asked } of this.#lookups.values()) {
      messages.length = 0;
      asked.clear();
    }
    for (const key of this.#lookups.keys()) {
      const [namespace, set] = key.split(':').map(Number);
      if (namespace !== undefined && set !== undefined) this.#look(namespace, set);
    }
    for (const running of this.#running.values()) {
      running.isNamed = false;
      this.#ask(running);
    }
  }

  #named(namespace: number, name: string | undefined): KddmSet | undefined {
    return name === undefined ? undefined : this.all().find(({ record }) => record.namespace === namespace && record.name === name);
  }

  receive(from: NodeId, message: SetMessage): void {
    switch (message.kind) {
      case 'REQ_KDDM_SET_LOOKUP':
        return this.#onLookup(from, message);
      case 'KDDM_SET_RECORD':
        return this.#onRecord(message);
      case 'REQ_KDDM_SET_DESTROY':
        return this.#onDestroy(from, message);
      case 'KDDM_SET_DESTROYED':
        return this.#onDestroyedBy(from, message);
    }
  }

  #onLookup(from: NodeId, message: MessageOf<'REQ_KDDM_SET_LOOKUP'>): void {
    const { operation, namespace, set, name, record } = message;
    let known = this.#named(namespace, name ?? record?.name) ?? (set === undefined ? undefined : this.find(namespace, set));
    if (known === undefined && record !== undefined) known = this.install(record);
    this.#context.send(from, {
      kind: 'KDDM_SET_RECORD',
      operation,
      namespace,
      ...(set !== undefined && { set }),
      ...(known && { record: known.record }),
    });
  }

  #onRecord({ operation, namespace, set, record }: MessageOf<'KDDM_SET_RECORD'>): void {
    const installed = record === undefined ? undefined : this.install(record);
    const running = this.#running.get(operation);
    if (running !== undefined) {
      const { operation: started, isNamed } = running;
      const isMine = started.kind === 'create-set' && started.record.name !== undefined && started.record.set === record?.set;
      if (isMine && !isNamed) {
        running.isNamed = true;
        return this.#ask(running);
      }
      return this.#finish(running, record === undefined ? ABSENT : { kind: 'done', record });
    }
    const key = `${namespace}:${set ?? 0}`;
    const lookup = this.#lookups.get(key);
    if (lookup === undefined) return;
    const next = lookup.messages.find((waiting) => waiting.from !== this.#context.self && !lookup.asked.has(waiting.from))?.from;
    if (installed === undefined && set !== undefined && next !== undefined) {
      // A set that is being made may be in use before its manager has heard of it.
      lookup.asked.add(next);
      return this.#context.send(next, { kind: 'REQ_KDDM_SET_LOOKUP', operation: 0, namespace, set });
    }
    this.#lookups.delete(key);
    if (installed === undefined) {
      for (const waiting of lookup.operations) this.#context.complete(waiting, failed('no-entry'));
      return;
    }
    for (const { from, message } of lookup.messages) this.#context.redeliver(from, message);
    for (const waiting of lookup.operations) this.#context.restart(waiting);
  }

  #finish({ operation }: Running, result: Result): void {
    this.#running.delete(operation.id);
    this.#context.complete(operation, result);
  }

  #onDestroy(from: NodeId, message: MessageOf<'REQ_KDDM_SET_DESTROY'>): void {
    const { namespace, set, operation, isOrder } = message;
    if (!isOrder) {
      const request = { requester: from, operation };
      const begun = this.#destructions.get(`${namespace}:${set}`);
      if (begun !== undefined) {
        begun.requests.push(request);
        return;
      }
      const others = this.#context.members.filter((member) => member !== this.#context.self);
      this.#destructions.set(`${namespace}:${set}`, { requests: [request], awaited: new Set(others) });
      for (const other of others) this.#context.send(other, { ...message, isOrder: true });
    }
    this.#destroy(namespace, set, this.#context.epoch);
    if (isOrder) this.#context.send(from, { kind: 'KDDM_SET_DESTROYED', operation, namespace, set, isOrder });
    else this.#finishDestruction(namespace, set);
  }

  /** Sets that were destroyed: to be reported, and by others. */
  reportDestroyed(): [namespace: number, set: SetId, epoch: number][] {
    return this.#destroyed.report();
  }

  adoptDestroyed(reported: readonly (readonly [namespace: number, set: SetId, epoch: number])[]): void {
    if (this.#context.has('set-comes-back')) return;
    for (const [namespace, set, epoch] of reported) this.#destroy(namespace, set, epoch);
  }

  /** All know what was reported. */
  complete(epoch: number): void {
    this.#destroyed.complete(epoch);
  }

  #destroy(namespace: number, id: SetId, epoch: number): void {
    if (!this.#context.has('set-comes-back')) this.#destroyed.note(namespace, id, epoch);
    const set = this.find(namespace, id);
    if (set === undefined) return;
    this.#sets.get(namespace)?.delete(id);
    for (const entry of set.entries.values()) {
      for (const waiter of entry.waiters.splice(0)) this.#context.complete(waiter, failed('no-entry'));
      for (const { operation } of entry.pendingBackups.splice(0)) if (operation !== undefined) this.#context.complete(operation, DONE);
    }
    set.entries.clear();
    set.linker.uninstantiate?.(id);
    this.#onDestroyed(namespace, id);
  }

  #onDestroyedBy(from: NodeId, { namespace, set, operation, isOrder }: MessageOf<'KDDM_SET_DESTROYED'>): void {
    if (isOrder) {
      this.#destructions.get(`${namespace}:${set}`)?.awaited.delete(from);
      return this.#finishDestruction(namespace, set);
    }
    const running = this.#running.get(operation);
    if (running !== undefined) this.#finish(running, DONE);
  }

  #finishDestruction(namespace: number, set: SetId): void {
    const key = `${namespace}:${set}`;
    const destruction = this.#destructions.get(key);
    if (destruction === undefined || destruction.awaited.size > 0) return;
    this.#destructions.delete(key);
    for (const { requester, operation } of destruction.requests)
      this.#context.send(requester, { kind: 'KDDM_SET_DESTROYED', operation, namespace, set, isOrder: false });
  }
}
