/** One client of sync on this node: asks, waits, holds. */
import { KorriganError } from '../../linux/errors.ts';
import type { Client, Reply, Request } from '../events.ts';
import type { Owner } from '../owners.ts';

export type OnQueued = (holders: readonly Owner[]) => void;

interface ClientHost {
  ask(request: Request, onQueued: OnQueued, signal: AbortSignal | undefined): Promise<Reply>;
  close(): void;
}

export interface AskOptions {
  /** Called when it has to wait, with who has what it wants. */
  readonly onQueued?: OnQueued | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

export class SyncClient implements Disposable {
  readonly identity: Client;
  /** Requests that may have to wait, for the shell. */
  readonly waiting = new Map<number, OnQueued>();
  readonly #host: ClientHost;
  readonly #lost = new Set<(claim: number | undefined) => void>();
  #isClosed = false;

  constructor(identity: Client, host: ClientHost) {
    this.identity = identity;
    this.#host = host;
  }

  async ask(request: Request, { onQueued = () => undefined, signal }: AskOptions = {}): Promise<Reply> {
    if (this.#isClosed) throw new KorriganError('KRG_CANCELLED', 'this client has ended');
    if (signal?.aborted === true) return { kind: 'cancelled' };
    return this.#host.ask(request, onQueued, signal);
  }

  /** @param listener told the claim of what is not held any more; undefined: nothing is */
  onLost(listener: (claim: number | undefined) => void): void {
    this.#lost.add(listener);
  }

  /** For the shell. */
  lose(claim: number | undefined): void {
    for (const listener of this.#lost) listener(claim);
  }

  /** Ends; what it held goes to others, who are told if it was a lock that it had for itself. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.close();
  }
}
