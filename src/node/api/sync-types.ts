/** What the HTTP API answers about locks and their like. Plain types, as those of `types.ts`. */
export interface SyncOwner {
  /** By name. */
  readonly node: string;
  /** Which program of whom. */
  readonly label: string;
}

/** Who waits for what, and who keeps it. */
export interface DeadlockLink {
  readonly thing: string;
  readonly waiter: SyncOwner;
  readonly keeper: SyncOwner;
  /** Has it; else it stands before. */
  readonly has: boolean;
}

export interface Lease {
  readonly lease: string;
  readonly session: string;
  /** By name: whose daemon it is. */
  readonly node: string;
}

/** A line of the answer to POST /v1/sync/lease: the first, then what was lost. */
export type LeaseLine =
  | Lease
  /** Of the hold that is not held any more; null: of all. */
  | { readonly lost: number | null };

export type SyncAnswer =
  | { readonly kind: 'granted'; readonly claim: number; readonly token: number; readonly ownerDied: boolean }
  | { readonly kind: 'signalled' | 'not-signalled'; readonly claim: number; readonly token: number; readonly ownerDied: boolean }
  | { readonly kind: 'passed'; readonly isSerial: boolean }
  | { readonly kind: 'done'; readonly value?: number };

/** A line of the answer to POST /v1/sync/ask; the last one has `answer` or `error`. */
export type AskLine =
  | { readonly waitsFor: readonly SyncOwner[] }
  | { readonly deadlock: readonly DeadlockLink[] }
  | { readonly answer: SyncAnswer };

export interface SyncClaim extends SyncOwner {
  readonly mode?: 'shared' | 'exclusive';
  readonly count?: number;
  /** Of a holder of a lock. */
  readonly token?: number;
  /** In milliseconds since 1970. */
  readonly since: number;
}

/** Something that has a name. What nobody uses is not listed. */
export interface SyncThing {
  readonly kind: 'lock' | 'semaphore' | 'condition' | 'barrier' | 'counter';
  readonly uid: number;
  readonly name: string;
  readonly condition?: 'consistent' | 'inconsistent' | 'not-recoverable';
  /** Units left, or the last number that was given out. */
  readonly value?: number;
  readonly parties?: number;
  readonly holders: readonly SyncClaim[];
  readonly waiters: readonly SyncClaim[];
}

export interface SyncListing {
  readonly things: readonly SyncThing[];
  readonly deadlocks: readonly (readonly DeadlockLink[])[];
}
