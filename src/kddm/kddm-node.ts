/** The protocol of one node: takes events, asks its parts, collects effects. */
import { KorriganError } from '../linux/errors.ts';
import type { NodeId } from '../rpc/index.ts';
import { forget } from './context.ts';
import { Delivery } from './delivery.ts';
import type { Entry } from './entry.ts';
import type { Change, KddmEffect, KddmEvent } from './events.ts';
import { expire } from './expiry.ts';
import { onFilled } from './first-touch.ts';
import { evictCopies, flushSet } from './flush-set.ts';
import { sync } from './holds.ts';
import type { ObjectId, SetId } from './identity.ts';
import type { IoLinker } from './linker.ts';
import type { Envelope, Message } from './messages.ts';
import type { Mutation } from './mutations.ts';
import { createContext, type Incoming, type NodeContext, type Work } from './node-context.ts';
import { onObjectMessage } from './object-messages.ts';
import { failed, isOfSet, type ObjectOperation, type SetOperation } from './operations.ts';
import { complete, createHistory, type History, noteDeaths, settle } from './history.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { endDecision, renewBackups } from './reports.ts';
import { SetDirectory } from './set-directory.ts';
import type { KddmSet } from './sets.ts';
import { getHere, putHere } from './short-path.ts';
import { look, startOperation } from './waiters.ts';
import { Watches } from './watches.ts';
import { count, createStatistics, type Statistics } from './statistics.ts';

export interface KddmNodeOptions {
  readonly self: NodeId;
  /** By the names that stand in set records. */
  readonly linkers: readonly IoLinker<unknown>[];
  /** The simulator breaks the protocol with these. */
  readonly mutations?: ReadonlySet<Mutation>;
}

/** A lease is looked at before everything else. */
type Handled = Exclude<KddmEvent, { readonly kind: 'lease' }>;

/** Of what one event may cause on its node. More is a fault of the protocol, which must not stop the daemon for ever. */
const MOST_ROUNDS = 100_000;

const OF_RECONFIGURATION: ReadonlySet<string> = new Set<Message['kind']>(['KDDM_COPYSET', 'KDDM_SELECT_OWNER', 'KDDM_BARRIER']);

/** In which a node that leaves evicts copies. */
const MOST_DRAIN_TICKS = 50;

const NONE: ReadonlySet<Mutation> = new Set();

/**
 * One node's objects. It serves when it has taken part in a reconfiguration and has a lease. Until then, and while a reconfiguration is carried out,
 * operations and messages wait.
 */
export class KddmNode {
  readonly self: NodeId;
  readonly statistics: Statistics = createStatistics();
  readonly #mutations: ReadonlySet<Mutation>;
  readonly #context: NodeContext;
  readonly #directory: SetDirectory;
  readonly #watches: Watches;
  #leaseUntil = 0;
  #state: 'reconfiguring' | 'running' | 'left' = 'reconfiguring';
  #isDraining = false;
  #drainTicks = 0;
  #reconfiguration: Reconfiguration | undefined;
  readonly #history: History = createHistory();
  /** Entries whose backups are being made anew. */
  readonly #recovering = new Set<Entry>();
  /** Wait for the lease; for the end of the reconfiguration; for a later epoch. */
  #suspended: Handled[] = [];
  #waitingOperations: (ObjectOperation | SetOperation)[] = [];
  #waitingMessages: Incoming[] = [];
  #future: { readonly from: NodeId; readonly envelope: Envelope }[] = [];
  readonly #work: Work = { effects: [], delivery: new Delivery(), touched: new Map(), incoming: [], restarts: [] };

