/** Bodies of frames: MessagePack, plain maps without shared structures, so that any version can read any message. */
import { Packr } from 'msgpackr/pack';
import { z } from 'zod';
import { malformed } from './frame.ts';

const packr = new Packr({ useRecords: false });

/** Encodes a value that is made of plain objects, arrays, strings, numbers, bigints (64 bits), booleans, null, Uint8Arrays, Maps, Sets and Dates. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** The value again. Throws KRG_PEER_PROTOCOL when `bytes` are not exactly one value. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch (cause) {
    throw malformed('a message cannot be decoded', { cause });
  }
}

/** Decodes a message of the protocol itself, or throws KRG_PEER_PROTOCOL. */
export function unpackAs<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  const parsed = schema.safeParse(unpack(bytes));
  if (!parsed.success) throw malformed(`a message has the wrong form: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** What the bodies of the protocol's own frames hold. Tuples may grow at their end. */
const name = z.string().min(1).max(100);
const milliseconds = z.number().nonnegative();
const idempotencyKey = z.string().min(1).max(200);

/** call: name, request, deadline (0 for none), idempotency key ('' for none). */
export const callMessage = z.tuple([name, z.unknown(), milliseconds, z.union([idempotencyKey, z.literal('')])]);
/** notice: name, message. */
export const noticeMessage = z.custom<readonly [string, unknown]>(
  // A tuple's schema would take longer than all else that is done with a small notice.
  (value) => Array.isArray(value) && value.length >= 2 && name.safeParse(value[0]).success,
);
/** streamOpen: name, request. */
export const streamOpenMessage = z.tuple([name, z.unknown()]);
/** forward: the node that is to answer instead, and the request for it. */
export const forwardMessage = z.tuple([z.int().positive(), z.unknown()]);
/** signal: any small number. */
export const signalMessage = z.int();
/** streamCredit: bytes that have been taken in. */
export const creditMessage = z.int().positive();
/** failure, streamAbort, goodbye. Causes deeper than a few levels are not sent. */
export const errorMessage = z.object({
  code: z.string().max(100),
  message: z.string(),
  get cause() {
    return errorMessage.optional();
  },
});
