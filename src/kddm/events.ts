/** What happens to a node, and what it wants done. */
import type { NodeId } from '../rpc/index.ts';
import type { ObjectId, SetId } from './identity.ts';
import type { Envelope } from './messages.ts';
import type { ObjectOperation, Result, SetOperation } from './operations.ts';

/** The membership goes on to another epoch. */
export interface Change {
  readonly epoch: number;
  /** Sorted. */
  readonly members: readonly NodeId[];
  /** Who died with this change. */
  readonly dead: readonly NodeId[];
  /** Who is not a member any more, lives, and reports for the last time. */
  readonly leaving: readonly NodeId[];
}

export type KddmEvent =
  | { readonly kind: 'operation'; readonly operation: ObjectOperation | SetOperation }
  | { readonly kind: 'message'; readonly from: NodeId; readonly envelope: Envelope }
  /** The membership has changed, or a link has lost messages. Nodes learn all epochs that they are members in, in their order. */
  | ({ readonly kind: 'reconfigure' } & Change)
  /** All members have told `recovered` for this epoch. */
  | { readonly kind: 'settled'; readonly epoch: number }
  /** This node may serve until then. */
  | { readonly kind: 'lease'; readonly until: number }
  /** The answer to `first-touch`. */
  | { readonly kind: 'filled'; readonly namespace: number; readonly set: SetId; readonly object: ObjectId; readonly content: unknown }
  /** The answer to `sync`. */
  | {
      readonly kind: 'synced';
      readonly namespace: number;
      readonly set: SetId;
      readonly object: ObjectId;
      readonly for: NodeId;
      readonly operation: number;
    }
  /** This node will leave: users are refused, those who hold something end. */
  | { readonly kind: 'drain' }
  /** Time passes. Some tens of milliseconds apart is enough. */
  | { readonly kind: 'tick' };

export type KddmEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly envelope: Envelope }
  | { readonly kind: 'complete'; readonly operation: number; readonly result: Result }
  /** The linker has answered LATER. */
  | { readonly kind: 'first-touch'; readonly namespace: number; readonly set: SetId; readonly object: ObjectId }
  | {
      readonly kind: 'sync';
      readonly namespace: number;
      readonly set: SetId;
      readonly object: ObjectId;
      readonly for: NodeId;
      readonly operation: number;
    }
  /** To who watches: these objects have changed; without objects, any may have. */
  | { readonly kind: 'changed'; readonly watch: number; readonly objects: readonly ObjectId[] }
  /** This node goes on in this epoch. */
  | { readonly kind: 'reconfigured'; readonly epoch: number }
  /** All that this node owns has its backups again. */
  | { readonly kind: 'recovered'; readonly epoch: number }
  /** Nothing is held here any more: the membership can go on without this node. */
  | { readonly kind: 'drained' }
  /** The others have all that was here. */
  | { readonly kind: 'left' };
