/** Objects that programs on all nodes of the cluster share, for programs in TypeScript: typed, over the daemon's API. */
import { KorriganError } from '../../linux/errors.ts';
import { exchange } from './http-exchange.ts';
import type { ObjectAnswer, ObjectNews, ObjectRequest } from './objects-protocol.ts';
import { OBJECTS_PROTOCOL } from './objects-protocol.ts';

type WithoutId<Each> = Each extends unknown ? Omit<Each, 'id'> : never;
type Request = WithoutId<ObjectRequest>;

/** How contents become bytes and come back. An object that was made and not written yet has no bytes, and no content. */
export interface Codec<Content> {
  encode(content: Content): Uint8Array;
  decode(bytes: Uint8Array): Content;
}

export const jsonCodec: Codec<unknown> = {
  encode: (content) => Buffer.from(JSON.stringify(content)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown,
};

export interface OpenOptions<Content> {
  /** @default JSON; what others wrote is taken for what the type says */
  readonly codec?: Codec<Content>;
  /** So many nodes that die together take no object with them; for who makes the set. @default 1 */
  readonly replicas?: number;
  /** The user whose set it is: for root. */
  readonly owner?: number;
}

export interface WaitOptions {
  /** Gives up waiting, with KRG_CANCELLED. */
  readonly signal?: AbortSignal;
}

/** A connection to the daemon. What is held through it is put when it ends, also when this program dies. */
export class SharedObjects implements AsyncDisposable {
  readonly #socket: Awaited<ReturnType<typeof exchange>>['socket'];
  readonly #pending = new Map<number, { resolve(answer: ObjectAnswer): void; reject(error: KorriganError): void }>();
  readonly #watches = new Map<number, (objects: readonly number[]) => void>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #end: KorriganError | undefined;

  private constructor(socket: Awaited<ReturnType<typeof exchange>>['socket'], body: AsyncIterable<Uint8Array>) {
    this.#socket = socket;
    this.#ended = this.#read(body);
  }

  /** @param socketPaths daemons of one cluster; the first that listens is asked @throws KorriganError KRG_NO_DAEMON */
  static async connect(...socketPaths: string[]): Promise<SharedObjects> {
    const { status, socket, body } = await exchange(socketPaths, 'POST', '/v1/objects', {
      Connection: 'Upgrade',
      Upgrade: OBJECTS_PROTOCOL,
    });
    if (status === 101) return new SharedObjects(socket, body);
    socket.destroy();
    throw new KorriganError('KRG_NO_SUCH_CALL', `the daemon has no shared objects: it answers with HTTP status ${status}`);
  }

  /** The set of this name of this user, which is made when there is none. */
  async open<Content>(name: string, options: OpenOptions<Content> = {}): Promise<SharedSet<Content>> {
    return (await this.#open(name, true, options)) ?? missing(name);
  }

  /** @returns undefined when there is no such set */
  find<Content>(name: string, options: OpenOptions<Content> = {}): Promise<SharedSet<Content> | undefined> {
    return this.#open(name, false, options);
  }

  async #open<Content>(
    name: string,
    create: boolean,
    { codec = jsonCodec as Codec<Content>, replicas = 1, owner }: OpenOptions<Content>,
  ): Promise<SharedSet<Content> | undefined> {
    const { set } = await this.ask({ do: 'open', name, create, replicas, ...(owner !== undefined && { owner }) });
    return set === undefined ? undefined : new SharedSet(this, set, codec);
  }

  /** @throws KorriganError */
  async ask(request: Request, signal?: AbortSignal): Promise<ObjectAnswer> {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
    const id = ++this.#lastId;
    const answered = new Promise<ObjectAnswer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    const giveUp = (): void => void this.ask({ do: 'cancel', of: id }).catch(() => undefined);
    signal?.addEventListener('abort', giveUp, { once: true });
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    try {
      return await answered;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** @returns what ends the watch */
  async watch(set: number, object: number | undefined, onChange: (objects: readonly number[]) => void): Promise<() => Promise<void>> {
    const watch = this.#lastId + 1;
    this.#watches.set(watch, onChange);
    try {
      await this.ask({ do: 'watch', set, ...(object !== undefined && { object }) });
    } catch (error) {
      this.#watches.delete(watch);
      throw error;
    }
    return async () => {
      if (this.#watches.delete(watch)) await this.ask({ do: 'unwatch', watch });
    };
  }

  /** Ends the connection, and with it all that is held through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.end();
    await this.#ended;
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<void> {
    let rest = '';
    let error = new KorriganError('KRG_STREAM_BROKEN', 'the connection to the daemon has ended; what was held through it is put');
    const decoder = new TextDecoder();
    try {
      for await (const bytes of body) {
        const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) error = this.#take(JSON.parse(line) as ObjectAnswer | ObjectNews) ?? error;
      }
    } catch (cause) {
      error = new KorriganError(error.code, error.message, { cause });
    }
    this.#end = error;
    this.#socket.destroy();
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  /** @returns why the daemon ends the connection */
  #take(answer: ObjectAnswer | ObjectNews): KorriganError | undefined {
    if ('watch' in answer) {
      this.#watches.get(answer.watch)?.(answer.objects);
      return undefined;
    }
    const error = answer.error && KorriganError.fromJSON(answer.error);
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (error === undefined) pending?.resolve(answer);
    else pending?.reject(error);
    return pending === undefined ? error : undefined;
  }
}

export class SharedSet<Content> {
  readonly #objects: SharedObjects;
  readonly #set: number;
  readonly #codec: Codec<Content>;

  constructor(objects: SharedObjects, set: number, codec: Codec<Content>) {
    this.#objects = objects;
    this.#set = set;
    this.#codec = codec;
  }

  /** Holds the object for reading: nobody writes it meanwhile. @returns undefined when there is no such object */
  async get(object: number, { signal }: WaitOptions = {}): Promise<SharedHold<Content> | undefined> {
    return this.#hold(await this.#objects.ask({ do: 'get', set: this.#set, object, create: false }, signal));
  }

  /** Holds the object for writing: nobody else has it meanwhile. One that does not exist is made; it has no content. */
  async grab(object: number, { signal }: WaitOptions = {}): Promise<SharedHold<Content>> {
    return this.#hold(await this.#objects.ask({ do: 'grab', set: this.#set, object, create: true }, signal)) ?? missing(String(object));
  }

  /** The same where nobody has to be waited for. @returns undefined: somebody holds it */
  async tryGrab(object: number): Promise<SharedHold<Content> | undefined> {
    return this.#hold(await this.#objects.ask({ do: 'try-grab', set: this.#set, object, create: true }));
  }

  /** @returns undefined when there is no such object, or nobody has written it */
  async read(object: number, options: WaitOptions = {}): Promise<Content | undefined> {
    const hold = await this.get(object, options);
    await hold?.put();
    return hold?.content;
  }

  /** @param change is given what is there and says what is to be */
  async change(object: number, change: (content: Content | undefined) => Content, options: WaitOptions = {}): Promise<Content> {
    await using hold = await this.grab(object, options);
    return (hold.content = change(hold.content));
  }

  /**
   * Tells of changes: which objects have changed (none: any may have). What is read then is no older.
   * @param object without it, all of the set @returns what ends the watch
   */
  watch(onChange: (objects: readonly number[]) => void, object?: number): Promise<() => Promise<void>> {
    return this.#objects.watch(this.#set, object, onChange);
  }

  /** Removes the object for everybody. */
  async remove(object: number, { signal }: WaitOptions = {}): Promise<void> {
    await this.#objects.ask({ do: 'remove', set: this.#set, object }, signal);
  }

  /** Destroys the set with all its objects. */
  async destroy(): Promise<void> {
    await this.#objects.ask({ do: 'destroy', set: this.#set });
  }

  #hold({ hold, content = '' }: ObjectAnswer): SharedHold<Content> | undefined {
    if (hold === undefined) return undefined;
    const bytes = Buffer.from(content, 'base64');
    return new SharedHold(this.#objects, hold, this.#codec, bytes.length === 0 ? undefined : this.#codec.decode(bytes));
  }
}

/** An object that is held until it is put: `await using`. */
export class SharedHold<Content> implements AsyncDisposable {
  readonly #objects: SharedObjects;
  readonly #hold: number;
  readonly #codec: Codec<Content>;
  #content: Content | undefined;
  #isWritten = false;
  #isHeld = true;

  constructor(objects: SharedObjects, hold: number, codec: Codec<Content>, content: Content | undefined) {
    this.#objects = objects;
    this.#hold = hold;
    this.#codec = codec;
    this.#content = content;
  }

  get content(): Content | undefined {
    return this.#content;
  }

  /** What is put. */
  set content(content: Content) {
    this.#content = content;
    this.#isWritten = true;
  }

  /** Ends the hold; what was written is everybody's, and has its replicas when this resolves. */
  async put(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const content = this.#isWritten ? Buffer.from(this.#codec.encode(this.#content as Content)).toString('base64') : undefined;
    await this.#objects.ask({ do: 'put', hold: this.#hold, ...(content !== undefined && { content }) });
  }

  /** Ends the hold and removes the object for everybody. */
  async remove(): Promise<void> {
    await this.#objects.ask({ do: 'remove-held', hold: this.#hold });
    this.#isHeld = false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.put();
  }
}

function missing(what: string): never {
  throw new KorriganError('KRG_INTERNAL', `the daemon did not give ${what}`);
}
