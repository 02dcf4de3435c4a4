/** What one node knows of one object. */
import type { NodeId } from '../rpc/index.ts';
import { type Birth, NEVER, type ObjectId, type Serial, type Term } from './identity.ts';
import type { Message } from './messages.ts';
import type { Mutation } from './mutations.ts';
import type { Operation } from './operations.ts';
import type { State } from './states.ts';

/** Held after a hand-over, until the other node is known to have received it. */
export interface HandedOver {
  readonly to: NodeId;
  /** The term that ended with it. */
  readonly term: Term;
  /** Of the removal that is remembered. */
  readonly serial?: Serial;
  /** `first-touch`: the right to create the object; `removed`: the task to end its removal, which carries no content. */
  readonly kind: 'content' | 'first-touch' | 'removed';
  /** Kept until it is delivered. */
  content: unknown;
  readonly version: number;
  isDelivered: boolean;
  /** The other died. */
  isTargetDead: boolean;
}

/** The one request that this node has made for the object and that is not answered. */
export interface OpenRequest {
  readonly serial: Serial;
  readonly write: boolean;
  /** The operation that made it and waits; none after an asynchronous one. */
  readonly operation: number | undefined;
}

/** A removal that is carried out from here, or (in WAIT_OBJ_RM_ACK2, or by a former owner) that of another node. */
export interface Removal {
  readonly remover: NodeId;
  readonly serial: Serial;
  readonly operation: number | undefined;
  /** Who must still acknowledge; before the owner has named them, who has already. */
  readonly awaited: Set<NodeId>;
  readonly early: Set<NodeId>;
  /** Who is told at the end. */
  readonly informed: Set<NodeId>;
}

/** What this node keeps for the case that the owner dies. */
export interface Backup {
  /** It says that the object is lost, and has no bytes. */
  readonly isLost: boolean;
  readonly born: Birth;
  readonly term: Term;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Backups of one write that are not all acknowledged, with the put that waits for them. */
export interface PendingBackup {
  readonly version: number;
  readonly missing: Set<NodeId>;
  readonly operation: Operation | undefined;
}

export interface Entry {
  readonly object: ObjectId;
  state: State;
  /** Hint: where the owner is, or who knows more; and the term in which that was so. */
  probOwner: NodeId;
  hintTerm: Term;
  /** The last term in which this node was the owner; 0 when it was not since the last reconfiguration. */
  term: Term;
  born: Birth;
  /** Counts writes. */
  version: number;
  /** `undefined`: none is here. */
  content: unknown;
  /** Names the copy that is here, for who is not the owner. */
  copySerial: Serial;
  /** At the owner: all others who hold a copy, and its name. */
  copyset: Map<NodeId, Serial>;
  /** At the owner: all others who may have an entry. */
  rmset: Set<NodeId>;
  /** Holds by local users, and how many of them may write. */
  frozen: number;
  grabbed: number;
  /** The user who grabbed the absent object is to give its content. */
  isFilledByHand: boolean;
  request: OpenRequest | undefined;
  /** Acknowledgements that came before the ownership that they belong to. */
  earlyAcks: { readonly node: NodeId; readonly serial: Serial }[];
  handedOver: HandedOver | undefined;
  removal: Removal | undefined;
  /** The object was removed while this node waited for it: it is not the next owner, and others do not wait here. */
  isDisowned: boolean;
  /** Injected here and not used yet. */
  isGhost: boolean;
  backup: Backup | undefined;
  pendingBackups: PendingBackup[];
  /** Its only copy died. */
  isLost: boolean;
  /** Local operations that wait, in their order. */
  waiters: Operation[];
  /** Messages that wait until the object can be given. */
  deferred: { readonly from: NodeId; readonly message: Message }[];
}

/** Remembers that the object was removed, and was of no later term. */
export function tombstone(remover: NodeId, term: Term, serial: Serial): HandedOver {
  return { to: remover, term, serial, kind: 'removed', content: undefined, version: 0, isDelivered: true, isTargetDead: false };
}

export function createEntry(object: ObjectId, state: State, probOwner: NodeId): Entry {
  return {
    object,
    state,
    probOwner,
    hintTerm: 0,
    term: 0,
    born: NEVER,
    version: 0,
    content: undefined,
    copySerial: 0,
    copyset: new Map(),
    rmset: new Set(),
    frozen: 0,
    grabbed: 0,
    isFilledByHand: false,
    request: undefined,
    earlyAcks: [],
    handedOver: undefined,
    removal: undefined,
    isDisowned: false,
    isGhost: false,
    backup: undefined,
    pendingBackups: [],
    isLost: false,
    waiters: [],
    deferred: [],
  };
}

/**
 * Was this asked by a home that has given it up? A home that was told to remove the object begins anew, and may have let it be created again since; no other node gives up what it
 * has asked. @param asOf the last term of which the home knew
 */
export function isGivenUp(context: { readonly has: (mutation: Mutation) => boolean }, entry: Entry, asOf: Term | undefined): boolean {
  if (context.has('given-up-answered')) return false;
  return asOf !== undefined && entry.born.term > asOf;
}

/** A hint of an older term than the one that is known says nothing. */
export function pointTo(entry: Entry, owner: NodeId, term: Term): void {
  if (term < entry.hintTerm) return;
  entry.probOwner = owner;
  entry.hintTerm = term;
}
