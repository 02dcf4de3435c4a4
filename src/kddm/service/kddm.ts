/** kddm on one node: the protocol over rpc, in step with hotplug, for the modules above. */
import type { Stage } from '../../hotplug/index.ts';
import type { NodeId, RpcLog, RpcNode } from '../../rpc/index.ts';
import { type ObjectId, type SetId, uniqueId } from '../identity.ts';
import type { KddmNode } from '../kddm-node.ts';
import type { IoLinker } from '../linker.ts';
import type { HomePolicy, SetRecord } from '../messages.ts';
import type { Result } from '../operations.ts';
import { Courier } from './courier.ts';
import { Engine, type Request } from './engine.ts';
import { failure } from './failures.ts';
import { KddmMembership, LEAVER_PATIENCE_MILLISECONDS, type KddmState } from './membership.ts';
import { KddmSetHandle } from './set-handle.ts';

export interface KddmOptions {
  readonly rpc: RpcNode;
  readonly log: RpcLog;
  /** This daemon's life as it stands in the cluster's record (`lifeOf` of the record of this node). */
  readonly life: string;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  readonly now?: () => number;
  /** The same on all nodes; more by `addLinker`. */
  readonly linkers?: readonly IoLinker<unknown>[];
  /** Begins a new epoch at every member, in which nothing else has changed. */
  readonly renewEpoch: (reason: string) => void;
  /** Milliseconds: a node that leaves and cannot be reached for so long, while others wait for what it has, is dead. @default 10,000 */
  readonly leaverPatience?: number;
}

export interface SetOptions {
  /** By which others find it: within the name space there is one set of a name. */
  readonly name?: string;
  /** @default 0, that of the system */
  readonly namespace?: number;
  /** For sets of the system, which have ids of their own below 32. @default one that no other set has */
  readonly id?: SetId;
  /** Which node answers for objects that have no owner. @default round-robin */
  readonly policy?: HomePolicy;
  /** LOCAL_EXCLUSIVE: who holds an object excludes other users of the same node too. @default false */
  readonly isExclusive?: boolean;
  /** FT_LINKED: objects are created at their homes only. @default false */
  readonly isFirstTouchLinked?: boolean;
  /** Milliseconds after which an object is removed that was neither written nor taken to another owner since. @default none */
  readonly timeToLive?: number;
  /** So many nodes that die together take no object with them. @default 0: what was on a node that dies, and there alone, is lost */
  readonly replicas?: number;
  /** What an object is of which nothing is known because its home died. @default 'lost' */
  readonly unknownAfterCrash?: 'lost' | 'absent';
}

/** Between two ticks. */
const TICK_MILLISECONDS = 50;
/** Ids are counted from the milliseconds since then, so that a daemon gives out none that one before it has given. */
const FIRST_ID_AT = Date.UTC(2026, 0, 1);

export class Kddm implements AsyncDisposable {
  readonly self: NodeId;
  readonly #engine: Engine;
  readonly #courier: Courier;
  readonly #membership: KddmMembership;
  readonly #log: RpcLog;
  readonly #timer: NodeJS.Timeout;
  #lastId = Date.now() - FIRST_ID_AT;

