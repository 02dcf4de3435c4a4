/** One connection of a program that uses shared objects: its sets, what it holds, what it waits for. */
import type { Hold, Kddm, KddmSetHandle } from '../../kddm/index.ts';
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import type { ByteLink } from '../../streams/index.ts';
import { CONTENT_LIMIT, LINE_LIMIT, type ObjectAnswer, type ObjectNews } from '../api/objects-protocol.ts';
import { type ObjectRequest, objectRequest } from '../api/objects-schemas.ts';
import { parseRequest } from '../api/schemas.ts';
import type { Caller } from '../api/types.ts';
import { namespaceOf, userLinker } from './user-objects.ts';

const SETS_LIMIT = 1024;
const HOLDS_LIMIT = 4096;
const WAITING_LIMIT = 1024;
const WATCHES_LIMIT = 1024;

type Outcome = Omit<ObjectAnswer, 'id'>;
type Set = KddmSetHandle<Uint8Array>;

export class ObjectSession {
  readonly #kddm: Kddm;
  readonly #caller: Caller;
  readonly #user: ByteLink;
  readonly #onFault: (error: unknown) => void;
  readonly #sets: Set[] = [];
  readonly #holds = new Map<number, Hold<Uint8Array>>();
  readonly #waiting = new Map<number, AbortController>();
  /** What ends each watch, by the id of its request. */
  readonly #watches = new Map<number, () => void>();
  #lastHold = 0;
  #isOver = false;

  constructor(kddm: Kddm, caller: Caller, user: ByteLink, onFault: (error: unknown) => void) {
    this.#kddm = kddm;
    this.#caller = caller;
    this.#user = user;
    this.#onFault = onFault;
  }

