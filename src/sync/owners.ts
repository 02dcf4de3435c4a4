/** Who holds or waits: a client of a node, in one life of that node's daemon; and whom a node takes for dead. */
import { z } from 'zod';
import type { NodeId } from '../rpc/index.ts';
import type { HasMutation } from './mutations.ts';

const natural = z.number().int().nonnegative();

export const ownerSchema = z.object({
  node: natural,
  /** Names the life of the daemon; later ones have greater numbers. */
  incarnation: natural,
  /** An epoch of the membership in which the node took part in that life. */
  epoch: natural,
  client: natural,
  /** A path: whoever has this one with more behind it is a descendant, for whose end this owner waits. */
  session: z.string().max(512),
  /** For people: which program of whom. */
  label: z.string().max(200),
});

export type Owner = z.infer<typeof ownerSchema>;

/** Names a claim in the whole cluster, for ever. */
export interface ClaimName {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly claim: number;
}

export interface Claimant {
  readonly owner: Owner;
  /** Chosen by the owner's node, unique in its incarnation. */
  readonly claim: number;
}

export function isNamed({ owner, claim }: Claimant, name: ClaimName): boolean {
  return claim === name.claim && owner.node === name.node && owner.incarnation === name.incarnation;
}

export function nameOf({ owner: { node, incarnation }, claim }: Claimant): ClaimName {
  return { node, incarnation, claim };
}

/** What a node knows of who is in the cluster. */
export class Living {
  epoch = 0;
  members: ReadonlySet<NodeId> = new Set();
  /** The latest that was heard of. */
  readonly #incarnations = new Map<NodeId, number>();
  readonly #has: HasMutation;

  constructor(has: HasMutation) {
    this.#has = has;
  }

  change(epoch: number, members: readonly NodeId[]): void {
    this.epoch = epoch;
    this.members = new Set(members);
  }

  /** @returns whether this is news */
  hear(node: NodeId, incarnation: number): boolean {
    if (incarnation <= (this.#incarnations.get(node) ?? 0)) return false;
    this.#incarnations.set(node, incarnation);
    return true;
  }

  /** An owner whose node joined after what this node knows is not dead. */
  isDead({ node, incarnation, epoch }: Owner): boolean {
    if (this.#has('living-taken-for-dead') && epoch < this.epoch) return true;
    return incarnation < (this.#incarnations.get(node) ?? 0) || (epoch <= this.epoch && !this.members.has(node));
  }
}
