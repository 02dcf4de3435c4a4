/**
 * One TCP connection of a migration: messages (msgpack) and runs of pages in one ordered stream of sealed records. Pages go from a process to the
 * socket and from the socket to a process through one native buffer on each side, in which they are encrypted and decrypted in place.
 *
 * Frame: u32 kind, u32 length, u64 process, u64 address, then `length` bytes; for contents of a file u64 object, u64 offset. A header lies in one record, a
 * run of pages as well; a message may take several.
 */
import { Packr } from 'msgpackr/pack';
import { type BlockingSocket, KorriganError } from '../linux/index.ts';
import { RecordInput, RecordOutput, type SharedSecret } from './record-stream.ts';

const HEADER_SIZE = 24;
const PAGE = 4096;
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

export class MigrationChannel {
  private readonly socket: BlockingSocket;
  private readonly output: RecordOutput;
  private readonly input: RecordInput;
  /** Bytes of pages sent or received. */
  pageBytes = 0;
  /** While a process is frozen the channel does not sleep at once when nothing has come. */
  isAttentive = false;

  /** @param end of the channel */
  constructor(socket: BlockingSocket, shared: SharedSecret, end: 'source' | 'target') {
    this.socket = socket;
    this.output = new RecordOutput(socket, shared, end === 'source' ? 'to the target' : 'to the source');
    this.input = new RecordInput(socket, shared, end === 'source' ? 'to the source' : 'to the target');
  }

  /** Sends a message and everything buffered before it. */
  send(message: unknown): void {
    const body = packr.pack(message);
    this.header(KIND_MESSAGE, body.length, 0, 0);
    this.output.append(body);
    this.output.flush();
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
    const { output } = this;
    for (let address = start; address < end; ) {
      if (output.room < HEADER_SIZE + PAGE) output.flush();
      const room = Math.floor((output.room - HEADER_SIZE) / PAGE) * PAGE;
      const length = Math.min(end - address, room);
      // The header follows the pages' arrival: a read that fails leaves no half frame behind.
      read(address, output.address + HEADER_SIZE, length);
      this.header(kind, length, owner, address);
      output.advance(length);
      this.pageBytes += length;
      address += length;
    }
  }

  flush(): void {
    this.output.flush();
  }

  /** Waits until the other end has proved itself: it has sent something. @throws KorriganError KRG_PEER_FORGED, KRG_NODE_DEAD */
  begin(): void {
    this.input.next();
  }

  /** Receives up to the next message; what comes before it goes to the receivers. */
  receive(receivers: Receivers): unknown {
    const { input } = this;
    for (;;) {
      const attentive = this.isAttentive ? ATTENTIVE_MILLISECONDS : 0;
      while (input.available === 0) input.next(attentive);
      if (input.available < HEADER_SIZE) throw broken('a part of a frame');
      const { view, offset } = input;
      const kind = view.getUint32(offset, true);
      const length = view.getUint32(offset + 4, true);
      const owner = Number(view.getBigUint64(offset + 8, true));
      const address = Number(view.getBigUint64(offset + 16, true));
      input.advance(HEADER_SIZE);
      if (kind === KIND_MESSAGE) {
        if (length > MESSAGE_LIMIT) throw broken(`a message of ${length} bytes`);
        return packr.unpack(input.take(length, attentive));
      }
      if (kind !== KIND_PAGES && kind !== KIND_CONTENTS) throw broken(`a frame of unknown kind ${kind}`);
      if (length > input.available) throw broken(`a run of ${length} bytes that does not lie in one record`);
      (kind === KIND_PAGES ? receivers.pages : receivers.contents)(owner, address, input.address, length);
      input.advance(length);
      this.pageBytes += length;
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
    this.output[Symbol.dispose]();
    this.input[Symbol.dispose]();
  }

  private header(kind: number, length: number, process: number, address: number): void {
    const { output } = this;
    if (output.room < HEADER_SIZE) output.flush();
    const { view, offset } = output;
    view.setUint32(offset, kind, true);
    view.setUint32(offset + 4, length, true);
    view.setBigUint64(offset + 8, BigInt(process), true);
    view.setBigUint64(offset + 16, BigInt(address), true);
    output.advance(HEADER_SIZE);
  }
}

function broken(what: string): KorriganError {
  return new KorriganError('KRG_PEER_PROTOCOL', `the migration stream holds ${what}`);
}
