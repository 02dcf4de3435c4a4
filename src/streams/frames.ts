/**
 * What travels between the two ends of streams, over any connection that carries bytes: between nodes, and between a node and the user of a
 * program. A frame is a type (u8), a channel (u8), zero (u16), the length of its payload (u32, big-endian), and the payload.
 *
 *     data     bytes of the channel's stream; how they are divided means nothing
 *     written  u64: the receiver has every byte before this position for good, and the sender may forget them
 *     end      no more data will follow
 *     closed   the receiver takes nothing any more: it has everything up to the end, or nobody is left who could read it
 *     message  JSON: what the two ends tell each other beside the streams
 *
 * Kept free of other modules, because the command line loads it. Pure.
 */
import { KorriganError } from '../linux/errors.ts';

export type Frame =
  | { readonly type: 'data'; readonly channel: number; readonly bytes: Uint8Array }
  | { readonly type: 'written'; readonly channel: number; readonly position: number }
  | { readonly type: 'end' | 'closed'; readonly channel: number }
  | { readonly type: 'message'; readonly value: unknown };

const CODES = { data: 1, written: 2, end: 3, closed: 4, message: 5 } as const;
const HEADER_BYTES = 8;
/** The largest payload: the arguments and the environment of a program. */
export const PAYLOAD_LIMIT = 8 * 1024 * 1024;
/** Payloads below this are sent in one piece with their header. */
const JOIN_BELOW_BYTES = 16 * 1024;

/** The bytes of a frame, in pieces to be sent one after the other; a large payload is not copied. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const payload = payloadOf(frame);
  if (payload.length > PAYLOAD_LIMIT) {
    throw new KorriganError('KRG_BAD_REQUEST', `a ${frame.type} may have ${PAYLOAD_LIMIT} bytes, not ${payload.length}`);
  }
  const isJoined = payload.length < JOIN_BELOW_BYTES;
  const header = Buffer.allocUnsafe(HEADER_BYTES + (isJoined ? payload.length : 0));
  header.writeUInt8(CODES[frame.type], 0);
  header.writeUInt8('channel' in frame ? frame.channel : 0, 1);
  header.writeUInt16BE(0, 2);
  header.writeUInt32BE(payload.length, 4);
  if (!isJoined) return [header, payload];
  header.set(payload, HEADER_BYTES);
  return [header];
}

function payloadOf(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'data':
      return frame.bytes;
    case 'written': {
      const position = Buffer.alloc(8);
      position.writeBigUInt64BE(BigInt(frame.position));
      return position;
    }
    case 'end':
    case 'closed':
      return new Uint8Array(0);
    case 'message':
      return Buffer.from(JSON.stringify(frame.value));
  }
}

/** Turns the bytes of a connection into frames, however they were cut. Data is delivered as it comes, without a copy. */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of the frame of data that is being delivered. */
  #dataLeft = 0;
  #dataChannel = 0;

  /** The frames that `bytes` completes. @throws KorriganError KRG_BAD_REQUEST at the first byte that breaks the protocol; the connection is then of no use */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let rest = this.#pending.length === 0 ? asBuffer(bytes) : Buffer.concat([this.#pending, bytes]);
    for (;;) {
      if (this.#dataLeft > 0 && rest.length > 0) {
        const piece = rest.subarray(0, this.#dataLeft);
        this.#dataLeft -= piece.length;
        rest = rest.subarray(piece.length);
        frames.push({ type: 'data', channel: this.#dataChannel, bytes: piece });
      }
      if (this.#dataLeft > 0 || rest.length < HEADER_BYTES) break;
      const code = rest.readUInt8(0);
      const channel = rest.readUInt8(1);
      const length = rest.readUInt32BE(4);
      checkHeader(code, rest.readUInt16BE(2), length);
      if (code === CODES.data) {
        this.#dataLeft = length;
        this.#dataChannel = channel;
        rest = rest.subarray(HEADER_BYTES);
        continue;
      }
      if (rest.length < HEADER_BYTES + length) break;
      frames.push(decode(code, channel, rest.subarray(HEADER_BYTES, HEADER_BYTES + length)));
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#pending = rest;
    return frames;
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function checkHeader(code: number, zero: number, length: number): void {
  if (!(Object.values(CODES) as number[]).includes(code)) throw broken(`there is no frame of type ${code}`);
  if (zero !== 0) throw broken('a header has bits that mean nothing');
  if (length > PAYLOAD_LIMIT) throw broken(`a frame holds at most ${PAYLOAD_LIMIT} bytes, not ${length}`);
  if (code === CODES.written && length !== 8) throw broken(`a position has 8 bytes, not ${length}`);
  if ((code === CODES.end || code === CODES.closed) && length !== 0) throw broken(`an end has no payload, not one of ${length} bytes`);
}

function decode(code: number, channel: number, payload: Buffer): Frame {
  if (code === CODES.end) return { type: 'end', channel };
  if (code === CODES.closed) return { type: 'closed', channel };
  if (code === CODES.written) {
    const position = payload.readBigUInt64BE();
    if (position > BigInt(Number.MAX_SAFE_INTEGER)) throw broken('a position is beyond 2^53');
    return { type: 'written', channel, position: Number(position) };
  }
  try {
    return { type: 'message', value: JSON.parse(payload.toString('utf8')) as unknown };
  } catch (cause) {
    throw broken('a message is JSON, and this is none', cause);
  }
}

function broken(why: string, cause?: unknown): KorriganError {
  return new KorriganError('KRG_BAD_REQUEST', `the other end of a stream broke its protocol: ${why}`, { cause });
}
