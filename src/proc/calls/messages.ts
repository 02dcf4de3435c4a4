/** What nodes ask of each other for programs that name processes of other nodes. */
import { z } from 'zod';
import { defineCall } from '../../rpc/index.ts';
import { familySchema } from '../family-description.ts';
import { callerSchema } from './caller.ts';
import { FORWARDED_CALLS } from './catalogue.ts';

const id = z.int().positive();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');
const argument = z.int().min(0).max(5);

/** What a call gave back; of a process that is not there, nothing. */
const made = z.object({ isHere: z.boolean(), result: z.int(), outputs: z.array(z.object({ argument, bytes })) });
export type Made = z.infer<typeof made>;

/** A system call, to be made with the rights of its caller. */
export const makeCall = defineCall(
  'proc.make-call',
  z.object({
    name: z.custom<keyof typeof FORWARDED_CALLS>((value) => typeof value === 'string' && Object.hasOwn(FORWARDED_CALLS, value), 'a call'),
    /** Those that are addresses stand here as 0 or 1. */
    args: z.array(z.int()).length(6),
    inputs: z.array(z.object({ argument, bytes })),
    outputs: z.array(z.object({ argument, size: z.int().nonnegative().max(65_536) })),
    caller: callerSchema,
  }),
  made,
);
export type CallRequest = z.infer<typeof makeCall.request>;

/** A signal for a process, or for one thread of it. Answered as kill(2) returns. */
export const signalCall = defineCall(
  'proc.signal',
  z.object({ id, thread: id.optional(), signal: z.int(), information: bytes, caller: callerSchema }),
  z.object({ isHere: z.boolean(), result: z.int() }),
);
export type SignalRequest = z.infer<typeof signalCall.request>;

/** A signal for the members of a group that run on the called node, or for everybody there. `broadcast` names it: nobody gets it twice. */
export const signalManyCall = defineCall(
  'proc.signal-many',
  z.object({ group: id.optional(), signal: z.int(), information: bytes, broadcast: z.string(), caller: callerSchema }),
  z.object({ found: z.int(), permitted: z.int() }),
);
export type SignalManyRequest = z.infer<typeof signalManyCall.request>;

/** Does a process or thread with this id run on the called node? `isUndecided`: it is just being moved there. */
export const hasCall = defineCall('proc.has', z.object({ id }), z.object({ isHere: z.boolean(), isUndecided: z.boolean() }));

/** The process and its relatives, so that the caller can make husks of them; nobody when it does not run on the called node. */
export const familyCall = defineCall('proc.family', z.object({ id }), z.object({ isHere: z.boolean(), family: familySchema.optional() }));
