/**
 * What a relay is, as data. A relayed stream has a *home*: the node where the ends are that stay. Where the process is, a fresh pipe
 * (pty, socketpair) takes the place of the home's, and the two daemons carry the bytes. Every direction is a stream of bytes with
 * positions: the receiver confirms what the kernel has taken, the sender retains the rest. So a relay can be cut at any moment, by a
 * lost link or because the process moves on, and goes on at the right byte from wherever it is attached next.
 */
import { z } from 'zod';
import { defineStream } from '../rpc/index.ts';

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
  readonly descriptor: number;
}

const message = z.discriminatedUnion('kind', [
  /** The home's first: the position up to which it has bytes. */
  z.object({ kind: z.literal('resume'), received: position }),
  z.object({ kind: z.literal('data'), bytes }),
  /** The kernel has taken everything up to here. */
  z.object({ kind: z.literal('written'), position }),
  /** struct winsize of the home's terminal. */
  z.object({ kind: z.literal('size'), size: bytes }),
  /** No more data will follow. */
  z.object({ kind: z.literal('end') }),
  /** The receiver takes nothing any more: it has everything up to the end, or nobody is left who could read it. */
  z.object({ kind: z.literal('closed') }),
]);
export type RelayMessage = z.infer<typeof message>;

/** Opened by the node of the process towards the home. Refused with KRG_NO_SUCH_STREAM when the home has ended it. */
export const relayStream = defineStream('streams.relay', {
  request: z.object({ id: z.string(), epoch: z.number(), received: position }),
  toHandler: message,
  toOpener: message,
});
