/** A program's part in locks, semaphores, barriers and condition variables: what it has is held as long as its connection, and with it the program, lives. */
import { KorriganError } from '../../linux/errors.ts';
import type { SyncRequest } from './sync-schemas.ts';
import type { AskLine, DeadlockLink, Lease, LeaseLine, SyncAnswer, SyncOwner } from './sync-types.ts';

export interface WaitOptions {
  /** Whose names are meant; others than one's own: root only. */
  readonly uid?: number | undefined;
  /** 0: not at all. @default for ever */
  readonly timeoutMs?: number | undefined;
  /** Told who has what is wanted, when that has to be waited for. */
  readonly onWait?: ((owners: readonly SyncOwner[]) => void) | undefined;
  /** Told who waits for whom in a circle, when this one is part of it. */
  readonly onDeadlock?: ((links: readonly DeadlockLink[]) => void) | undefined;
}

/** How the session asks its daemon. */
export interface SyncTransport {
  readonly lease: { readonly first: Lease; readonly rest: AsyncIterator<LeaseLine> };
  ask(body: { readonly lease: string; readonly request: SyncRequest; readonly uid?: number }): AsyncIterable<AskLine>;
  close(): void;
}

type Of<Kind extends SyncAnswer['kind']> = SyncAnswer & { readonly kind: Kind };

/** A lock that is held. */
export interface HeldLock {
  /** Grows with every grant of the lock: a resource that has seen a later one refuses this one. */
  readonly token: number;
  /** Who had it before died with it: what it guards may be half changed. It is to be repaired, and stated to be. */
  readonly ownerDied: boolean;
  repair(): Promise<void>;
  release(): Promise<void>;
  /**
   * Gives the lock up while it waits for a signal, and has it again. The lock that is held afterwards is the new one.
   * @returns whether there was a signal
   */
  wait(condition: string, options?: WaitOptions): Promise<{ readonly signalled: boolean; readonly lock: HeldLock }>;
}

/** Units of a semaphore that come back when their owner gives them back or ends. */
export interface HeldUnits {
  giveBack(): Promise<void>;
}

export class SyncSession implements AsyncDisposable {
  /** For programs that this one starts and waits for (`KRG_LOCK_SESSION`). */
  readonly session: string;
  readonly node: string;
  /** Aborted when something that this session held is lost: the daemon ended, or its node has no part in the cluster any more. */
  readonly lost: AbortSignal;
  readonly #lost = new AbortController();
  readonly #transport: SyncTransport;
  readonly #lease: string;
  readonly #held = new Set<number>();
  #isClosed = false;

  constructor(transport: SyncTransport) {
    this.#transport = transport;
    const { lease, session, node } = transport.lease.first;
    this.#lease = lease;
    this.session = session;
    this.node = node;
    this.lost = this.#lost.signal;
    void this.#watch();
  }

  /** @throws KorriganError KRG_LOCK_BUSY, KRG_DEADLINE, KRG_LOCK_NOT_RECOVERABLE, KRG_DEADLOCK … */
  async lock(name: string, mode: 'shared' | 'exclusive' = 'exclusive', options: WaitOptions = {}): Promise<HeldLock> {
    const answer = await this.#ask<'granted'>({ kind: 'acquire', name, mode, timeoutMs: options.timeoutMs }, options);
    return this.#heldLock(answer);
  }

