/** A set of objects, as its users on this node have it. */
import { KorriganError } from '../../linux/errors.ts';
import type { NodeId, RpcLog } from '../../rpc/index.ts';
import type { ObjectId, SetId } from '../identity.ts';
import type { SetRecord } from '../messages.ts';
import type { ObjectOperation, Result, Variant } from '../operations.ts';
import type { Engine, Request } from './engine.ts';
import { contentOf, failure } from './failures.ts';
import { Hold } from './hold.ts';

type Of<Each> = Each extends unknown ? Omit<Each, 'id' | 'namespace' | 'set'> : never;
/** An operation of one set. */
type SetRequest = Of<ObjectOperation>;
type ObjectRequest = Extract<Request, { object: ObjectId }>;

/** What a hold needs of its set. */
export interface Operator {
  /** @throws KorriganError */
  operate(request: SetRequest): Promise<unknown>;
  put(object: ObjectId, isGrab: boolean, content: unknown): Promise<void>;
  putNow(object: ObjectId): boolean;
  putFailed(object: ObjectId, error: KorriganError): void;
}

export interface WaitOptions {
  /** Gives up waiting, with KRG_CANCELLED; an object that comes all the same is put. */
  readonly signal?: AbortSignal | undefined;
}

export interface GetOptions extends WaitOptions {
  /** An object that does not exist is not created: the answer is undefined. */
  readonly noFirstTouch?: boolean;
}

export interface GrabOptions extends GetOptions {
  /** The holder gets a copy of its own to write to; who holds the object here goes on reading what it has. */
  readonly copyOnWrite?: boolean;
  /** An object that does not exist is not created by the linker: the holder gives the content with `setObject`, or puts it back into nothing. */
  readonly manualFirstTouch?: boolean;
}

export class KddmSetHandle<Content> {
  readonly record: SetRecord;
  readonly #engine: Engine;
  readonly #operator: Operator;