  constructor({ self, linkers, mutations = NONE }: KddmNodeOptions) {
    this.self = self;
    this.#mutations = mutations;
    this.#context = createContext({
      self,
      statistics: this.statistics,
      mutations,
      work: this.#work,
      emit: (to, message) => this.#emit(to, message),
      changed: (set, object) => {
        if (set.watches.length > 0) this.#watches.note(set, object);
      },
    });
    this.#directory = new SetDirectory(this.#context, new Map(linkers.map((linker) => [linker.name, linker])), (namespace, set) =>
      this.#watches.destroyed(namespace, set),
    );
    this.#watches = new Watches(this.#context, this.#directory, (effect) => this.#work.effects.push(effect));
  }

  get epoch(): number {
    return this.#context.epoch;
  }

  /** Whether it serves its users, as far as its lease goes. */
  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** @returns all sets that are known here, for those who look on */
  sets(): readonly KddmSet[] {
    return this.#directory.all();
  }

  /** For `getNow` and `putNow`; `undefined` when the set is not known here (yet). */
  set(namespace: number, set: SetId): KddmSet | undefined {
    return this.#directory.find(namespace, set);
  }

  /**
   * The short path of a get: freezes the object and returns its content when both can be done at once.
   * @returns the content; `undefined`: the operation must be made by `step`
   */
  getNow(set: KddmSet, object: ObjectId, now: number): unknown {
    if (!this.#isServing(now) || this.#isDraining) return undefined;
    const content = getHere(set, object);
    if (content !== undefined) this.statistics.hits++;
    return content;
  }

  /** Ends a hold of a get where nobody waits for that. @returns whether it did; else the operation must be made by `step` */
  putNow(set: KddmSet, object: ObjectId, now: number): boolean {
    return this.#isServing(now) && putHere(set, object);
  }

  #isServing(now: number): boolean {
    return now < this.#leaseUntil && this.#state === 'running';
  }

  /** @param now in the unit and of the clock of the leases */
  step(event: KddmEvent, now: number): readonly KddmEffect[] {
    this.#work.effects = [];
    this.#context.now = now;
    if (this.#state !== 'left') this.#take(event, now);
    else if (event.kind === 'operation') this.#context.complete(event.operation, failed('leaving'));
    return this.#work.effects;
  }

  #take(event: KddmEvent, now: number): void {
    if (event.kind === 'lease') return this.#extendLease(event.until, now);
    if (now >= this.#leaseUntil && event.kind !== 'reconfigure' && !this.#mutations.has('lease-ignored')) {
      if (event.kind !== 'tick') this.#suspended.push(event);
      return;
    }
    this.#handle(event);
    this.#settle();
  }

  #extendLease(until: number, now: number): void {
    this.#leaseUntil = Math.max(this.#leaseUntil, until);
    if (now >= this.#leaseUntil) return;
    for (const suspended of this.#suspended.splice(0)) {
      this.#handle(suspended);
      this.#settle();
    }
  }

  #handle(event: Handled): void {
    switch (event.kind) {
      case 'operation':
        return this.#start(event.operation);
      case 'message':
        return this.#receive(event.from, event.envelope);
      case 'reconfigure':
        return this.#reconfigure(event);
      case 'filled': {
        const set = this.set(event.namespace, event.set);
        return set && onFilled(this.#context, set, set.entries.get(event.object), event.content);
      }
      case 'synced': {
        const { namespace, set, object, operation } = event;
        return this.#context.send(event.for, { kind: 'OBJECT_SYNC_ACK', namespace, set, object, operation });
      }
      case 'settled':
        return settle(this.#history, event.epoch);
      case 'drain':
        this.#isDraining = true;
        return;
      case 'tick':
        return this.#tick();
    }
  }

  #tick(): void {
    if (this.#state !== 'running') return;
    if (this.#recovering.size > 0) this.#noteRecovery();
    for (const node of this.#work.delivery.untold()) this.#emit(node, { kind: 'DELIVERED' });
    this.#watches.tick();
    for (const set of this.#directory.all()) expire(this.#context, set);
    if (this.#isDraining) this.#drain();
  }

  #drain(): void {
    const sets = this.#directory.all();
    // Who holds an object may let others wait for long; so many ticks are enough for all others.
    if (this.#drainTicks++ < MOST_DRAIN_TICKS && evictCopies(this.#context, sets) > 0) return;
    const isIdle = sets.every((set) =>
      set.entries.values().every((entry) => entry.frozen === 0 && entry.waiters.length === 0 && entry.pendingBackups.length === 0),
    );
    if (isIdle) this.#work.effects.push({ kind: 'drained' });
  }

  // Operations

  #start(operation: ObjectOperation | SetOperation): void {
    if (this.#state !== 'running') {
      this.#waitingOperations.push(operation);
      return;
    }
    if (isOfSet(operation)) return this.#startOfSet(operation);
    const isEnding = operation.kind === 'put' || operation.kind === 'set-object' || operation.kind === 'remove-frozen';
    if (this.#isDraining && !isEnding) return this.#context.complete(operation, failed('leaving'));
    const set = this.set(operation.namespace, operation.set);
    if (set === undefined) return this.#directory.await(operation.namespace, operation.set, operation);
    startOperation(this.#context, set, operation);
  }

  #startOfSet(operation: SetOperation): void {
    switch (operation.kind) {
      case 'watch':
      case 'unwatch':
        return this.#watches.start(operation);
      case 'flush-set': {
        const set = this.set(operation.namespace, operation.set);
        return set === undefined ? this.#context.complete(operation, failed('no-entry')) : flushSet(this.#context, set, operation);
      }
      case 'create-set':
      case 'find-set':
      case 'find-name':
      case 'destroy-set':
        return this.#directory.start(operation);
    }
  }

  #settle(): void {
    // The end of a reconfiguration touches all that the node has at once.
    let largest = 0;
    for (let round = 0; ; round++) {
      largest = Math.max(largest, this.#work.touched.size);
      if (round > MOST_ROUNDS + 10 * largest)
        throw new KorriganError('KRG_INTERNAL', `node ${this.self} does not come to rest: ${JSON.stringify(this.#work.incoming[0])}`);
      const next = this.#work.touched.entries().next().value;
      if (next !== undefined) {
        const [entry, set] = next;
        this.#work.touched.delete(entry);
        if (this.#state === 'running') look(this.#context, set, entry, (from, message) => this.#dispatch(from, message));
        continue;
      }
      const incoming = this.#work.incoming.shift();
      if (incoming !== undefined) {
        this.#dispatch(incoming.from, incoming.message);
        continue;
      }
      const restart = this.#work.restarts.shift();
      if (restart === undefined) return;
      this.#start(restart);
    }
  }

  // Messages

  #receive(from: NodeId, envelope: Envelope): void {
    if (envelope.epoch > this.#context.epoch) {
      this.#future.push({ from, envelope });
      return;
    }
    if (envelope.epoch < this.#context.epoch && !this.#mutations.has('epoch-not-checked')) {
      this.statistics.outdated++;
      return;
    }
    const { message } = envelope;
    if (envelope.epoch === this.#context.epoch) this.#work.delivery.confirm(from, envelope.received);
    if (message.kind === 'DELIVERED') return;
    if (this.#state === 'reconfiguring' && !OF_RECONFIGURATION.has(message.kind)) {
      this.#waitingMessages.push({ from, message });
      return;
    }
    this.#work.delivery.handled(from);
    this.#dispatch(from, message);
  }

  #dispatch(from: NodeId, message: Message): void {
    switch (message.kind) {
      case 'REQ_KDDM_SET_LOOKUP':
      case 'KDDM_SET_RECORD':
      case 'REQ_KDDM_SET_DESTROY':
      case 'KDDM_SET_DESTROYED':
        return this.#directory.receive(from, message);
      case 'KDDM_WATCH':
        return this.#watches.onWatch(from, message);
      case 'KDDM_WATCHED':
        return this.#watches.onWatched(from, message);
      case 'KDDM_CHANGED':
        return this.#watches.onChanged(message);
      case 'KDDM_COPYSET':
        return this.#onReports(from, message);
      case 'KDDM_SELECT_OWNER':
        if (this.#reconfiguration?.onDecisions(from, message) === true) this.#arrive();
        return;
      case 'KDDM_BARRIER':
        return message.isOpen ? this.#resume() : this.#reconfiguration?.onArrival(from);
      case 'DELIVERED':
        return;
      default: {
        const set = this.set(message.namespace, message.set);
        if (set === undefined) this.#directory.await(message.namespace, message.set, { from, message });
        else onObjectMessage(this.#context, set, from, message);
      }
    }
  }

  #emit(to: NodeId, message: Message): void {
    count(this.statistics.sent, message.kind);
    const received = this.#work.delivery.sending(to, message.kind !== 'DELIVERED');
    this.#work.effects.push({ kind: 'send', to, envelope: { epoch: this.#context.epoch, received, message } });
  }

  // Membership

  #reconfigure(change: Change): void {
    if (change.epoch <= this.#context.epoch) return;
    this.#context.epoch = change.epoch;
    this.#context.members = change.members;
    this.#state = 'reconfiguring';
    this.#work.delivery = new Delivery();
    this.#work.touched.clear();
    this.#work.incoming.length = 0;
    this.#waitingMessages = [];
    this.#waitingOperations.unshift(...this.#work.restarts.splice(0));
    this.#recovering.clear();
    noteDeaths(this.#history, change);
    this.#reconfiguration = new Reconfiguration(this.#context, this.#directory, change);
    this.#watches.forgetAll();
    this.#reconfiguration.begin(this.#history, this.#context.doubts, this.#watches.report());
    this.#history.views.push(change.members);
    const future = this.#future.splice(0);
    for (const { from, envelope } of future) this.#receive(from, envelope);
  }

  #onReports(from: NodeId, message: Extract<Message, { kind: 'KDDM_COPYSET' }>): void {
    const conclusions = this.#reconfiguration?.onReports(from, message);
    this.#watches.adopt(from, message.watches ?? []);
    if (conclusions === undefined) return;
    this.#context.doubts = conclusions.doubts;
    this.#reconfiguration?.decide(conclusions);
  }

  /** The decisions of all members are carried out here. */
  #arrive(): void {
    this.#history.decided.push(this.#context.members);
    this.#reconfiguration?.arrive();
  }

  /** They are everywhere. */
  #resume(): void {
    const reconfiguration = this.#reconfiguration;
    this.#reconfiguration = undefined;
    if (!this.#context.members.includes(this.self)) {
      this.#state = 'left';
      this.#work.effects.push({ kind: 'left' });
      return;
    }
    complete(this.#history, this.#context.epoch, this.#context.members);
    this.#directory.complete(this.#context.epoch);
    this.#state = 'running';
    this.#work.effects.push({ kind: 'reconfigured', epoch: this.#context.epoch });
    for (const set of this.#directory.all()) {
      for (const entry of Array.from(set.entries.values())) this.#resumeEntry(set, entry, reconfiguration);
    }
    this.#noteRecovery();
    this.#watches.resume();
    if (!this.#mutations.has('not-asked-again')) this.#directory.resume();
    const messages = this.#waitingMessages.splice(0);
    for (const { from, message } of messages) {
      this.#work.delivery.handled(from);
      this.#work.incoming.push({ from, message });
    }
    for (const operation of this.#waitingOperations.splice(0)) this.#start(operation);
  }

  #noteRecovery(): void {
    for (const entry of this.#recovering) if (entry.pendingBackups.length === 0) this.#recovering.delete(entry);
    if (this.#recovering.size === 0) this.#work.effects.push({ kind: 'recovered', epoch: this.#context.epoch });
  }

  #resumeEntry(set: KddmSet, entry: Entry, reconfiguration: Reconfiguration | undefined): void {
    const { namespace, set: id } = set.record;
    const fate = reconfiguration?.carriedOut.get(`${namespace}:${id}:${entry.object}`);
    if (fate === undefined && entry.state === 'INV_COPY') return forget(this.#context, set, entry);
    if (fate !== undefined && endDecision(this.#context, set, entry, fate)) return;
    renewBackups(this.#context, set, entry);
    if (entry.pendingBackups.length > 0) this.#recovering.add(entry);
    for (const operation of entry.waiters) if (operation.kind === 'sync-frozen') sync(this.#context, set, entry, operation);
    if (!this.#mutations.has('not-asked-again')) this.#context.touch(set, entry);
  }
}
