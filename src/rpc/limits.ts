/** Every bound of the RPC, in one place. A node may be built with other values (tests do); `protocolVersion` and the frame are the wire's. */

/** Version of the wire that this code speaks at best. */
export const PROTOCOL_VERSION = 3;
/** The oldest one that it still speaks: the one before, so that a cluster can be upgraded node by node. 2 did not negotiate. */
export const OLDEST_PROTOCOL_VERSION = 3;

export interface RpcLimits {
  /** Largest frame of a handshake or an enrolment. */
  readonly handshakeBytes: number;
  /** Largest encoded message of a frame. */
  readonly bodyBytes: number;
  /** Largest raw trailer of a frame. */
  readonly trailerBytes: number;

  /** Time for a handshake: for that of TLS, and once more for that of the protocol. */
  readonly handshakeMs: number;
  /** How long calls wait for a link to a peer that cannot be reached, before they end in KRG_NODE_DEAD. */
  readonly connectMs: number;
  /** Pause between two attempts to connect: the first and the longest; it doubles in between. */
  readonly reconnectFirstMs: number;
  readonly reconnectLastMs: number;

  /** A link asks for a sign of life this often … */
  readonly heartbeatMs: number;
  /** … and is dead when nothing came between this many of its own heartbeats in a row, so that a stall of this process does not count. */
  readonly heartbeatsMissed: number;

  /** Calls of one peer that run here at a time; those above are refused with KRG_LIMIT. */
  readonly incomingCalls: number;
  /** Calls to one peer that are under way or wait for a link. */
  readonly outgoingCalls: number;
  /** Calls that wait for one disabled handler. */
  readonly callsOfDisabledHandler: number;
  /** Signals that a running call keeps while its handler listens to none. */
  readonly signalsOfCall: number;
  /** How often a call may be forwarded from node to node. */
  readonly forwards: number;

  /** Streams on one link, of both sides together. */
  readonly streams: number;
  /** What one side of a stream may send before the other has taken it in. The same on both ends: part of the wire. */
  readonly streamWindowBytes: number;
  /** Byte streams are cut into frames of this size, so that other frames find a gap. */
  readonly streamChunkBytes: number;

  /** Frames of all kinds that wait to be written to one link; a link that exceeds it is closed, for its peer does not read. */
  readonly queuedBytes: number;
  /** What may lie in a socket's own buffer before bulk frames are held back, so that control frames can overtake them. */
  readonly socketBufferBytes: number;
  /** Bulk frames beyond this make the writers of streams wait. */
  readonly bulkQueuedBytes: number;

  /** Answers to calls with an idempotency key are remembered for this long, and at most so many and so large together. */
  readonly answersMs: number;
  readonly answersKept: number;
  readonly answersBytes: number;

  /** Connections that are in their handshake at a time. */
  readonly strangers: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const DEFAULT_LIMITS: RpcLimits = {
  handshakeBytes: 4 * KiB,
  bodyBytes: 4 * MiB,
  trailerBytes: 4 * MiB,

  handshakeMs: 5_000,
  connectMs: 3_000,
  reconnectFirstMs: 20,
  reconnectLastMs: 500,

  heartbeatMs: 500,
  heartbeatsMissed: 4,

  incomingCalls: 65_536,
  outgoingCalls: 65_536,
  callsOfDisabledHandler: 65_536,
  signalsOfCall: 1_024,
  forwards: 8,

  streams: 4_096,
  streamWindowBytes: 2 * MiB,
  streamChunkBytes: 256 * KiB,

  queuedBytes: 256 * MiB,
  socketBufferBytes: 512 * KiB,
  bulkQueuedBytes: 4 * MiB,

  answersMs: 60_000,
  answersKept: 10_000,
  answersBytes: 16 * MiB,

  strangers: 64,
};
