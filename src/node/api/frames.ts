/**
 * The framing of an attached program's connection (POST /v1/run with `Upgrade: korrigan-run`), after the 101 answer.
 *
 * A frame is a type (1 byte), the length of its payload (4 bytes, big-endian) and the payload. The user's side begins with `request`; the daemon answers
 * `started` or `error`, and closes after `exit` or `error`. Standard input is credited: the user's side may have sent at most
 * STDIN_WINDOW bytes that were not yet granted back, so input that nobody reads never stands before a signal or a new window size.
 * Output is held back by the connection itself.
 */
import { KorriganError } from '../../linux/errors.ts';
import type { ErrorJSON } from '../../linux/errors.ts';
import type { ExitStatus, StartedProcess } from './types.ts';

/** The value of the Upgrade header. */
export const RUN_PROTOCOL = 'korrigan-run';
/** Bytes of standard input that may be on their way. */
export const STDIN_WINDOW = 256 * 1024;
/** The largest piece of standard input or output in one frame. */
export const DATA_LIMIT = 64 * 1024;
/** The largest request: arguments and environment, in JSON. */
export const RUN_REQUEST_LIMIT = 8 * 1024 * 1024;

export type Frame =
  | { readonly type: 'request'; readonly body: unknown }
  | { readonly type: 'stdin'; readonly data: Uint8Array }
  | { readonly type: 'stdin-end' }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly type: 'signal'; readonly signal: number }
  | { readonly type: 'started'; readonly process: StartedProcess }
  | { readonly type: 'stdin-credit'; readonly bytes: number }
  | { readonly type: 'stdout'; readonly data: Uint8Array }
  | { readonly type: 'stderr'; readonly data: Uint8Array }
  | { readonly type: 'exit'; readonly status: ExitStatus }
  | { readonly type: 'error'; readonly error: ErrorJSON };

type FrameType = Frame['type'];

interface FrameKind {
  readonly code: number;
  readonly limit: number;
}

const FRAME_KINDS: Readonly<Record<FrameType, FrameKind>> = {
  request: { code: 0x01, limit: RUN_REQUEST_LIMIT },
  stdin: { code: 0x02, limit: DATA_LIMIT },
  'stdin-end': { code: 0x03, limit: 0 },
  resize: { code: 0x04, limit: 4 },
  signal: { code: 0x05, limit: 1 },
  started: { code: 0x11, limit: 4096 },
  'stdin-credit': { code: 0x12, limit: 4 },
  stdout: { code: 0x13, limit: DATA_LIMIT },
  stderr: { code: 0x14, limit: DATA_LIMIT },
  exit: { code: 0x15, limit: 256 },
  error: { code: 0x16, limit: 1024 * 1024 },
};

const TYPE_BY_CODE: ReadonlyMap<number, FrameType> = new Map(
  Object.entries(FRAME_KINDS).map(([type, kind]) => [kind.code, type as FrameType]),
);

const HEADER_BYTES = 5;

/** The bytes of a frame. @throws RangeError when the payload is larger than its type allows */
export function encodeFrame(frame: Frame): Buffer {
  const payload = encodePayload(frame);
  const kind = FRAME_KINDS[frame.type];
  if (payload.length > kind.limit) throw new RangeError(`a ${frame.type} frame holds at most ${kind.limit} bytes, not ${payload.length}`);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt8(kind.code, 0);
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** `data` in pieces that fit into a frame. */
export function* inPieces(data: Uint8Array, limit: number = DATA_LIMIT): Generator<Uint8Array> {
  for (let start = 0; start < data.length; start += limit) yield data.subarray(start, start + limit);
}

/** Turns the bytes of a connection into frames, however they were cut. */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that `bytes` completes. @throws KorriganError KRG_BAD_REQUEST at the first byte that breaks the protocol; the connection is then of no use */
  push(bytes: Uint8Array): Frame[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#pending, bytes]);
    const frames: Frame[] = [];
    let offset = 0;
    for (;;) {
      if (this.#pending.length - offset < HEADER_BYTES) break;
      const code = this.#pending.readUInt8(offset);
      const length = this.#pending.readUInt32BE(offset + 1);
      const type = TYPE_BY_CODE.get(code);
      if (type === undefined) throw broken(`there is no frame of type ${code}`);
      if (length > FRAME_KINDS[type].limit) throw broken(`a ${type} frame holds at most ${FRAME_KINDS[type].limit} bytes, not ${length}`);
      if (this.#pending.length - offset < HEADER_BYTES + length) break;
      frames.push(decodePayload(type, this.#pending.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length)));
      offset += HEADER_BYTES + length;
    }
    this.#pending = this.#pending.subarray(offset);
    return frames;
  }
}

function encodePayload(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return frame.data;
    case 'stdin-end':
      return new Uint8Array(0);
    case 'resize': {
      const payload = Buffer.alloc(4);
      payload.writeUInt16BE(frame.columns, 0);
      payload.writeUInt16BE(frame.rows, 2);
      return payload;
    }
    case 'signal':
      return Uint8Array.of(frame.signal);
    case 'stdin-credit': {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(frame.bytes, 0);
      return payload;
    }
    case 'request':
      return Buffer.from(JSON.stringify(frame.body));
    case 'started':
      return Buffer.from(JSON.stringify(frame.process));
    case 'exit':
      return Buffer.from(JSON.stringify(frame.status));
    case 'error':
      return Buffer.from(JSON.stringify(frame.error));
  }
}

function decodePayload(type: FrameType, payload: Buffer): Frame {
  switch (type) {
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return { type, data: payload };
    case 'stdin-end':
      return { type };
    case 'resize':
      return { type, columns: fixed(type, payload, 4).readUInt16BE(0), rows: payload.readUInt16BE(2) };
    case 'signal':
      return { type, signal: fixed(type, payload, 1).readUInt8(0) };
    case 'stdin-credit':
      return { type, bytes: fixed(type, payload, 4).readUInt32BE(0) };
    case 'request':
      return { type, body: json(type, payload) };
    case 'started':
      return { type, process: json(type, payload) as StartedProcess };
    case 'exit':
      return { type, status: json(type, payload) as ExitStatus };
    case 'error':
      return { type, error: json(type, payload) as ErrorJSON };
  }
}

function fixed(type: FrameType, payload: Buffer, length: number): Buffer {
  if (payload.length !== length) throw broken(`a ${type} frame holds ${length} bytes, not ${payload.length}`);
  return payload;
}

function json(type: FrameType, payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8')) as unknown;
  } catch (cause) {
    throw broken(`a ${type} frame holds JSON, and this is none`, cause);
  }
}

function broken(why: string, cause?: unknown): KorriganError {
  return new KorriganError('KRG_BAD_REQUEST', `the connection of an attached program broke its protocol: ${why}`, { cause });
}
