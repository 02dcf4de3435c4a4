/** The protocol of one node: takes events, asks its parts, collects effects. */
import { KorriganError } from '../linux/errors.ts';
import type { NodeId } from '../rpc/index.ts';
import { type Context, forget } from './context.ts';
import { Delivery } from './delivery.ts';
import type { Entry } from './entry.ts';
import type { Change, KddmEffect, KddmEvent } from './events.ts';
import { onFilled } from './first-touch.ts';
import { sync } from './holds.ts';
import type { ObjectId, SetId } from './identity.ts';
import type { IoLinker } from './linker.ts';
import type { Envelope, Message } from './messages.ts';
import type { Mutation } from './mutations.ts';
import { onObjectMessage } from './object-messages.ts';
import { failed, type ObjectOperation, type SetOperation } from './operations.ts';
import { complete, createHistory, type History, noteDeaths, settle } from './history.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { renewBackups } from './reports.ts';
import { SetDirectory } from './set-directory.ts';
import { type Doubt, homeOf, type KddmSet } from './sets.ts';
import { getHere, putHere } from './short-path.ts';
import { look, startOperation } from './waiters.ts';
import { count, createStatistics, type Statistics } from './statistics.ts';

export interface KddmNodeOptions {
  readonly self: NodeId;
  /** By the names that stand in set records. */
  readonly linkers: readonly IoLinker<unknown>[];
  /** The simulator breaks the protocol with these. */
  readonly mutations?: ReadonlySet<Mutation>;
}

interface Incoming {
  readonly from: NodeId;
  readonly message: Message;
}

/** What the node itself changes in it. */
type NodeContext = Context & { epoch: number; members: readonly NodeId[]; doubts: readonly Doubt[] };

/** A lease is looked at before everything else. */
type Handled = Exclude<KddmEvent, { readonly kind: 'lease' }>;

/** Of what one event may cause on its node. More is a fault of the protocol, which must not stop the daemon for ever. */
const MOST_ROUNDS = 100_000;

