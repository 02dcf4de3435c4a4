/**
 * Until when this node may serve: others go on without a node that they took for dead only when every lease that they granted to it has run out. Pure. A lease is as long as
 * a majority of the members, this one included, has granted it; it counts from the moment at which it was asked for.
 */
import type { NodeId } from '../../rpc/index.ts';

/** Milliseconds. Shorter than the silence after which a node is dead: who is declared dead has no lease any more, and nobody waits for that. */
export const LEASE_MILLISECONDS = 1200;
export const RENEWAL_MILLISECONDS = 250;

export class Lease {
  readonly #self: NodeId;
  #members: readonly NodeId[] = [];
  /** When this node asked for what each other one has granted. */
  readonly #askedAt = new Map<NodeId, number>();
  /** Until when what this node has granted to each other one may be used. */
  readonly #grantedUntil = new Map<NodeId, number>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  setMembers(members: readonly NodeId[]): void {
    this.#members = members;
    for (const node of this.#askedAt.keys()) if (!members.includes(node)) this.#askedAt.delete(node);
  }

  /** @returns whether this node grants the other a lease */
  grant(node: NodeId, now: number): boolean {
    if (!this.#members.includes(node)) return false;
    this.#grantedUntil.set(node, now + LEASE_MILLISECONDS);
    return true;
  }

  granted(by: NodeId, askedAt: number): void {
    if (this.#members.includes(by)) this.#askedAt.set(by, Math.max(askedAt, this.#askedAt.get(by) ?? 0));
  }

  /** When what this node has granted to these has run out. */
  endOfGrants(nodes: readonly NodeId[]): number {
    return Math.max(0, ...nodes.map((node) => this.#grantedUntil.get(node) ?? 0));
  }

  /** Until when this node may serve. */
  until(now: number): number {
    if (!this.#members.includes(this.#self)) return 0;
    const times = this.#members.map((node) => (node === this.#self ? now : (this.#askedAt.get(node) ?? 0)));
    const majority = Math.floor(this.#members.length / 2) + 1;
    const askedAt = times.toSorted((a, b) => b - a)[majority - 1] ?? 0;
    return askedAt === 0 ? 0 : askedAt + LEASE_MILLISECONDS;
  }
}
