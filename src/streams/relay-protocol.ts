/**
 * What a relay is, as data. A relayed stream has a *home*: the node where the ends are that stay. Where the process is, a fresh pipe
 * (pty, socketpair) takes the place of the home's, and the two nodes carry the bytes: each has a conduit, whose slot of the store says
 * where it stands. So a relay can be cut at any moment, by a lost link, the death of a daemon, or because the process moves on, and
 * goes on at the right byte from wherever it is attached next.
 */
import { z } from 'zod';
import { defineStream, rawBytes } from '../rpc/index.ts';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const position = z.number().int().nonnegative();

/** In which direction bytes go: a process that has moved writes `to-home`, reads `from-home`. */
export const relayDirectionSchema = z.enum(['to-home', 'from-home', 'both']);
export type RelayDirection = z.infer<typeof relayDirectionSchema>;

/** A relay as it travels with its process. */
export const relayStateSchema = z.object({
  id: z.string(),
  home: z.number(),
  direction: relayDirectionSchema,
  /** Number of moves that it has seen: the home listens to the latest. */
  epoch: z.number(),
  /** Bytes towards the home that it has not confirmed, and the position of the first. */
  sent: z.object({ start: position, bytes }),
  /** Position up to which the process's side has bytes from the home. */
  received: position,
});
export type RelayState = z.infer<typeof relayStateSchema>;

/** A relay that has arrived with its process, for the daemon. */
export interface ArrivedRelay {
  readonly state: RelayState;
  /** Descriptor of pid 1: the other end of what the process has. */
  readonly descriptor: number;
}

/** A relay of this node whose process is here. */
export interface KnownRelay {
  readonly id: string;
  readonly home: number;
  readonly direction: RelayDirection;
  /** Of the pipe or socket that the process has. */
  readonly inode: number;
  /** N of /dev/pts/N, when it is one. */
  readonly terminal: number | undefined;
  /** Of pid 1. */
  readonly descriptor: number;
}

/**
 * Opened by the node of the process towards the home, with the position up to which it has written. The home answers with the message
 * `resume`; then both send frames of channel 0. Refused with KRG_NO_SUCH_STREAM when the home has ended the stream.
 */
export const relayStream = defineStream('streams.relay', {
  request: z.object({ id: z.string(), epoch: z.number(), written: position }),
  toHandler: rawBytes,
  toOpener: rawBytes,
});

/** Messages of the home. */
export const homeMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('resume'), written: position }),
  /** struct winsize of the home's terminal. */
  z.object({ kind: z.literal('size'), size: z.array(z.int().min(0).max(255)).length(8) }),
]);
export type HomeMessage = z.infer<typeof homeMessage>;

const undecided = { id: z.string(), direction: relayDirectionSchema, epoch: z.number(), migration: z.string().optional() };

/** What a relay's slot says of it. `change`: what a migration that is not decided has done to it. */
export const homeNote = z.object({
  kind: z.literal('relay-home'),
  ...undecided,
  /** The node where the process was last. */
  place: z.number().optional(),
  change: z.enum(['begun', 'returning']).optional(),
});
export const awayNote = z.object({
  kind: z.literal('relay-away'),
  ...undecided,
  home: z.number(),
  change: z.enum(['stopped', 'arriving']).optional(),
});
export type HomeNote = z.infer<typeof homeNote>;
export type AwayNote = z.infer<typeof awayNote>;
