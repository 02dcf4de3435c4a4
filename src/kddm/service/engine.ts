/** The protocol of this node at work: operations become events, effects are carried out. */
import type { NodeId, RpcLog } from '../../rpc/index.ts';
import type { KddmEffect, KddmEvent } from '../events.ts';
import type { ObjectId, SetId } from '../identity.ts';
import { KddmNode } from '../kddm-node.ts';
import type { IoLinker } from '../linker.ts';
import type { Envelope } from '../messages.ts';
import { failed, type ObjectOperation, type Result, type SetOperation } from '../operations.ts';
import { failure } from './failures.ts';
import { isSlow } from './slow-linker.ts';

/** An operation without its id, which the engine gives. */
export type Request = WithoutId<ObjectOperation> | WithoutId<SetOperation>;
type WithoutId<Each> = Each extends unknown ? Omit<Each, 'id'> : never;

type Watching = Extract<SetOperation, { kind: 'watch' }>;

export interface EngineOptions {
  readonly self: NodeId;
  readonly now: () => number;
  readonly log: RpcLog;
  readonly send: (to: NodeId, envelope: Envelope) => void;
  /** What the membership is to know. */
  readonly report: (effect: Extract<KddmEffect, { kind: 'reconfigured' | 'recovered' | 'drained' | 'left' }>) => void;
}

/** A linker that cannot make or write a content is asked again after so long. */
const RETRY_MILLISECONDS = 1000;

export class Engine {
  readonly #options: EngineOptions;
  readonly #linkers = new Map<string, IoLinker<unknown>>();
  readonly #results = new Map<number, (result: Result) => void>();
  readonly #watchers = new Map<number, (objects: readonly ObjectId[]) => void>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #node: KddmNode | undefined;
  #hasLeft = false;
  /** What other nodes said before this one has heard that it takes part. */
  #early: KddmEvent[] = [];
  #lastOperation = 0;
  #isFrozen = true;
  /** Operations that wait for the end of the freeze. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** What this node knows; none before it takes part. */
  get node(): KddmNode | undefined {
    return this.#node;
  }

