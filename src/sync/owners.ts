/** Who holds or waits: a client of a node, in one life of that node's daemon; and whom a node takes for dead. */
import { z } from 'zod';
import type { NodeId } from '../rpc/index.ts';
import type { HasMutation } from './mutations.ts';

const natural = z.number().int().nonnegative();

export const ownerSchema = z.object({
  node: natural,
  /** Of its container and its daemon: what the daemon before had is lost. */
  life: z.string().max(200),
  /** An epoch of the membership in which the node took part with that life. */
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
  readonly life: string;
  readonly claim: number;
}

export interface Claimant {
  readonly owner: Owner;
  /** Chosen by the owner's node, unique in its life. */
  readonly claim: number;
}

export function isNamed({ owner, claim }: Claimant, name: ClaimName): boolean {
  return claim === name.claim && owner.node === name.node && owner.life === name.life;
}

export function nameOf({ owner: { node, life }, claim }: Claimant): ClaimName {
  return { node, life, claim };
}

/** What a node knows of who is in the cluster. */
export class Living {
  epoch = 0;
  /** With their lives. */
  members: ReadonlyMap<NodeId, string> = new Map();
  readonly #has: HasMutation;

  constructor(has: HasMutation) {
    this.#has = has;
  }

  change(epoch: number, members: ReadonlyMap<NodeId, string>): void {
    this.epoch = epoch;
    this.members = members;
  }

  /** An owner whose node joined after what this node knows is not dead. */
  isDead({ node, life, epoch }: Owner): boolean {
    if (this.#has('living-taken-for-dead') && epoch < this.epoch) return true;
    if (this.#has('former-life-not-seen') && this.members.has(node)) return false;
    return epoch <= this.epoch && this.members.get(node) !== life;
  }
}
