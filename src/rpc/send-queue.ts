/**
 * What one link has to write. Frames of one tick leave together in few writes; control frames overtake bulk frames, which are
 * held back while the socket's own buffer is full enough.
 */
import type { Socket } from 'node:net';
import type { Priority } from './definition.ts';
import { type Frame, frameBytes, HEADER_BYTES, writeHeader } from './frame.ts';
import type { RpcLimits } from './limits.ts';

/** Trailers from this size on are handed to the kernel as they are; smaller ones are copied into the batch. */
const COPY_BELOW_BYTES = 16 * 1024;

export class SendQueue {
  readonly #socket: Socket;
  readonly #limits: RpcLimits;
  readonly #control: Frame[] = [];
  #controlBytes = 0;
  #bulk: Frame[] = [];
  /** Frames of `#bulk` before this index have been written. */
  #bulkStart = 0;
  #bulkBytes = 0;
  #flushIsPlanned = false;
  #closed = false;
  readonly #waitForRoom: (() => void)[] = [];

  constructor(socket: Socket, limits: RpcLimits) {
    this.#socket = socket;
    this.#limits = limits;
    socket.on('drain', () => this.#flush());
  }

  /** Bytes that are not yet in the kernel. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.#controlBytes + this.#bulkBytes;
  }

  /** Bytes of a trailer belong to the queue from here on: they must not be changed. */
  push(frame: Frame, priority: Priority): void {
    if (this.#closed) return;
    if (priority === 'control') {
      this.#control.push(frame);
      this.#controlBytes += frameBytes(frame);
    } else {
      this.#bulk.push(frame);
      this.#bulkBytes += frameBytes(frame);
    }
    if (this.#flushIsPlanned) return;
    this.#flushIsPlanned = true;
    process.nextTick(() => this.#flush());
  }

  /** Resolves when bulk frames may be added without piling up, or when the queue is closed. */
  hasRoom(): Promise<void> | undefined {
    if (this.#closed || this.#bulkBytes < this.#limits.bulkQueuedBytes) return undefined;
    return new Promise((resolve) => this.#waitForRoom.push(resolve));
  }

  /** Writes what there is, whatever the socket's buffer holds, and ends the socket. */
  end(): void {
    if (this.#closed) return;
    this.#writeAll([...this.#control, ...this.#bulk.slice(this.#bulkStart)]);
    this.close();
    this.#socket.end();
  }

  /** Forgets what was not written. */
  close(): void {
    this.#closed = true;
    this.#control.length = 0;
    this.#controlBytes = 0;
    this.#bulk = [];
    this.#bulkStart = 0;
    this.#bulkBytes = 0;
    this.#wakeWriters();
  }

  #flush(): void {
    this.#flushIsPlanned = false;
    if (this.#closed) return;
    const batch = this.#control.splice(0);
    let room = this.#limits.socketBufferBytes - this.#socket.writableLength - this.#controlBytes;
    this.#controlBytes = 0;
    while (this.#bulkStart < this.#bulk.length && room > 0) {
      const frame = this.#bulk[this.#bulkStart++] as Frame;
      batch.push(frame);
      this.#bulkBytes -= frameBytes(frame);
      room -= frameBytes(frame);
    }
    if (this.#bulkStart > 1024 || this.#bulkStart === this.#bulk.length) {
      this.#bulk = this.#bulk.slice(this.#bulkStart);
      this.#bulkStart = 0;
    }
    if (batch.length > 0) this.#writeAll(batch);
    if (this.#bulkBytes < this.#limits.bulkQueuedBytes) this.#wakeWriters();
  }

  #writeAll(frames: readonly Frame[]): void {
    this.#socket.cork();
    let start = 0;
    for (let index = 0; index < frames.length; index++) {
      const trailer = frames[index]?.trailer;
      if (trailer === undefined || trailer.byteLength < COPY_BELOW_BYTES) continue;
      this.#socket.write(joinFrames(frames, start, index + 1, true));
      this.#socket.write(trailer);
      start = index + 1;
    }
    if (start < frames.length) this.#socket.write(joinFrames(frames, start, frames.length, false));
    this.#socket.uncork();
  }

  #wakeWriters(): void {
    for (const wake of this.#waitForRoom.splice(0)) wake();
  }
}

/** Frames `start` to `end` in one buffer, the last one without its trailer if so asked. */
function joinFrames(frames: readonly Frame[], start: number, end: number, withoutLastTrailer: boolean): Buffer {
  let size = (end - start) * HEADER_BYTES;
  for (let index = start; index < end; index++) {
    const frame = frames[index] as Frame;
    size += frame.body.byteLength + (withoutLastTrailer && index === end - 1 ? 0 : frame.trailer.byteLength);
  }
  const bytes = Buffer.allocUnsafe(size);
  let offset = 0;
  for (let index = start; index < end; index++) {
    const frame = frames[index] as Frame;
    offset = writeHeader(bytes, offset, frame);
    bytes.set(frame.body, offset);
    offset += frame.body.byteLength;
    if (withoutLastTrailer && index === end - 1) continue;
    bytes.set(frame.trailer, offset);
    offset += frame.trailer.byteLength;
  }
  return bytes;
}
