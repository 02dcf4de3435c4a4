/**
 * streams: pipes, FIFOs, unix sockets, listening TCP sockets and terminals of processes that move. Kinds of files for the engines of fs, with both halves.
 * What has an end that stays is relayed: `relay-protocol` says how, `relay-end` moves the bytes, `relay-service` keeps a node's relays.
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
export { relayedKinds, findArrivedRelays, type RelayHome, type RelaySource } from './kinds/relayed.ts';
export type { ArrivedRelay, KnownRelay, RelayDirection, RelayState } from './relay-protocol.ts';
export { RelayService, type NewRelay, type RelayServiceOptions } from './relay-service.ts';

export { RetainedBytes } from './retained-bytes.ts';
export type { StreamSlot } from './slot.ts';
export { Streams } from './streams.ts';

/** Kinds of streams, for the engines of fs. */
export const streamKinds: readonly Kind[] = [pipeKind, terminalKind, unixSocketKind, listeningSocketKind, otherSocketKind];
