/** How a claim ends, and what a change of an object has to tell. */
import { z } from 'zod';
import { type Claimant, ownerSchema } from './owners.ts';

export const outcomeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('granted'),
    /** Grows with every grant of the same name, for fencing: a resource that has seen a later one refuses this one. 0: of what is not fenced. */
    token: z.number().int().nonnegative(),
    /** EOWNERDEAD: who had it before died with it, and what it guards may be half changed. */
    ownerDied: z.boolean(),
  }),
  /** Somebody holds it or waits for it, and the claim would not wait. */
  z.object({ kind: z.literal('busy') }),
  /** ENOTRECOVERABLE: the owner after a dead one gave it up without having made it consistent. */
  z.object({ kind: z.literal('not-recoverable') }),
  /** EIDRM. */
  z.object({ kind: z.literal('removed') }),
  /** It exists with another number of parties, or the count can never be had. */
  z.object({ kind: z.literal('mismatch'), parties: z.number().int() }),
  z.object({ kind: z.literal('absent') }),
  /** There is no room in its table. */
  z.object({ kind: z.literal('too-many') }),
  /** The barrier has opened; one of those who came is told that it is the serial one. */
  z.object({ kind: z.literal('passed'), isSerial: z.boolean() }),
  z.object({ kind: z.literal('signalled') }),
  /** Was taken out of the queue. */
  z.object({ kind: z.literal('withdrawn') }),
  /** Nothing is known of it: its table, or this node's part in the cluster, is lost. */
  z.object({ kind: z.literal('lost') }),
]);

export type Outcome = z.infer<typeof outcomeSchema>;

export const answerSchema = z.object({ owner: ownerSchema, claim: z.number().int().nonnegative(), outcome: outcomeSchema });

export interface Answer extends Claimant {
  readonly outcome: Outcome;
}

/** What became of one object; `undefined`: it is as if it had never been used. */
export interface Change<State> {
  readonly state: State | undefined;
  readonly answers: readonly Answer[];
}

export function answer({ owner, claim }: Claimant, outcome: Outcome): Answer {
  return { owner, claim, outcome };
}
