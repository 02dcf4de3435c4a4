/** What names things: nodes, sets, objects, serials and terms. */
import type { NodeId } from '../rpc/index.ts';

/** An object of a set: a page number, a pid, the hash of a key …; a natural number up to 2^53 - 1. */
export type ObjectId = number;

/** A set within its name space: ids below 32 are reserved for sets of the system itself; others hold the node that made them (`nodeOfId`). */
export type SetId = number;

/** Names a request of one node and the copy that it got; 0 names no copy. */
export type Serial = number;

/** Counts who was the owner of an object: each hand-over begins a new term. */
export type Term = number;

/** When an object was created, and the term in which its home let it be. */
export interface Birth {
  readonly epoch: number;
  readonly term: Term;
}

export const NEVER: Birth = { epoch: 0, term: 0 };

export const FIRST_FREE_SET: SetId = 32;
const PER_NODE = 2 ** 40;

/** An id that only `node` gives out: for sets, and for the objects of sets whose homes follow from unique ids. */
export function uniqueId(node: NodeId, counter: number): number {
  return node * PER_NODE + counter;
}

/** The node that gave out this id; 0 for small ids, which nobody did. */
export function nodeOfId(id: number): NodeId {
  return Math.floor(id / PER_NODE);
}

/** The member at this place of the sorted list of members, counted round and round. */
export function memberAt(members: readonly NodeId[], place: number): NodeId {
  const node = members[place % members.length];
  if (node === undefined) throw new RangeError('a cluster without members');
  return node;
}
