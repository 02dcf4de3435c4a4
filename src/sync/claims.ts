/** What the clients of this node hold and wait for. */
import type { Client } from './events.ts';
import type { LockMode } from './lock.ts';
import type { Claimant, ClaimName, Owner } from './owners.ts';

export type Wanted =
  | { readonly kind: 'lock'; readonly mode: LockMode; readonly after?: 'signalled' | 'not-signalled' }
  | { readonly kind: 'semaphore'; readonly count: number; readonly undo: boolean }
  | { readonly kind: 'condition'; readonly lock: Claim; readonly mode: LockMode }
  | { readonly kind: 'barrier' };

export interface Claim extends Claimant {
  readonly owner: Owner;
  readonly claim: number;
  readonly client: Client;
  /** The request that it belongs to. */
  readonly request: number;
  readonly key: string;
  readonly table: number;
  readonly wanted: Wanted;
  /** Not in its table yet; in the queue; had. */
  status: 'starting' | 'waiting' | 'held';
  /** When it is to be taken out of the queue. */
  readonly deadline: number | undefined;
  /** When its client is told that there is nothing to be had, whether or not the table can be reached. */
  readonly giveUpAt: number | undefined;
  /** It is being taken out of the queue, and this is what its client will be told. */
  ending: 'timed-out' | 'cancelled' | 'leaving' | undefined;
  /** The client has been told already that it has nothing. */
  isUnwanted: boolean;
}

/** What of it stands in its table. */
export function claimant({ owner, claim }: Claim): { readonly owner: Owner; readonly claim: number } {
  return { owner, claim };
}

export class Claims {
  readonly #claims = new Map<number, Claim>();

  get size(): number {
    return this.#claims.size;
  }

  get(claim: number): Claim | undefined {
    return this.#claims.get(claim);
  }

  add(claim: Claim): void {
    this.#claims.set(claim.claim, claim);
  }

  delete({ claim }: ClaimName | Claim): void {
    this.#claims.delete(claim);
  }

  all(): Claim[] {
    return [...this.#claims.values()];
  }

  ofTable(table: number): Claim[] {
    return this.all().filter((claim) => claim.table === table);
  }

  /** Tables in whose queues somebody of this node stands. */
  awaitedTables(): ReadonlySet<number> {
    return new Set(this.all().flatMap(({ status, table }) => (status === 'waiting' ? [table] : [])));
  }

  /** What this client holds under that number. */
  held(claim: number, { client }: Client): Claim | undefined {
    const known = this.#claims.get(claim);
    return known?.status === 'held' && known.client.client === client ? known : undefined;
  }
}
