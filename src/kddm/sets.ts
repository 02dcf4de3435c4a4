/** Sets as a node knows them, and where the home of an object is. */
import type { NodeId } from '../rpc/index.ts';
import type { Entry } from './entry.ts';
import { memberAt, nodeOfId, type ObjectId, type SetId, type Term } from './identity.ts';
import type { IoLinker } from './linker.ts';
import type { SetRecord, Watch } from './messages.ts';

/** A set that is known here, with what this node knows of its objects. */
export interface KddmSet {
  readonly record: SetRecord;
  readonly linker: IoLinker<unknown>;
  readonly entries: Map<ObjectId, Entry>;
  /** Of all nodes. */
  watches: Watch[];
  /** Of sets with a time to live: when this node became the owner of an object or wrote it, the longest ago first. */
  readonly lastUse: Map<ObjectId, number>;
  /** No term of an entry that was here and is forgotten is later. */
  termFloor: Term;
}

/** Deaths that may have taken everything that was known of an object: those whose home, under these members (without members: any), was among the dead. */
export interface Doubt {
  readonly members: readonly NodeId[];
  readonly dead: readonly NodeId[];
  /** How many died from which the replicas had not recovered, these included. */
  readonly deaths: number;
  /** In which they were gone. */
  readonly epoch: number;
}

/** The node that answers for an object without owner. */
export function homeOf(set: KddmSet, object: ObjectId, members: readonly NodeId[]): NodeId {
  const { policy } = set.record;
  switch (policy.kind) {
    case 'fixed':
      return members.includes(policy.node) ? policy.node : memberAt(members, policy.node);
    case 'round-robin':
      return memberAt(members, object);
    case 'unique-id': {
      const node = nodeOfId(object);
      return members.includes(node) ? node : memberAt(members, object);
    }
    case 'custom': {
      const node = set.linker.defaultOwner?.(object, members) ?? memberAt(members, object);
      return members.includes(node) ? node : memberAt(members, node);
    }
  }
}

/** The node that knows a set and decides whether it exists. */
export function managerOf(set: SetId, members: readonly NodeId[]): NodeId {
  const node = nodeOfId(set);
  return members.includes(node) ? node : memberAt(members, set);
}

/** The node that knows the set of this name. */
export function managerOfName(name: string, members: readonly NodeId[]): NodeId {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 2 ** 31;
  return memberAt(members, hash);
}

/** May there have been an object of which nobody alive knows? */
export function isDoubtful(set: KddmSet, object: ObjectId, doubts: readonly Doubt[]): boolean {
  if (set.record.unknownAfterCrash === 'absent') return false;
  const { replicas, since = 0 } = set.record;
  return doubts.some(
    ({ members, dead, deaths, epoch }) =>
      epoch > since && deaths > replicas && (members.length === 0 || dead.includes(homeOf(set, object, members))),
  );
}