  /** @throws Error when there is one of this name already, or the node takes part in a cluster that may have such sets */
  addLinker(linker: IoLinker<unknown>): void {
    const { name } = linker;
    if (this.#linkers.get(name) === linker) return;
    if (this.#linkers.has(name)) throw new Error(`there is another linker of the name ${name}`);
    if (this.#node !== undefined)
      throw new Error(`the linker ${name} comes too late: its sets may be known here already, and be without it`);
    this.#linkers.set(name, linker);
  }

  linker(name: string): IoLinker<unknown> | undefined {
    return this.#linkers.get(name);
  }

  /** A node that knows nothing. What the last one was asked fails. */
  begin(): void {
    this.#failAll();
    this.#hasLeft = false;
    this.#node = new KddmNode({ self: this.#options.self, linkers: [...this.#linkers.values()] });
    for (const event of this.#early.splice(0)) this.step(event);
  }

  /** This node takes no part any more. */
  end(): void {
    this.#node = undefined;
    this.#hasLeft = true;
    this.#failAll();
  }

  step(event: KddmEvent): void {
    const { now } = this.#options;
    if (this.#node === undefined && event.kind === 'message') this.#early.push(event);
    for (const effect of this.#node?.step(event, now()) ?? []) this.#carryOut(effect);
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    if (this.#node === undefined) return;
    for (const start of this.#waiting.splice(0)) start();
  }

  /** Starts an operation; `then` is called once, maybe before this returns. */
  operate(request: Request, then: (result: Result) => void, started: (id: number) => void = () => undefined): void {
    if (this.#hasLeft) {
      then(failed('leaving'));
      return;
    }
    const isEnding =
      request.kind === 'put' || request.kind === 'set-object' || request.kind === 'remove-frozen' || request.kind === 'sync-frozen';
    if (this.#node === undefined || (this.#isFrozen && !isEnding)) {
      this.#waiting.push(() => this.operate(request, then, started));
      return;
    }
    // Every request is made for this call alone, and gets its id here.
    const operation = request as ObjectOperation | SetOperation;
    (operation as { id: number }).id = ++this.#lastOperation;
    this.#results.set(operation.id, then);
    started(operation.id);
    this.step({ kind: 'operation', operation });
  }

  /** Tells `onChange` of changes until it is ended. @returns what ends it, when all nodes know of it */
  watch(request: WithoutId<Watching>, onChange: (objects: readonly ObjectId[]) => void): Promise<() => void> {
    let watch = 0;
    return new Promise((resolve, reject) => {
      this.operate(
        request,
        (result) => {
          if (result.kind === 'done') return resolve(() => this.#endWatch(request.namespace, watch));
          this.#watchers.delete(watch);
          reject(failure(`a watch of set ${request.set}`, result.kind === 'failed' ? result.code : 'no-entry'));
        },
        (id) => {
          watch = id;
          this.#watchers.set(id, onChange);
        },
      );
    });
  }

  #endWatch(namespace: number, watch: number): void {
    if (this.#watchers.delete(watch)) this.operate({ kind: 'unwatch', namespace, watch }, () => undefined);
  }

  /** See `KddmNode.getNow`. */
  getNow(namespace: number, id: SetId, object: ObjectId): unknown {
    const set = this.#isFrozen ? undefined : this.#node?.set(namespace, id);
    return set && this.#node?.getNow(set, object, this.#options.now());
  }

  /** See `KddmNode.putNow`. */
  putNow(namespace: number, id: SetId, object: ObjectId): boolean {
    const set = this.#node?.set(namespace, id);
    return set !== undefined && this.#node?.putNow(set, object, this.#options.now()) === true;
  }

  close(): void {
    this.#failAll();
    for (const retry of this.#retries) clearTimeout(retry);
    this.#isFrozen = true;
  }

  #failAll(): void {
    const results = [...this.#results.values()];
    this.#results.clear();
    this.#watchers.clear();
    for (const then of results) then(failed('leaving'));
  }

  #carryOut(effect: KddmEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#options.send(effect.to, effect.envelope);
        break;
      case 'complete': {
        const then = this.#results.get(effect.operation);
        this.#results.delete(effect.operation);
        then?.(effect.result);
        break;
      }
      case 'changed':
        this.#watchers.get(effect.watch)?.(effect.objects);
        break;
      case 'first-touch':
        this.#untilDone(
          effect,
          (linker) => linker.makeContent(effect.object),
          (content) => this.step({ ...effect, kind: 'filled', content }),
        );
        break;
      case 'sync':
        this.#untilDone(
          effect,
          (linker) => linker.written(effect.object),
          () => this.step({ ...effect, kind: 'synced' }),
        );
        break;
      case 'reconfigured':
      case 'recovered':
      case 'drained':
      case 'left':
        this.#options.report(effect);
        break;
    }
  }

  /** A linker's work that takes time, for the node that has begun it. */
  #untilDone<T>(
    effect: { readonly namespace: number; readonly set: SetId; readonly object: ObjectId },
    work: (linker: { makeContent(object: ObjectId): Promise<unknown>; written(object: ObjectId): Promise<void> }) => Promise<T>,
    done: (outcome: T) => void,
  ): void {
    const node = this.#node;
    const linker = node?.set(effect.namespace, effect.set)?.linker;
    if (linker === undefined) return;
    if (!isSlow(linker)) throw new TypeError(`the linker ${linker.name} has answered LATER and does not say how that ends; use slowLinker`);
    const attempt = async (): Promise<void> => {
      let outcome: T;
      try {
        outcome = await work(linker);
      } catch (error) {
        const { set, object } = effect;
        this.#options.log.error({ linker: linker.name, set, object, err: error }, 'a linker failed; it is asked again');
        const retry = setTimeout(() => {
          this.#retries.delete(retry);
          if (node === this.#node) void attempt();
        }, RETRY_MILLISECONDS).unref();
        this.#retries.add(retry);
        return;
      }
      if (node === this.#node) done(outcome);
    };
    void attempt();
  }
}