  constructor({
    rpc,
    log,
    life,
    now = () => performance.now(),
    linkers = [],
    renewEpoch,
    leaverPatience = LEAVER_PATIENCE_MILLISECONDS,
  }: KddmOptions) {
    this.self = rpc.id;
    this.#log = log;
    this.#courier = new Courier({
      rpc,
      life,
      now,
      log,
      deliver: (from, body) => {
        if (body.kind === 'envelope') this.#engine.step({ kind: 'message', from, envelope: body.envelope });
        else this.#membership.told(from, body);
      },
    });
    this.#engine = new Engine({
      self: rpc.id,
      now,
      log,
      send: (to, envelope) => this.#courier.send(to, envelope),
      report: (effect) => this.#membership.report(effect),
    });
    for (const linker of linkers) this.#engine.addLinker(linker);
    this.#membership = new KddmMembership({ rpc, engine: this.#engine, courier: this.#courier, now, log, renewEpoch, leaverPatience });
    this.#timer = setInterval(() => {
      this.#courier.tick();
      this.#membership.tick();
    }, TICK_MILLISECONDS);
    this.#timer.unref();
  }

  /** By which hotplug takes this node's objects from view to view. Modules above must not wait for an object in their own stages. */
  get stage(): Stage {
    return this.#membership.stage;
  }

  get state(): KddmState {
    return this.#membership.state;
  }

  /** For those who look on; none before this node takes part. */
  get node(): KddmNode | undefined {
    return this.#engine.node;
  }

  /** Before this node takes part: sets of other nodes may be known here as soon as it does. */
  addLinker<Content>(linker: IoLinker<Content>): void {
    this.#engine.addLinker(linker);
  }

  /** An id that no other call gives out, on whatever node. */
  uniqueId(): ObjectId {
    this.#lastId++;
    return uniqueId(this.self, this.#lastId);
  }

  /** Makes a set; or, when there is one of this name or this id already, gives that one, as it is. @throws KorriganError */
  async createSet<Content>(linker: IoLinker<Content>, options: SetOptions = {}): Promise<KddmSetHandle<Content>> {
    const record: SetRecord = {
      namespace: options.namespace ?? 0,
      set: options.id ?? this.uniqueId(),
      ...(options.name !== undefined && { name: options.name }),
      linker: linker.name,
      policy: options.policy ?? { kind: 'round-robin' },
      isExclusive: options.isExclusive ?? false,
      isFirstTouchLinked: options.isFirstTouchLinked ?? false,
      ...(options.timeToLive !== undefined && { timeToLive: options.timeToLive }),
      replicas: options.replicas ?? 0,
      unknownAfterCrash: options.unknownAfterCrash ?? 'lost',
    };
    const result = await this.#operate({ kind: 'create-set', namespace: record.namespace, record });
    return this.#handle(linker, result) ?? this.#noSuchSet(options.name ?? record.set);
  }

  /** @param of its name, or its id @returns undefined when there is none */
  async findSet<Content>(linker: IoLinker<Content>, of: string | SetId, namespace = 0): Promise<KddmSetHandle<Content> | undefined> {
    const request: Request = typeof of === 'string' ? { kind: 'find-name', namespace, name: of } : { kind: 'find-set', namespace, set: of };
    return this.#handle(linker, await this.#operate(request));
  }

  /** Destroys a set with all its objects, on all nodes. Who waits for one of them is told that there is none. */
  async destroySet({ record: { namespace, set } }: { readonly record: SetRecord }): Promise<void> {
    await this.#operate({ kind: 'destroy-set', namespace, set });
  }

  /** From now on users of this node are refused. Resolves when nothing is held here any more, and the node may be taken out. */
  drain(): Promise<void> {
    return this.#membership.drain();
  }

  /** What this node holds is lost to the others. */
  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#engine.close();
    this.#courier.close();
    return Promise.resolve();
  }

  #operate(request: Request): Promise<Result> {
    return new Promise((resolve) => this.#engine.operate(request, resolve));
  }

  #handle<Content>(linker: IoLinker<Content>, result: Result): KddmSetHandle<Content> | undefined {
    if (result.kind === 'failed') throw failure('a set', result.code);
    const record = result.kind === 'done' ? result.record : undefined;
    if (record === undefined) return undefined;
    if (record.linker !== linker.name || this.#engine.linker(linker.name) !== (linker as IoLinker<unknown>))
      throw new TypeError(`the set ${record.name ?? record.set} has objects of the linker ${record.linker}, not of this ${linker.name}`);
    return new KddmSetHandle<Content>(this.#engine, record, this.#log);
  }

  #noSuchSet(set: string | SetId): never {
    throw new TypeError(`the set ${set} could not be made: its manager knows no linker of that name`);
  }
}
