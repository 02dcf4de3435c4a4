/**
 * The frame: what travels on a link. All numbers are big-endian.
 *
 *     0  u16  mark, 0x4b47 ("KG")
 *     2  u8   type
 *     3  u8   zero, for later
 *     4  u32  id of the call or stream; 0 for frames that belong to none
 *     8  u32  size of the body in bytes
 *    12  u32  size of the trailer in bytes
 *    16  body: an encoded message, then trailer: raw bytes that are never encoded
 *
 * Pure: bytes in, frames out. What a body means is the business of the layers above.
 */
import { KorriganError } from '../linux/errors.ts';

export const HEADER_BYTES = 16;
const MARK = 0x4b47;

/** Types of frames. Numbers are never given a second meaning. */
export const FRAME = {
  // Handshake and enrolment: JSON bodies. 2 was the proof of a shared secret.
  hello: 1,
  refuse: 3,
  agree: 7,
  enrol: 8,
  enrolled: 9,
  // Link
  ping: 4,
  pong: 5,
  goodbye: 6,
  // Calls
  call: 16,
  result: 17,
  failure: 18,
  forward: 19,
  cancel: 20,
  signal: 21,
  notice: 22,
  // Streams
  streamOpen: 32,
  streamAccept: 33,
  streamData: 34,
  streamCredit: 35,
  streamEnd: 36,
  streamAbort: 37,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

const TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));

export const NO_BYTES: Uint8Array = new Uint8Array(0);

export interface Frame {
  readonly type: FrameType;
  /** 0 to 2^32 - 1. */
  readonly id: number;
  readonly body: Uint8Array;
  readonly trailer: Uint8Array;
}

/** Size of the frame on the wire. */
export function frameBytes(frame: Frame): number {
  return HEADER_BYTES + frame.body.byteLength + frame.trailer.byteLength;
}

/** Writes the header of `frame` at `offset` and returns the offset behind it. */
export function writeHeader(target: Buffer, offset: number, frame: Frame): number {
  target.writeUInt16BE(MARK, offset);
  target[offset + 2] = frame.type;
  target[offset + 3] = 0;
  target.writeUInt32BE(frame.id, offset + 4);
  target.writeUInt32BE(frame.body.byteLength, offset + 8);
  target.writeUInt32BE(frame.trailer.byteLength, offset + 12);
  return offset + HEADER_BYTES;
}

/** The whole frame in one buffer. The send queue writes frames in batches instead. */
export function encodeFrame(frame: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(frameBytes(frame));
  const bodyAt = writeHeader(bytes, 0, frame);
  bytes.set(frame.body, bodyAt);
  bytes.set(frame.trailer, bodyAt + frame.body.byteLength);
  return bytes;
}

/** Largest body and trailer that a decoder accepts, in bytes. */
export interface FrameSizes {
  readonly body: number;
  readonly trailer: number;
}

/**
 * Cuts a stream of bytes into frames, whatever the sizes of its pieces. Holds at most one unfinished frame.
 * Frames of a stream's raw bytes (`streamData` without a body) are delivered in as many parts as they arrive in: their
 * division means nothing, and nothing is copied.
 * A header that is wrong or names too large a frame throws KRG_PEER_PROTOCOL as soon as it has arrived; nothing can be decoded after that.
 */
export class FrameDecoder {
  readonly #deliver: (frame: Frame) => void;
  #sizes: FrameSizes;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** No frame can be finished before this many bytes are there. */
  #neededBytes = HEADER_BYTES;
  /** Raw bytes of a stream that are still to come, and the id of the stream. */
  #rawBytesLeft = 0;
  #rawId = 0;

  /** `deliver` gets each frame, in order, during `push`. Its body and trailer are views of what was pushed. */
  constructor(sizes: FrameSizes, deliver: (frame: Frame) => void) {
    this.#sizes = sizes;
    this.#deliver = deliver;
  }

  /** Takes effect from the next header. */
  setSizes(sizes: FrameSizes): void {
    this.#sizes = sizes;
  }

  push(piece: Buffer): void {
    if (this.#pendingBytes === 0) {
      this.#decode(piece);
      return;
    }
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    if (this.#pendingBytes < this.#neededBytes) return;
    const joined = Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#decode(joined);
  }

  #decode(bytes: Buffer): void {
    let offset = this.#rawBytesLeft > 0 ? this.#deliverRaw(bytes, 0) : 0;
    this.#neededBytes = HEADER_BYTES;
    while (bytes.length - offset >= HEADER_BYTES) {
      const type = this.#checkHeader(bytes, offset);
      const bodyAt = offset + HEADER_BYTES;
      const trailerAt = bodyAt + bytes.readUInt32BE(offset + 8);
      const end = trailerAt + bytes.readUInt32BE(offset + 12);
      const id = bytes.readUInt32BE(offset + 4);
      if (type === FRAME.streamData && trailerAt === bodyAt && end > trailerAt) {
        this.#rawBytesLeft = end - trailerAt;
        this.#rawId = id;
        offset = this.#deliverRaw(bytes, trailerAt);
        continue;
      }
      if (end > bytes.length) {
        this.#neededBytes = end - offset;
        break;
      }
      const trailer = end === trailerAt ? NO_BYTES : bytes.subarray(trailerAt, end);
      offset = end;
      this.#deliver({ type, id, body: bytes.subarray(bodyAt, trailerAt), trailer });
    }
    if (offset === bytes.length) return;
    this.#pending = [bytes.subarray(offset)];
    this.#pendingBytes = bytes.length - offset;
  }

  /** Delivers what there is of the raw bytes, and returns the offset behind it. */
  #deliverRaw(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#rawBytesLeft);
    this.#rawBytesLeft -= end - start;
    if (end > start) this.#deliver({ type: FRAME.streamData, id: this.#rawId, body: NO_BYTES, trailer: bytes.subarray(start, end) });
    return end;
  }

  #checkHeader(bytes: Buffer, offset: number): FrameType {
    const mark = bytes.readUInt16BE(offset);
    const type = bytes.readUInt8(offset + 2);
    const zero = bytes.readUInt8(offset + 3);
    const body = bytes.readUInt32BE(offset + 8);
    const trailer = bytes.readUInt32BE(offset + 12);
    if (mark !== MARK || zero !== 0)
      throw malformed(`what it sent is no frame (it starts with ${bytes.toString('hex', offset, offset + 4)})`);
    if (!TYPES.has(type)) throw malformed(`it sent a frame of the unknown type ${type}`);
    if (body > this.#sizes.body) throw malformed(`it sent a message of ${body} bytes; the limit is ${this.#sizes.body}`);
    if (trailer > this.#sizes.trailer) throw malformed(`it sent a trailer of ${trailer} bytes; the limit is ${this.#sizes.trailer}`);
    return type as FrameType;
  }
}

/** What ends a link: the peer did something that the protocol does not allow. */
export function malformed(what: string, options?: ErrorOptions): KorriganError {
  return new KorriganError('KRG_PEER_PROTOCOL', `the peer broke the protocol between nodes: ${what}`, options);
}
