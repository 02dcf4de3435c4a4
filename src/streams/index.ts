/**
 * streams: pipes, FIFOs, unix sockets, listening TCP sockets and terminals of processes that move. Kinds of files for the engines of fs, with both halves.
 * What has an end that stays is relayed: `relay-protocol` says how, `home-relay` and `away-relay` are its two ends, `relay-service` keeps a node's relays.
 *
 * Bytes that a node carries are in the `store`, memory of pid 1, and a `conduit` moves them; a daemon that is killed loses none. At each moment of its death:
 * before pid 1 has its program, nothing has moved; once pid 1 has it, bytes and count move together; after that the position in the slot is right. What was
 * read is in the ring until the other end has confirmed it; what was staged and not written is sent again from `written` on, for its sender
 * keeps it. Ends are seen again by who looks again: a pipe without writers reads 0, a sink that is closed is 0 in its slot, `closed` is said at each attachment.
 */
import type { Kind } from '../fs/index.ts';
import { listeningSocketKind } from './kinds/listening-socket.ts';
import { otherSocketKind } from './kinds/other-socket.ts';
import { pipeKind } from './kinds/pipe.ts';
import { terminalKind } from './kinds/terminal.ts';
import { unixSocketKind } from './kinds/unix-socket.ts';

export type { Conduit } from './conduit.ts';
export { type ByteLink, FrameLink } from './frame-link.ts';
export { encodeFrame, FrameDecoder } from './frames.ts';
export { relayedKinds, findArrivedRelays, findControlledSessions, type RelayHome, type RelaySource } from './kinds/relayed.ts';
export {
  closePairs,
  dropPairs,
  keepPair,
  KEPT_TERMINAL,
  type KeptTerminal,
  keptTerminalSchema,
  takeNewTerminal,
  takePair,
} from './kinds/session-terminal.ts';
export { type ControllingTerminal, findControllingTerminals } from './kinds/terminal.ts';
export type { ArrivedRelay, KnownRelay, RelayDirection, RelayState } from './relay-protocol.ts';
export { RelayService, type NewRelay, type RelayServiceOptions } from './relay-service.ts';

export { RetainedBytes } from './retained-bytes.ts';
export type { StreamSlot } from './slot.ts';
export { Streams } from './streams.ts';

/** Kinds of streams, for the engines of fs. */
export const streamKinds: readonly Kind[] = [pipeKind, terminalKind, unixSocketKind, listeningSocketKind, otherSocketKind];
