/** What local users ask of kddm, and what they are answered. */
import type { NodeId } from '../rpc/index.ts';
import type { ObjectId, SetId } from './identity.ts';
import type { SetRecord } from './messages.ts';

/** Variants of get, grab and find. */
export interface Variant {
  /** Starts what is needed and returns: nothing is frozen. */
  readonly async?: boolean;
  /** An object that does not exist is not created: the answer is `absent`. */
  readonly noFirstTouch?: boolean;
  /** An object that does not exist becomes this node's, held, and its user gives the content by `set-object`. Grab only. */
  readonly manualFirstTouch?: boolean;
  /** Does not freeze. */
  readonly noLock?: boolean;
  /** Fails with `busy` where it would wait for another user. Grab only. */
  readonly tryGrab?: boolean;
  /** The user gets a copy of the content of its own, which no write changes. Get only. */
  readonly copyOnRead?: boolean;
  /** The user gets a copy of the content of its own; who holds the object here goes on reading the old one. Grab only. */
  readonly copyOnWrite?: boolean;
}

interface ObjectAction {
  /** Chosen by the shell, unique on the node. */
  readonly id: number;
  readonly namespace: number;
  readonly set: SetId;
  readonly object: ObjectId;
}

interface SetAction {
  readonly id: number;
  readonly namespace: number;
}

/** An operation on one object. */
export type ObjectOperation = ObjectAction &
  (
    | ({ readonly kind: 'get' | 'grab' } & Variant)
    | { readonly kind: 'find'; readonly noLock?: boolean }
    /** Ends a hold; after a grab with the new content, or without one when it was changed in place. */
    | { readonly kind: 'put'; readonly hold: 'get' | 'grab'; readonly content?: unknown }
    | { readonly kind: 'set-object'; readonly content: unknown }
    /** `since` is set by kddm: the epoch in which it began. */
    | { readonly kind: 'remove'; readonly since?: number }
    /** By who has grabbed it; ends that hold. */
    | { readonly kind: 'remove-frozen' }
    /** Evicts the copy here; the last one goes to `destination`. */
    | { readonly kind: 'flush'; readonly destination?: NodeId }
    /** Writes a grabbed object through to the device of its home. Sets that are FT_LINKED only. */
    | { readonly kind: 'sync-frozen' }
  );

/** An operation on the directory of sets. A set's id is used once: `absent` is the answer to who wants to create one that was destroyed. */
export type DirectoryOperation = SetAction &
  (
    | { readonly kind: 'create-set'; readonly record: SetRecord }
    | { readonly kind: 'find-set' | 'destroy-set'; readonly set: SetId }
    | { readonly kind: 'find-name'; readonly name: string }
  );

/** An operation on a set. */
export type SetOperation =
  | DirectoryOperation
  | (SetAction &
      (
        | {
            readonly kind: 'flush-set';
            readonly set: SetId;
            /** Where the last copies go; without it, or without an answer, they stay. The content of the result is how many objects stayed. */
            readonly destination?: (object: ObjectId) => NodeId | undefined;
          }
        /** From its answer on, `changed` effects with its id tell of changes; without `object`: of all of the set. */
        | { readonly kind: 'watch'; readonly set: SetId; readonly object?: ObjectId }
        | { readonly kind: 'unwatch'; readonly watch: number }
      ));

export type Operation = ObjectOperation;

const OF_SETS: ReadonlySet<string> = new Set<SetOperation['kind']>([
  'create-set',
  'find-set',
  'destroy-set',
  'find-name',
  'flush-set',
  'watch',
  'unwatch',
]);

export function isOfSet(operation: ObjectOperation | SetOperation): operation is SetOperation {
  return OF_SETS.has(operation.kind);
}

export type FailureCode =
  /** The object's only copy died with its node. */
  | 'lost'
  /** It would have to wait. */
  | 'busy'
  /** Another removal of the object is in progress. */
  | 'already'
  /** Flush: there is no node to send the last copy to. */
  | 'no-space'
  /** The object, or the set, is not here. */
  | 'no-entry'
  /** The caller does not hold the object as it would have to. */
  | 'not-held'
  /** The set does not allow this. */
  | 'not-supported'
  /** This node leaves, or was excluded from the cluster. */
  | 'leaving';

export type Result =
  | { readonly kind: 'done'; readonly content?: unknown; readonly record?: SetRecord }
  /** The object does not exist. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly code: FailureCode };

export const DONE: Result = { kind: 'done' };
export const ABSENT: Result = { kind: 'absent' };

export function failed(code: FailureCode): Result {
  return { kind: 'failed', code };
}