const OF_RECONFIGURATION: ReadonlySet<string> = new Set<Message['kind']>(['KDDM_COPYSET', 'KDDM_SELECT_OWNER', 'KDDM_BARRIER']);

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
  #effects: KddmEffect[] = [];
  #delivery = new Delivery();
  #serial = 0;
  #leaseUntil = 0;
  #state: 'reconfiguring' | 'running' | 'left' = 'reconfiguring';
  #isDraining = false;
  #reconfiguration: Reconfiguration | undefined;
  readonly #history: History = createHistory();
  /** Entries whose backups are being made anew. */
  readonly #recovering = new Set<Entry>();
  /** Wait for the lease; for the end of the reconfiguration; for a later epoch. */
  #suspended: Handled[] = [];
  #waitingOperations: (ObjectOperation | SetOperation)[] = [];
  #waitingMessages: Incoming[] = [];
  #future: { readonly from: NodeId; readonly envelope: Envelope }[] = [];
  /** What this step has still to do. */
  readonly #touched = new Map<Entry, KddmSet>();
  readonly #incoming: Incoming[] = [];
  readonly #restarts: ObjectOperation[] = [];

  constructor({ self, linkers, mutations = NONE }: KddmNodeOptions) {
    this.self = self;
    this.#mutations = mutations;
    this.#context = this.#createContext();
    this.#directory = new SetDirectory(this.#context, new Map(linkers.map((linker) => [linker.name, linker])));
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
    this.#effects = [];
    if (this.#state !== 'left') this.#take(event, now);
    else if (event.kind === 'operation') this.#context.complete(event.operation, failed('leaving'));
    return this.#effects;
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
    for (const node of this.#delivery.untold()) this.#emit(node, { kind: 'DELIVERED' });
    if (!this.#isDraining) return;
    const isIdle = this.#directory
      .all()
      .every((set) =>
        set.entries.values().every((entry) => entry.frozen === 0 && entry.waiters.length === 0 && entry.pendingBackups.length === 0),
      );
    if (isIdle) this.#effects.push({ kind: 'drained' });
  }

  // Operations

  #start(operation: ObjectOperation | SetOperation): void {
    if (this.#state !== 'running') {
      this.#waitingOperations.push(operation);
      return;
    }
    if (!('object' in operation)) return this.#directory.start(operation);
    const isEnding = operation.kind === 'put' || operation.kind === 'set-object' || operation.kind === 'remove-frozen';
    if (this.#isDraining && !isEnding) return this.#context.complete(operation, failed('leaving'));
    const set = this.set(operation.namespace, operation.set);
    if (set === undefined) return this.#directory.await(operation.namespace, operation.set, operation);
    startOperation(this.#context, set, operation);
  }

  #settle(): void {
    for (let round = 0; ; round++) {
      if (round > MOST_ROUNDS)
        throw new KorriganError('KRG_INTERNAL', `node ${this.self} does not come to rest: ${JSON.stringify(this.#incoming[0])}`);
      const next = this.#touched.entries().next().value;
      if (next !== undefined) {
        const [entry, set] = next;
        this.#touched.delete(entry);
        if (this.#state === 'running') look(this.#context, set, entry, (from, message) => this.#dispatch(from, message));
        continue;
      }
      const incoming = this.#incoming.shift();
      if (incoming !== undefined) {
        this.#dispatch(incoming.from, incoming.message);
        continue;
      }
      const restart = this.#restarts.shift();
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
    if (envelope.epoch === this.#context.epoch) this.#delivery.confirm(from, envelope.received);
    if (message.kind === 'DELIVERED') return;
    if (this.#state === 'reconfiguring' && !OF_RECONFIGURATION.has(message.kind)) {
      this.#waitingMessages.push({ from, message });
      return;
    }
    this.#delivery.handled(from);
    this.#dispatch(from, message);
  }

  #dispatch(from: NodeId, message: Message): void {
    switch (message.kind) {
      case 'REQ_KDDM_SET_LOOKUP':
        return this.#directory.onLookup(from, message);
      case 'KDDM_SET_RECORD':
        return this.#directory.onRecord(message);
      case 'REQ_KDDM_SET_DESTROY':
        return this.#directory.onDestroy(from, message);
      case 'KDDM_SET_DESTROYED':
        return this.#directory.onDestroyed(from, message);
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
    const received = this.#delivery.sending(to, message.kind !== 'DELIVERED');
    this.#effects.push({ kind: 'send', to, envelope: { epoch: this.#context.epoch, received, message } });
  }

  // Membership

  #reconfigure(change: Change): void {
    if (change.epoch <= this.#context.epoch) return;
    this.#context.epoch = change.epoch;
    this.#context.members = change.members;
    this.#state = 'reconfiguring';
    this.#delivery = new Delivery();
    this.#touched.clear();
    this.#incoming.length = 0;
    this.#waitingMessages = [];
    this.#waitingOperations.unshift(...this.#restarts.splice(0));
    this.#recovering.clear();
    noteDeaths(this.#history, change);
    this.#reconfiguration = new Reconfiguration(this.#context, this.#directory, change);
    this.#reconfiguration.begin(this.#history, this.#context.doubts);
    this.#history.views.push(change.members);
    const future = this.#future.splice(0);
    for (const { from, envelope } of future) this.#receive(from, envelope);
  }

  #onReports(from: NodeId, message: Extract<Message, { kind: 'KDDM_COPYSET' }>): void {
    const conclusions = this.#reconfiguration?.onReports(from, message);
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
      this.#effects.push({ kind: 'left' });
      return;
    }
    complete(this.#history, this.#context.epoch, this.#context.members);
    this.#state = 'running';
    this.#effects.push({ kind: 'reconfigured', epoch: this.#context.epoch });
    for (const set of this.#directory.all()) {
      for (const entry of Array.from(set.entries.values())) this.#resumeEntry(set, entry, reconfiguration);
    }
    this.#noteRecovery();
    if (!this.#mutations.has('not-asked-again')) this.#directory.resume();
    const messages = this.#waitingMessages.splice(0);
    for (const { from, message } of messages) {
      this.#delivery.handled(from);
      this.#incoming.push({ from, message });
    }
    for (const operation of this.#waitingOperations.splice(0)) this.#start(operation);
  }

  #noteRecovery(): void {
    for (const entry of this.#recovering) if (entry.pendingBackups.length === 0) this.#recovering.delete(entry);
    if (this.#recovering.size === 0) this.#effects.push({ kind: 'recovered', epoch: this.#context.epoch });
  }

  #resumeEntry(set: KddmSet, entry: Entry, reconfiguration: Reconfiguration | undefined): void {
    const { namespace, set: id } = set.record;
    const isDecided = reconfiguration?.carriedOut.has(`${namespace}:${id}:${entry.object}`) === true;
    if (!isDecided && entry.state === 'INV_COPY') return forget(this.#context, set, entry);
    renewBackups(this.#context, set, entry);
    if (entry.pendingBackups.length > 0) this.#recovering.add(entry);
    for (const operation of entry.waiters) if (operation.kind === 'sync-frozen') sync(this.#context, set, entry, operation);
    if (!this.#mutations.has('not-asked-again')) this.#context.touch(set, entry);
  }

  #createContext(): NodeContext {
    const context: NodeContext = {
      self: this.self,
      epoch: 0,
      statistics: this.statistics,
      members: [],
      doubts: [],
      send: (to, message) => {
        if (to === this.self) this.#incoming.push({ from: to, message });
        else this.#emit(to, message);
      },
      complete: ({ id }, result) => {
        this.#effects.push({ kind: 'complete', operation: id, result });
      },
      touch: (set, entry) => {
        this.#touched.set(entry, set);
      },
      redeliver: (from, message) => {
        this.#incoming.push({ from, message });
      },
      restart: (operation) => {
        this.#restarts.push(operation);
      },
      home: (set, object) => homeOf(set, object, context.members),
      nextSerial: () => ++this.#serial,
      requestFill: (set, { object }) => {
        this.#effects.push({ kind: 'first-touch', namespace: set.record.namespace, set: set.record.set, object });
      },
      requestSync: (set, object, from, operation) => {
        const { namespace, set: id } = set.record;
        this.#effects.push({ kind: 'sync', namespace, set: id, object, for: from, operation });
      },
      expectDelivery: (to, { handedOver }) => {
        if (handedOver !== undefined && to !== this.self) this.#delivery.expect(to, handedOver);
      },
      has: (mutation) => this.#mutations.has(mutation),
    };
    return context;
  }
}
