/** The requests of a program that uses shared objects. */
import { z } from 'zod';

const natural = z.int().nonnegative();
const id = natural;
const content = z.base64();

export const objectRequest = z.discriminatedUnion('do', [
  /** The set of this name, made when `create` and there is none. */
  z.strictObject({
    id,
    do: z.literal('open'),
    name: z.string().min(1).max(200),
    create: z.boolean(),
    /** So many nodes that die together take no object with them. */
    replicas: z.int().min(0).max(4),
    /** The user whose set it is: root only. @default the caller */
    owner: natural.optional(),
  }),
  z.strictObject({ id, do: z.literal('destroy'), set: natural }),
  /** `create`: an object that does not exist is made, empty. */
  z.strictObject({ id, do: z.enum(['get', 'grab', 'try-grab']), set: natural, object: natural, create: z.boolean() }),
  /** Ends a hold; a grab with the new content, when there is one. */
  z.strictObject({ id, do: z.literal('put'), hold: natural, content: content.optional() }),
  /** Of an object that is not held; of one that is grabbed, which ends the hold. */
  z.strictObject({ id, do: z.literal('remove'), set: natural, object: natural }),
  z.strictObject({ id, do: z.literal('remove-held'), hold: natural }),
  /** Tells of changes of an object, or of any of the set, until `unwatch` with the id of this request. */
  z.strictObject({ id, do: z.literal('watch'), set: natural, object: natural.optional() }),
  z.strictObject({ id, do: z.literal('unwatch'), watch: natural }),
  /** Gives up the request `of`. */
  z.strictObject({ id, do: z.literal('cancel'), of: natural }),
]);

export type ObjectRequest = z.infer<typeof objectRequest>;