  /** Resolves when so many have come. @returns whether this one is the one of them that is told so @throws KorriganError KRG_DEADLINE, KRG_BARRIER_MISMATCH … */
  async barrier(name: string, parties: number, options: WaitOptions = {}): Promise<boolean> {
    return (await this.#ask<'passed'>({ kind: 'arrive', name, parties, timeoutMs: options.timeoutMs }, options)).isSerial;
  }

  /** Makes a semaphore; one that exists stays as it is. */
  async createSemaphore(name: string, value: number, options: WaitOptions = {}): Promise<void> {
    await this.#ask({ kind: 'create-semaphore', name, value }, options);
  }

  /** Takes units that come back when they are given back, or when this session ends. */
  async hold(name: string, count = 1, options: WaitOptions = {}): Promise<HeldUnits> {
    const { claim } = await this.#ask<'granted'>({ kind: 'take', name, count, undo: true, timeoutMs: options.timeoutMs }, options);
    this.#held.add(claim);
    return {
      giveBack: async () => {
        this.#held.delete(claim);
        await this.#ask({ kind: 'give-back', claim }, {});
      },
    };
  }

  /** Takes units for good, as sem_wait(3): somebody posts them. */
  async take(name: string, count = 1, options: WaitOptions = {}): Promise<void> {
    await this.#ask({ kind: 'take', name, count, undo: false, timeoutMs: options.timeoutMs }, options);
  }

  async post(name: string, count = 1, options: WaitOptions = {}): Promise<void> {
    await this.#ask({ kind: 'post', name, count }, options);
  }

  /** Wakes so many of those who wait for the condition. */
  async signal(condition: string, count = 1, options: WaitOptions = {}): Promise<void> {
    await this.#ask({ kind: 'signal', name: condition, count }, options);
  }

  /** @returns the first of so many numbers that nobody else gets, ever */
  async reserve(name: string, count = 1, options: WaitOptions = {}): Promise<number> {
    return (await this.#ask<'done'>({ kind: 'reserve', name, count }, options)).value ?? 0;
  }

  /** Removes a semaphore, a condition or a barrier, and tells who waits; of locks only one that is not in use. */
  async remove(thing: 'lock' | 'semaphore' | 'condition' | 'barrier', name: string, options: WaitOptions = {}): Promise<void> {
    await this.#ask({ kind: 'remove', thing, name }, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#transport.close();
    return Promise.resolve();
  }

  #heldLock({ claim, token, ownerDied }: Of<'granted'> | Of<'signalled' | 'not-signalled'>): HeldLock {
    this.#held.add(claim);
    return {
      token,
      ownerDied,
      repair: async () => void (await this.#ask({ kind: 'repair', claim }, {})),
      release: async () => {
        this.#held.delete(claim);
        await this.#ask({ kind: 'release', claim }, {});
      },
      wait: async (name, options = {}) => {
        this.#held.delete(claim);
        const { timeoutMs } = options;
        const answer = await this.#ask<'signalled' | 'not-signalled'>({ kind: 'wait', name, lock: claim, timeoutMs }, options);
        return { signalled: answer.kind === 'signalled', lock: this.#heldLock(answer) };
      },
    };
  }

  async #ask<Kind extends SyncAnswer['kind']>(request: SyncRequest, { uid, onWait, onDeadlock }: WaitOptions): Promise<Of<Kind>> {
    const body = { lease: this.#lease, request, ...(uid !== undefined && { uid }) };
    for await (const line of this.#transport.ask(body)) {
      if ('answer' in line) return line.answer as Of<Kind>;
      if ('waitsFor' in line) onWait?.(line.waitsFor);
      else onDeadlock?.(line.deadlock);
    }
    throw new KorriganError('KRG_STREAM_BROKEN', 'the daemon ended its answer before it said what became of the request');
  }

  async #watch(): Promise<void> {
    const { rest } = this.#transport.lease;
    try {
      for (let next = await rest.next(); next.done !== true; next = await rest.next())
        if ('lost' in next.value && (next.value.lost === null || this.#held.has(next.value.lost)))
          this.#lose('it has no part in the cluster any more');
    } catch {
      // The connection is lost, and what is held with it.
    }
    if (!this.#isClosed) this.#lose('its daemon has ended');
  }

  #lose(why: string): void {
    this.#held.clear();
    this.#lost.abort(new KorriganError('KRG_LOCK_LOST', `what was held by way of ${this.node} is not held any more: ${why}`));
  }
}
