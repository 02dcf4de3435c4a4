/** What nodes tell each other about processes that have husks. Everything goes by the home of the process, which knows who has one. */
import { z } from 'zod';
import { defineCall } from '../rpc/index.ts';
import { familySchema } from './family-description.ts';

const pid = z.number().int().positive();
const node = z.number().int().positive();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');
const nothing = z.object({});

export const noticeSchema = z.discriminatedUnion('kind', [
  /** A signal for the process, sent to its husk: raw siginfo_t. */
  z.object({ kind: z.literal('signal'), pid, information: bytes, broadcast: z.string().optional() }),
  /**
   * A signal for all members of a process group but those that it has reached, on the node where the process runs or on its home. `broadcast` names
   * it: nobody gets it twice.
   */
  z.object({
    kind: z.literal('group-signal'),
    pid,
    to: z.enum(['process', 'home']),
    group: pid,
    reached: z.array(pid),
    information: bytes,
    broadcast: z.string(),
  }),
  /** The process has ended with this wait status: its husks do the same. */
  z.object({ kind: z.literal('ended'), pid, status: z.number().int() }),
  /** The process was stopped by a signal; 0: it goes on. */
  z.object({ kind: z.literal('stopped'), pid, signal: z.number().int() }),
  /** Its parent has collected the process that has ended: the parent's husks do the same. */
  z.object({ kind: z.literal('collected'), pid }),
  /** The node has no husk of the process any more. */
  z.object({ kind: z.literal('dropped'), pid }),
]);

export type Notice = z.infer<typeof noticeSchema>;

/** Notices in their order. Answered when they have been seen to, or wait for something that takes long. */
export const tellCall = defineCall('proc.tell', z.object({ notices: z.array(noticeSchema) }), nothing);

const sentSignal = z.object({ information: bytes, broadcast: z.string().optional() });
export type SentSignal = z.infer<typeof sentSignal>;

/**
 * From the home to where the process runs: signals for it, in their order. Answered with how many of them it has got; the others have to be brought
 * again, to wherever it is then. There is one such call at a time for a process.
 */
export const deliverCall = defineCall(
  'proc.deliver',
  z.object({ pid, signals: z.array(sentSignal) }),
  z.object({ delivered: z.number().int().nonnegative() }),
);

/** To the home, and from it to all others: the process is about to lead a session (`group` 0) or to enter a group, and its husks do so first. */
export const relateCall = defineCall('proc.relate', z.object({ pid, group: z.number().int().nonnegative() }), nothing);

/**
 * To the home: the process runs on `node` from now on. A husk stays behind on the node that says so. It is repeated until the home answers, so it may
 * come when the process is at home again, and says nothing then.
 */
export const movedCall = defineCall('proc.moved', z.object({ pid, node }), nothing);

/** To the home: the node has husks of these processes. Answered with those that have ended, and with those that were collected, too. */
export const holdCall = defineCall(
  'proc.hold',
  z.object({ pids: z.array(pid) }),
  z.object({ ended: z.array(pid), collected: z.array(pid) }),
);

export const locateCall = defineCall('proc.locate', z.object({ pid }), z.object({ node: z.number() }));

/** To all, when the node or the home of these processes has gone: which of them run on the called node, and of which that is not decided yet. */
export const claimCall = defineCall(
  'proc.claim',
  z.object({ pids: z.array(pid) }),
  z.object({ running: z.array(pid), undecided: z.array(pid) }),
);

/** From a node with a new container: which processes of its range run on the called node, each with its relatives. */
export const bornCall = defineCall('proc.born', z.object({}), z.object({ families: z.array(familySchema) }));

/**
 * From a daemon that was started again: which processes of the called node's range run on the calling one, or have husks there, and how those
 * ended that it has collected lately. Answered with the same about processes of the caller's range, and with those of which it is not decided yet
 * whether they run there.
 */
export const reconcileCall = defineCall(
  'proc.reconcile',
  z.object({ running: z.array(pid), husks: z.array(pid), ended: z.array(z.object({ pid, status: z.number().int() })) }),
  z.object({ running: z.array(pid), husks: z.array(pid), undecided: z.array(pid) }),
);
