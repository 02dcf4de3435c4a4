/** The requests of the HTTP API for locks, semaphores, condition variables, barriers and numbers; parsed by `parseRequest`. */
import { z } from 'zod';

// What a terminal would take for commands stands in no name.
const text = (most: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}+$/u, 'must not contain control characters');
const name = text(200);
/** Not at all (0), for so long, or (without it) for ever. */
const timeoutMs = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .optional();
/** Of a hold, as it was named when it was granted. */
const claim = z.int().min(1);
const count = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const value = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const thing = z.enum(['lock', 'semaphore', 'condition', 'barrier', 'counter']);

export const leaseRequest = z.strictObject({
  /** What other users are shown: which program this is. */
  label: text(120),
  /** The session in which it was started, which waits for its end. */
  session: z
    .string()
    .regex(/^[0-9a-z./]*$/)
    .max(400)
    .default(''),
});

const request = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('acquire'), name, mode: z.enum(['shared', 'exclusive']), timeoutMs }),
  z.strictObject({ kind: z.literal('take'), name, count, undo: z.boolean(), timeoutMs }),
  z.strictObject({ kind: z.literal('arrive'), name, parties: z.int().min(1).max(1_000_000), timeoutMs }),
  z.strictObject({ kind: z.literal('wait'), name, lock: claim, timeoutMs }),
  z.strictObject({ kind: z.enum(['release', 'repair', 'give-back']), claim }),
  z.strictObject({ kind: z.enum(['post', 'signal', 'reserve']), name, count }),
  z.strictObject({ kind: z.literal('create-semaphore'), name, value }),
  z.strictObject({ kind: z.literal('remove'), thing, name }),
]);

export const askRequest = z.strictObject({
  lease: z.string().max(64),
  request,
  /** Whose names are meant. Others than the caller's: root only. */
  uid: z
    .int()
    .min(0)
    .max(2 ** 32 - 2)
    .optional(),
});

export type LeaseRequest = z.output<typeof leaseRequest>;
export type AskRequest = z.output<typeof askRequest>;
/** As a client writes it. */
export type SyncRequest = z.input<typeof request>;