  /** Resolves when the program has gone, and everything that it held is put. */
  async run(): Promise<void> {
    try {
      for await (const line of linesOf(this.#user)) this.#take(line);
    } catch (error) {
      // It broke the rules, and hears why.
      await this.#say({ id: 0, error: toKorriganError(error).toJSON() });
    }
    this.#isOver = true;
    for (const waiting of this.#waiting.values()) waiting.abort();
    for (const end of this.#watches.values()) end();
    this.#watches.clear();
    const holds = [...this.#holds.values()];
    this.#holds.clear();
    await Promise.allSettled(holds.map((hold) => hold.put()));
    await this.#user.end();
  }

  #take(line: string): void {
    const request = parseRequest(objectRequest, valueOf(line));
    if (this.#waiting.size >= WAITING_LIMIT)
      throw new KorriganError('KRG_LIMIT', `${WAITING_LIMIT} requests of this program wait; no more are taken`);
    const waiting = new AbortController();
    this.#waiting.set(request.id, waiting);
    void this.#answer(request, waiting.signal);
  }

  async #answer(request: ObjectRequest, signal: AbortSignal): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = await this.#perform(request, signal);
    } catch (error) {
      if (!(error instanceof KorriganError)) this.#onFault(error);
      outcome = { error: toKorriganError(error).toJSON() };
    }
    this.#waiting.delete(request.id);
    await this.#say({ id: request.id, ...outcome });
  }

  async #say(answer: ObjectAnswer | ObjectNews): Promise<void> {
    try {
      await this.#user.write(Buffer.from(`${JSON.stringify(answer)}\n`));
    } catch (error) {
      if (!this.#isOver && !(error instanceof KorriganError)) this.#onFault(error);
    }
  }

  async #perform(request: ObjectRequest, signal: AbortSignal): Promise<Outcome> {
    switch (request.do) {
      case 'open':
        return this.#open(request);
      case 'destroy':
        await this.#kddm.destroySet(this.#set(request.set));
        return {};
      case 'get':
      case 'grab':
      case 'try-grab':
        return this.#hold(request, signal);
      case 'put': {
        const hold = this.#held(request.hold);
        const content = request.content === undefined ? undefined : Buffer.from(request.content, 'base64');
        if (content !== undefined) {
          if (!hold.isGrab) throw new KorriganError('KRG_NOT_HELD', 'an object that was got is not written; grab it');
          if (content.length > CONTENT_LIMIT)
            throw new KorriganError('KRG_LIMIT', `an object has ${CONTENT_LIMIT} bytes at most, not ${content.length}`);
          hold.content = content;
        }
        this.#holds.delete(request.hold);
        await hold.put();
        return {};
      }
      case 'remove':
        await this.#set(request.set).remove(request.object, { signal });
        return {};
      case 'remove-held':
        await this.#held(request.hold).remove();
        this.#holds.delete(request.hold);
        return {};
      case 'watch':
        return this.#watch(request);
      case 'unwatch':
        this.#watches.get(request.watch)?.();
        this.#watches.delete(request.watch);
        return {};
      case 'cancel':
        this.#waiting.get(request.of)?.abort();
        return {};
    }
  }

  async #open({ name, create, replicas, owner = this.#caller.uid }: ObjectRequest & { do: 'open' }): Promise<Outcome> {
    const { uid } = this.#caller;
    if (uid !== 0 && uid !== owner)
      throw new KorriganError('KRG_PERMISSION', `only root and user ${owner} may use the sets of user ${owner}`);
    if (this.#sets.length >= SETS_LIMIT) throw new KorriganError('KRG_LIMIT', `a program has ${SETS_LIMIT} sets open at most`);
    const namespace = namespaceOf(owner);
    const set = create
      ? await this.#kddm.createSet(userLinker, { name, namespace, replicas, isExclusive: true })
      : await this.#kddm.findSet(userLinker, name, namespace);
    return set === undefined ? {} : { set: this.#sets.push(set) - 1 };
  }

  async #hold(
    { do: kind, set: of, object, create }: ObjectRequest & { do: 'get' | 'grab' | 'try-grab' },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const set = this.#set(of);
    if (this.#holds.size >= HOLDS_LIMIT) throw new KorriganError('KRG_LIMIT', `a program holds ${HOLDS_LIMIT} objects at most`);
    const options = { signal, noFirstTouch: !create };
    const hold = kind === 'get' ? await set.get(object, options) : await this.#grab(set, object, options, kind === 'try-grab');
    if (hold === 'busy') return { busy: true };
    if (hold === undefined) return {};
    if (this.#isOver) {
      await hold.put();
      return {};
    }
    const id = ++this.#lastHold;
    this.#holds.set(id, hold);
    return { hold: id, content: Buffer.from(hold.content).toString('base64') };
  }

  async #grab(
    set: Set,
    object: number,
    options: { readonly signal: AbortSignal; readonly noFirstTouch: boolean },
    isTry: boolean,
  ): Promise<Hold<Uint8Array> | 'busy' | undefined> {
    if (!isTry)
      return options.noFirstTouch ? set.grab(object, { ...options, noFirstTouch: true }) : set.grab(object, { signal: options.signal });
    return (await set.tryGrab(object, { signal: options.signal })) ?? 'busy';
  }

  async #watch({ id, set, object }: ObjectRequest & { do: 'watch' }): Promise<Outcome> {
    if (this.#watches.size >= WATCHES_LIMIT) throw new KorriganError('KRG_LIMIT', `a program has ${WATCHES_LIMIT} watches at most`);
    const end = await this.#set(set).watch((objects) => void this.#say({ watch: id, objects }), object);
    if (this.#isOver) end();
    else this.#watches.set(id, end);
    return {};
  }

  #set(id: number): Set {
    const set = this.#sets[id];
    if (set === undefined) throw new KorriganError('KRG_BAD_REQUEST', `this program has no set ${id} open`);
    return set;
  }

  #held(id: number): Hold<Uint8Array> {
    const hold = this.#holds.get(id);
    if (hold === undefined) throw new KorriganError('KRG_NOT_HELD', `this program has no hold ${id}, or not any more`);
    return hold;
  }
}

/** @throws KorriganError KRG_BAD_REQUEST */
function valueOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new KorriganError('KRG_BAD_REQUEST', 'each line is one JSON value, and this one is none', { cause });
  }
}

/** @throws KorriganError KRG_LIMIT for a line that does not end */
async function* linesOf(user: ByteLink): AsyncGenerator<string> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for (let bytes = await user.read(); bytes !== undefined; bytes = await user.read()) {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield Buffer.concat([...pieces, bytes.subarray(start, end)]).toString('utf8');
      pieces = [];
      length = 0;
      start = end + 1;
    }
    if (start < bytes.length) pieces.push(bytes.subarray(start));
    length += bytes.length - start;
    if (length > LINE_LIMIT) throw new KorriganError('KRG_LIMIT', `a request has ${LINE_LIMIT} bytes at most`);
  }
}
