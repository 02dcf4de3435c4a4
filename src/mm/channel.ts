/**
 * One TCP connection of a migration: messages (msgpack) and runs of pages in one ordered stream. Pages go from a process to the socket
 * and from the socket to a process through one native buffer on each side. Unlike the links between nodes it is not encrypted: the memory of
 * processes is seen by whoever sees the network between two nodes, so epm refuses to move processes to another machine.
 *
 * Frame: u32 kind, u32 length, u64 process, u64 address, then `length` bytes; for contents of a file u64 object, u64 offset.
 */
import { Packr } from 'msgpackr/pack';
import { type BlockingSocket, KorriganError, NativeMemory } from '../linux/index.ts';

const HEADER_SIZE = 24;
const BUFFER_SIZE = 2 << 20;
/** Longest message; an image of a process with 100,000 areas stays far below. */
const MESSAGE_LIMIT = 64 << 20;
const KIND_MESSAGE = 1;
const KIND_PAGES = 2;
const KIND_CONTENTS = 3;
/** Longer than a small process is frozen; a large one has other costs. */
const ATTENTIVE_MILLISECONDS = 20;

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

/** Puts `length` bytes of process memory at a native address; at the source. */
export type PageReader = (address: number, native: number, length: number) => void;
/** Takes `length` bytes at a native address for process memory; at the target. */
export type PageWriter = (process: number, address: number, native: number, length: number) => void;

/** Where what is received goes. */
export interface Receivers {
  readonly pages: PageWriter;
  /** As for pages, by object and offset. */
  readonly contents: PageWriter;
}

/** Buffers of channels that were closed: a thread moves one application after the other, and mapping memory anew costs page faults and collections. */
const spare: NativeMemory[] = [];

export class MigrationChannel {
  private readonly socket: BlockingSocket;
  private readonly output = spare.pop() ?? NativeMemory.allocate(BUFFER_SIZE);
  private outputUsed = 0;
  private readonly input = spare.pop() ?? NativeMemory.allocate(BUFFER_SIZE);
  private inputStart = 0;
  private inputEnd = 0;
  /** Bytes of pages sent or received. */
  pageBytes = 0;
  /** While a process is frozen the channel does not sleep at once when nothing has come. */
  isAttentive = false;

  constructor(socket: BlockingSocket) {
    this.socket = socket;
  }

  /** Sends a message and everything buffered before it. */
  send(message: unknown): void {
    const body = packr.pack(message);
    this.header(KIND_MESSAGE, body.length, 0, 0);
    for (let done = 0; done < body.length; ) {
      const part = Math.min(body.length - done, BUFFER_SIZE - this.outputUsed);
      this.output.bytes.set(body.subarray(done, done + part), this.outputUsed);
      this.outputUsed += part;
      done += part;
      if (this.outputUsed === BUFFER_SIZE) this.flush();
    }
    this.flush();
  }

  /** Sends the memory [start, end) of a process; may stay in the buffer until the next flush or message. */
  sendPages(process: number, start: number, end: number, read: PageReader): void {
    this.sendRun(KIND_PAGES, process, start, end, read);
  }

  /** The same for a run of a file's contents. */
  sendContents(object: number, start: number, end: number, read: PageReader): void {
    this.sendRun(KIND_CONTENTS, object, start, end, read);
  }

  private sendRun(kind: number, owner: number, start: number, end: number, read: PageReader): void {
    for (let address = start; address < end; ) {
      if (BUFFER_SIZE - this.outputUsed < HEADER_SIZE + 4096) this.flush();
      const room = Math.floor((BUFFER_SIZE - this.outputUsed - HEADER_SIZE) / 4096) * 4096;
      const length = Math.min(end - address, room);
      // The header follows the pages' arrival: a read that fails leaves no half frame behind.
      read(address, this.output.address + this.outputUsed + HEADER_SIZE, length);
      this.header(kind, length, owner, address);
      this.outputUsed += length;
      this.pageBytes += length;
      address += length;
    }
  }

  flush(): void {
    this.socket.writeFrom(this.output.address, this.outputUsed);
    this.outputUsed = 0;
  }

  /** Receives up to the next message; what comes before it goes to the receivers. */
  receive(receivers: Receivers): unknown {
    for (;;) {
      this.need(HEADER_SIZE);
      const view = this.input.view;
      const at = this.inputStart;
      const kind = view.getUint32(at, true);
      const length = view.getUint32(at + 4, true);
      const owner = Number(view.getBigUint64(at + 8, true));
      const address = Number(view.getBigUint64(at + 16, true));
      this.inputStart += HEADER_SIZE;
      if (kind === KIND_MESSAGE) return packr.unpack(this.take(length));
      if ((kind !== KIND_PAGES && kind !== KIND_CONTENTS) || length > BUFFER_SIZE) {
        throw new KorriganError('KRG_PEER_PROTOCOL', `the migration stream holds a frame of unknown kind ${kind}`);
      }
      this.receiveRun(owner, address, length, kind === KIND_PAGES ? receivers.pages : receivers.contents);
    }
  }

  setDeadline(deadlineMs: number): void {
    this.socket.setDeadline(deadlineMs);
  }

  /** Says a last word to a peer that may still be sending. @param patienceMs how long the peer may take to close */
  finish(message: unknown, patienceMs: number): void {
    this.send(message);
    this.socket.finish(patienceMs);
  }

  close(): void {
    this.socket[Symbol.dispose]();
    spare.push(this.output, this.input);
  }

  private header(kind: number, length: number, process: number, address: number): void {
    if (BUFFER_SIZE - this.outputUsed < HEADER_SIZE) this.flush();
    const view = this.output.view;
    const at = this.outputUsed;
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, length, true);
    view.setBigUint64(at + 8, BigInt(process), true);
    view.setBigUint64(at + 16, BigInt(address), true);
    this.outputUsed += HEADER_SIZE;
  }

  private receiveRun(owner: number, address: number, length: number, write: PageWriter): void {
    for (let done = 0; done < length; ) {
      if (this.inputStart === this.inputEnd) this.fill();
      const part = Math.min(length - done, this.inputEnd - this.inputStart);
      write(owner, address + done, this.input.address + this.inputStart, part);
      this.inputStart += part;
      done += part;
    }
    this.pageBytes += length;
  }

  private take(length: number): Uint8Array {
    if (length > MESSAGE_LIMIT) throw new KorriganError('KRG_PEER_PROTOCOL', `the migration stream holds a message of ${length} bytes`);
    const body = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      if (this.inputStart === this.inputEnd) this.fill();
      const part = Math.min(length - done, this.inputEnd - this.inputStart);
      body.set(this.input.bytes.subarray(this.inputStart, this.inputStart + part), done);
      this.inputStart += part;
      done += part;
    }
    return body;
  }

  /** Makes sure that `length` bytes lie contiguous at the start of the unread input. */
  private need(length: number): void {
    while (this.inputEnd - this.inputStart < length) {
      if (BUFFER_SIZE - this.inputStart < length) {
        this.input.bytes.copyWithin(0, this.inputStart, this.inputEnd);
        this.inputEnd -= this.inputStart;
        this.inputStart = 0;
      }
      this.fill();
    }
  }

  private fill(): void {
    if (this.inputStart === this.inputEnd) this.inputStart = this.inputEnd = 0;
    const attentive = this.isAttentive ? ATTENTIVE_MILLISECONDS : 0;
    this.inputEnd += this.socket.readSome(this.input.address + this.inputEnd, BUFFER_SIZE - this.inputEnd, attentive);
  }
}
