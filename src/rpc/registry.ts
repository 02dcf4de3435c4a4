/** What this node answers, by name. A handler that is disabled keeps its callers waiting, in order, until it is enabled. */
import type { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import type { AnyDefinition, Carried, NodeId, Priority } from './definition.ts';
import type { CallContext } from './incoming-call.ts';
import type { RpcStream } from './stream.ts';
import type { Start, Turns } from './turns.ts';

/** A notice has a sender and nothing to answer. */
export interface NoticeContext {
  readonly caller: NodeId;
}

/** Handlers with the types of their definitions taken off; `RpcNode` puts them on, the schemas make them true. */
export type Handler =
  | {
      readonly kind: 'call';
      readonly request: z.ZodType;
      readonly run: (request: unknown, context: CallContext) => unknown;
    }
  | {
      readonly kind: 'notice';
      readonly message: z.ZodType;
      readonly run: (message: unknown, context: NoticeContext) => unknown;
    }
  | {
      readonly kind: 'stream';
      readonly request: z.ZodType;
      readonly toHandler: Carried;
      readonly toOpener: Carried;
      readonly run: (request: unknown, stream: RpcStream<unknown, unknown>) => Promise<void>;
    };

/** How a handler is run. */
export interface HandlerOptions<Request> {
  /** Which nodes may ask; others get KRG_PERMISSION. @default all of the cluster */
  readonly allow?: (caller: NodeId) => boolean;
  /** It waits for its turn among those of the same group. @default all run side by side */
  readonly turns?: { readonly of: Turns; readonly group: (request: Request, caller: NodeId) => string };
}

/** Priority of the answers of a call or stream is that of its definition. */
export type Entry = Handler & HandlerOptions<unknown> & { readonly name: string; readonly priority: Priority };

/** Starts the handler, or lets it wait for its turn. @throws KorriganError KRG_PERMISSION, KRG_LIMIT */
export function startInTurn({ name, allow, turns }: Entry, request: unknown, caller: NodeId, start: Start): void {
  if (allow?.(caller) === false) throw new KorriganError('KRG_PERMISSION', `node ${caller} may not ask this node for ${name}`);
  if (turns === undefined) void start();
  else turns.of.enter(turns.group(request, caller), start);
}

export class HandlerRegistry {
  readonly #entries = new Map<string, Entry>();
  /** Names of disabled handlers, with what waits for them. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #mayWait: number;

  /** @param mayWait how many calls one disabled handler keeps */
  constructor(mayWait: number) {
    this.#mayWait = mayWait;
  }

  add(entry: Entry): void {
    if (this.#entries.has(entry.name)) throw new Error(`the handler ${entry.name} stands there already`);
    this.#entries.set(entry.name, entry);
  }

  /** The handler of this name, which must be of this kind. */
  find<K extends Entry['kind']>(kind: K, name: string): Entry & { kind: K } {
    const entry = this.#entries.get(name);
    if (entry?.kind === kind) return entry as Entry & { kind: K };
    throw new KorriganError(
      'KRG_NO_SUCH_CALL',
      `the node knows no ${kind} of the name ${name}: it runs another version, or a module is missing`,
    );
  }

  /** From now on what comes for the handler waits. May be called before there is a handler. */
  disable({ name }: AnyDefinition): void {
    if (!this.#waiting.has(name)) this.#waiting.set(name, []);
  }

  /** Starts what has waited, in the order in which it came. */
  enable({ name }: AnyDefinition): void {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    while (waiting.length > 0 && !this.#waiting.has(name)) waiting.shift()?.();
    // Disabled again by one that was started: the rest stays in front of what comes.
    this.#waiting.get(name)?.unshift(...waiting);
  }

  /** Calls `run` at once, or when the handler is enabled. */
  whenEnabled(name: string, run: () => void): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) {
      run();
      return;
    }
    if (waiting.length >= this.#mayWait) {
      throw new KorriganError('KRG_LIMIT', `${waiting.length} calls wait for ${name}, which is disabled; no more are taken`);
    }
    waiting.push(run);
  }
}