  constructor(engine: Engine, record: SetRecord, log: RpcLog) {
    this.#engine = engine;
    this.record = record;
    const { namespace, set } = record;
    this.#operator = {
      operate: (request) => this.#operate(request),
      put: async (object, isGrab, content) => {
        await this.#operate({ kind: 'put', object, hold: isGrab ? 'grab' : 'get', ...(isGrab && { content }) });
      },
      putNow: (object) => this.#engine.putNow(namespace, set, object),
      putFailed: (object, error) => log.warn({ set, object, code: error.code }, 'an object could not be put'),
    };
  }

  get id(): SetId {
    return this.record.set;
  }

  get name(): string | undefined {
    return this.record.name;
  }

  /**
   * A readable copy that stays until it is put, at once and without a promise, when it is here and nobody has to wait for anything: the way of who reads
   * often. @returns undefined: use {@link get}
   */
  getNow(object: ObjectId): Hold<Content> | undefined {
    const content = this.#engine.getNow(this.record.namespace, this.record.set, object);
    return content === undefined ? undefined : new Hold(this.#operator, object, false, content as Content);
  }

  /** A readable copy, that stays until it is put. An object that does not exist is created by the linker. @throws KorriganError KRG_OBJECT_LOST … */
  get(object: ObjectId, options?: GetOptions & { readonly noFirstTouch?: false }): Promise<Hold<Content>>;
  get(object: ObjectId, options: GetOptions): Promise<Hold<Content> | undefined>;
  get(object: ObjectId, options: GetOptions = {}): Promise<Hold<Content> | undefined> {
    const here = this.getNow(object);
    return here === undefined ? this.#hold('get', object, options) : Promise.resolve(here);
  }

  /** The only copy, which may be written. @throws KorriganError KRG_OBJECT_LOST … */
  grab(
    object: ObjectId,
    options?: GrabOptions & { readonly noFirstTouch?: false; readonly manualFirstTouch?: false },
  ): Promise<Hold<Content>>;
  grab(
    object: ObjectId,
    options: GrabOptions & { readonly noFirstTouch: true; readonly manualFirstTouch?: false },
  ): Promise<Hold<Content> | undefined>;
  /** The content is undefined when the object does not exist: the holder is to give it. */
  grab(object: ObjectId, options: GrabOptions & { readonly manualFirstTouch: true }): Promise<Hold<Content | undefined>>;
  grab(object: ObjectId, options: GrabOptions = {}): Promise<Hold<Content> | Hold<Content | undefined> | undefined> {
    return this.#hold('grab', object, options);
  }

  /** The same where nobody has to be waited for. @returns undefined: somebody holds it, or (`noFirstTouch`) it does not exist */
  async tryGrab(object: ObjectId, options: GetOptions = {}): Promise<Hold<Content> | undefined> {
    try {
      return await this.#hold('grab', object, { ...options, tryGrab: true });
    } catch (error) {
      if (error instanceof KorriganError && error.code === 'KRG_OBJECT_BUSY') return undefined;
      throw error;
    }
  }

  /** The content as it is now, which is not held: it may be another one when this resolves. @returns undefined (`noFirstTouch`): it does not exist */
  read(object: ObjectId, options?: GetOptions & { readonly noFirstTouch?: false }): Promise<Content>;
  read(object: ObjectId, options: GetOptions): Promise<Content | undefined>;
  async read(object: ObjectId, { signal, ...variant }: GetOptions = {}): Promise<Content | undefined> {
    return (await this.#operate({ kind: 'get', object, noLock: true, ...variant }, signal)) as Content | undefined;
  }

  /** Grabs, writes and puts. */
  async write(object: ObjectId, content: Content, options: WaitOptions = {}): Promise<void> {
    await using hold = await this.grab(object, options);
    hold.content = content;
  }

  /** What is here, without a word to anybody. @returns undefined: no valid copy is here @throws KorriganError KRG_OBJECT_BUSY (exclusive sets) */
  find(object: ObjectId): Promise<Hold<Content> | undefined> {
    const { namespace, set } = this.record;
    return this.#begin({ kind: 'find', object, namespace, set }, undefined, (result) => {
      if (result.kind === 'failed' && result.code === 'no-entry') return undefined;
      return new Hold(this.#operator, object, false, contentOf('find', object, this.record, result) as Content);
    });
  }

  /** Starts what is needed to read or write the object here, and waits for nothing. */
  async prefetch(object: ObjectId, kind: 'get' | 'grab' = 'get'): Promise<void> {
    await this.#operate({ kind, object, async: true });
  }

  /** Gives the content to an object that was grabbed with `manualFirstTouch`; the same as {@link Hold.setObject}. */
  async setObject(object: ObjectId, content: Content): Promise<void> {
    await this.#operate({ kind: 'set-object', object, content });
  }

  /** Removes the object everywhere; it may be created anew then. One that does not exist is removed already. @throws KorriganError KRG_OBJECT_BUSY */
  async remove(object: ObjectId, { signal }: WaitOptions = {}): Promise<void> {
    await this.#operate({ kind: 'remove', object }, signal);
  }

  /** Evicts the copy that is here. @param destination where the last copy goes @throws KorriganError KRG_LAST_COPY, KRG_NO_SUCH_OBJECT, KRG_OBJECT_BUSY */
  async flush(object: ObjectId, destination?: NodeId): Promise<void> {
    await this.#operate({ kind: 'flush', object, ...(destination !== undefined && { destination }) });
  }

  /** Evicts all that is here and not held. @param destination where last copies go; they stay without @returns how many objects stayed */
  async flushAll(destination?: (object: ObjectId) => NodeId | undefined): Promise<number> {
    const { namespace, set } = this.record;
    const result = await new Promise<Result>((resolve) => {
      this.#engine.operate({ kind: 'flush-set', namespace, set, ...(destination && { destination }) }, resolve);
    });
    if (result.kind === 'failed') throw failure(`the eviction of set ${this.record.name ?? set}`, result.code);
    return result.kind === 'done' ? (result.content as number) : 0;
  }

  /**
   * Tells of changes: which objects have changed (none: any may have), without their contents. What is read then is no older.
   * @param object without it, all of the set @returns what ends the watch
   */
  watch(onChange: (objects: readonly ObjectId[]) => void, object?: ObjectId): Promise<() => void> {
    const { namespace, set } = this.record;
    return this.#engine.watch({ kind: 'watch', namespace, set, ...(object !== undefined && { object }) }, onChange);
  }

  /** The objects of which something is known on this node. */
  objects(): ObjectId[] {
    const { namespace, set } = this.record;
    return [...(this.#engine.node?.set(namespace, set)?.entries.keys() ?? [])];
  }

  #hold(kind: 'get' | 'grab', object: ObjectId, options: Variant & WaitOptions): Promise<Hold<Content> | undefined> {
    const { namespace, set } = this.record;
    return this.#begin({ kind, object, namespace, set, ...options }, options.signal, (result) => {
      const content = contentOf(kind, object, this.record, result);
      if (content === undefined && options.manualFirstTouch !== true) return undefined;
      return new Hold(this.#operator, object, kind === 'grab', content as Content);
    });
  }

  #operate(request: SetRequest, signal?: AbortSignal): Promise<unknown> {
    const { namespace, set } = this.record;
    return this.#begin({ ...request, namespace, set }, signal, (result) => contentOf(request.kind, request.object, this.record, result));
  }

  /** @param outcome what the operation comes to; what it throws is thrown */
  #begin<T>(request: ObjectRequest, signal: AbortSignal | undefined, outcome: (result: Result) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (result: Result): void => {
        try {
          resolve(outcome(result));
        } catch (error) {
          reject(error);
        }
      };
      if (signal === undefined) {
        this.#engine.operate(request, settle);
        return;
      }
      if (signal.aborted) {
        reject(cancelled(signal));
        return;
      }
      const giveUp = (): void => reject(cancelled(signal));
      signal.addEventListener('abort', giveUp, { once: true });
      this.#engine.operate(request, (result) => {
        signal.removeEventListener('abort', giveUp);
        if (signal.aborted) this.#putBack(request, result);
        else settle(result);
      });
    });
  }

  /** Nobody waits for it any more. */
  #putBack(request: ObjectRequest, result: Result): void {
    if ((request.kind !== 'get' && request.kind !== 'grab') || request.noLock === true || request.async === true) return;
    const isFilling = result.kind === 'absent' && request.manualFirstTouch === true;
    if (result.kind !== 'done' && !isFilling) return;
    const { object, kind: hold } = request;
    this.#operator.put(object, hold === 'grab', undefined).catch((error: KorriganError) => this.#operator.putFailed(object, error));
  }
}

function cancelled(signal: AbortSignal | undefined): KorriganError {
  return new KorriganError('KRG_CANCELLED', 'the caller gave the object up', { cause: signal?.reason });
}
