/** What happens to sync on a node, and what it wants done. */
import { z } from 'zod';
import type { FailureCode, NodeId } from '../kddm/index.ts';
import type { LockMode } from './lock.ts';
import { outcomeSchema } from './outcomes.ts';
import type { Owner } from './owners.ts';
import type { Table } from './table.ts';

const natural = z.number().int().nonnegative();

/** What a node tells the owners of claims elsewhere. It may get lost: the truth is in the tables. */
export const noticeSchema = z.object({
  answers: z.array(z.object({ life: z.string(), claim: natural, outcome: outcomeSchema, isKept: z.boolean() })),
});

export type Notice = z.infer<typeof noticeSchema>;

/** Who asks. */
export interface Client {
  readonly client: number;
  readonly session: string;
  readonly label: string;
}

/** For how long: `undefined` for ever, 0 not at all. */
type Wait = { readonly timeoutMs: number | undefined };

export type Request =
  | ({ readonly kind: 'acquire'; readonly key: string; readonly mode: LockMode } & Wait)
  | ({ readonly kind: 'take'; readonly key: string; readonly count: number; readonly undo: boolean } & Wait)
  | ({ readonly kind: 'arrive'; readonly key: string; readonly parties: number } & Wait)
  /** On a condition variable: gives up the lock of this claim while it waits, and has it again, by another claim, afterwards. */
  | ({ readonly kind: 'wait'; readonly key: string; readonly lock: number } & Wait)
  /** `return`: it was not used, because the client did not hear that it had it. */
  | { readonly kind: 'release' | 'repair' | 'give-back' | 'return'; readonly claim: number }
  | { readonly kind: 'post' | 'signal' | 'reserve'; readonly key: string; readonly count: number }
  | { readonly kind: 'create-semaphore'; readonly key: string; readonly value: number }
  | { readonly kind: 'remove'; readonly key: string };

export type Reply =
  /** `claim`: what it is given up by. */
  | { readonly kind: 'granted'; readonly claim: number; readonly token: number; readonly ownerDied: boolean }
  /** After a wait on a condition variable the lock is held again, whether there was a signal or the time was over. */
  | {
      readonly kind: 'signalled' | 'not-signalled';
      readonly claim: number;
      readonly token: number;
      readonly ownerDied: boolean;
    }
  | { readonly kind: 'passed'; readonly isSerial: boolean }
  | { readonly kind: 'mismatch'; readonly parties: number }
  | { readonly kind: 'done'; readonly value?: number }
  | {
      readonly kind:
        | 'busy'
        | 'timed-out'
        | 'cancelled'
        | 'not-recoverable'
        | 'removed'
        | 'absent'
        | 'too-many'
        | 'not-held'
        /** EDEADLK: the client, or one whose end it keeps from coming, has it already. */
        | 'deadlock'
        | 'lost'
        | 'leaving';
    };

export type SyncEvent =
  /** `id`: chosen by the shell, unique in its life. `atMs`: since 1970, for people. */
  | { readonly kind: 'request'; readonly id: number; readonly client: Client; readonly request: Request; readonly atMs: number }
  /** The client does not want to wait for this request any more. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** It ended, with whatever it held. */
  | { readonly kind: 'client-gone'; readonly client: number }
  | { readonly kind: 'grabbed'; readonly table: number; readonly content: Table | FailureCode }
  /** With a failure nothing of what was put counts. */
  | { readonly kind: 'put'; readonly table: number; readonly failure?: FailureCode }
  | { readonly kind: 'seen'; readonly table: number; readonly content: Table | FailureCode | undefined }
  | { readonly kind: 'notice'; readonly notice: Notice }
  /** `members` with their lives. */
  | { readonly kind: 'view'; readonly epoch: number; readonly members: ReadonlyMap<NodeId, string> }
  /** This node will leave: nobody gets anything more here, and who has something loses it. */
  | { readonly kind: 'drain' }
  /** It does not leave after all. */
  | { readonly kind: 'keep' }
  | { readonly kind: 'tick' };

export type SyncEffect =
  /** Of kddm; to be answered by `grabbed`, `put` and `seen`. */
  | { readonly kind: 'grab'; readonly table: number }
  | { readonly kind: 'put'; readonly table: number; readonly content: Table }
  | { readonly kind: 'see'; readonly table: number }
  | { readonly kind: 'send'; readonly to: NodeId; readonly notice: Notice }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: Reply }
  /** The request waits, for these owners. */
  | { readonly kind: 'queued'; readonly id: number; readonly holders: readonly Owner[] }
  /** What a client held is not its any more. */
  | { readonly kind: 'hold-lost'; readonly client: number; readonly claim: number }
  | { readonly kind: 'drained' };
