/**
 * An encrypted and authenticated stream over a blocking socket, in native buffers. Both ends know a secret; each direction has a key of its own,
 * derived from it for one conversation (HKDF, RFC 5869).
 *
 * Record: u32 length of the body, the body (AES-256-GCM, the length authenticated with it, the record's number as the nonce), 16 bytes tag. What was not
 * sealed by the other end as the next record is refused with KRG_PEER_FORGED. No record says that it is the last: a conversation knows its last
 * message, and a stream that ends before it is a lost link.
 */
import { hkdfSync } from 'node:crypto';
import {
  type BlockingSocket,
  KorriganError,
  NativeMemory,
  RECORD_KEY_SIZE,
  RECORD_TAG_SIZE,
  RecordOpener,
  RecordSealer,
} from '../linux/index.ts';

const HEADER_SIZE = 4;
/** Longest body. A record stays in the caches of a processor from the process to the socket. */
export const RECORD_LIMIT = 256 << 10;
const RECORD_SIZE = HEADER_SIZE + RECORD_LIMIT + RECORD_TAG_SIZE;
/** Several short records, and one of the greatest length wherever it begins, without being moved too often. */
const INPUT_SIZE = 4 * RECORD_SIZE;

/** What the two ends of a stream share. */
export interface SharedSecret {
  /** At least 32 random bytes that only the two ends know. */
  readonly secret: Uint8Array;
  /** The conversation that it was made for. */
  readonly conversation: string;
}

type Direction = 'to the target' | 'to the source';

function deriveKey({ secret, conversation }: SharedSecret, direction: Direction): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, conversation, `korrigan migration 1, ${direction}`, RECORD_KEY_SIZE));
}

/** Mappings of streams that were closed: a thread moves one application after the other, and mapping memory anew costs page faults and collections. */
const spareOutputs: NativeMemory[] = [];
const spareInputs: NativeMemory[] = [];

/** What is sent. Whoever fills it writes at `address` and says how much it was. */
export class RecordOutput implements Disposable {
  private readonly socket: BlockingSocket;
  private readonly sealer: RecordSealer;
  private readonly memory = spareOutputs.pop() ?? NativeMemory.allocate(RECORD_SIZE);
  private used = 0;

  constructor(socket: BlockingSocket, shared: SharedSecret, direction: Direction) {
    this.socket = socket;
    this.sealer = new RecordSealer(deriveKey(shared, direction));
  }

  /** Bytes that still fit into the record. */
  get room(): number {
    return RECORD_LIMIT - this.used;
  }

  /** Where the next byte goes. */
  get address(): number {
    return this.memory.address + this.offset;
  }

  /** The same in `view`. */
  get offset(): number {
    return HEADER_SIZE + this.used;
  }

  get view(): DataView {
    return this.memory.view;
  }

  /** Adds what was written at `address`. */
  advance(length: number): void {
    this.used += length;
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.room === 0) this.flush();
      const part = Math.min(bytes.length - done, this.room);
      this.memory.bytes.set(bytes.subarray(done, done + part), this.offset);
      this.used += part;
      done += part;
    }
  }

  /** Seals and sends what there is. */
  flush(): void {
    if (this.used === 0) return;
    const { address, view } = this.memory;
    view.setUint32(0, this.used, true);
    this.sealer.seal({ header: address, headerLength: HEADER_SIZE, body: address + HEADER_SIZE, bodyLength: this.used });
    const length = HEADER_SIZE + this.used + RECORD_TAG_SIZE;
    this.used = 0;
    this.socket.writeFrom(address, length);
  }

  [Symbol.dispose](): void {
    this.sealer[Symbol.dispose]();
    spareOutputs.push(this.memory);
  }
}

/** What is received: the rest of one record at a time. */
export class RecordInput implements Disposable {
  private readonly socket: BlockingSocket;
  private readonly opener: RecordOpener;
  private readonly memory = spareInputs.pop() ?? NativeMemory.allocate(INPUT_SIZE);
  /** Of the open record. */
  private start = 0;
  private end = 0;
  /** Of what was read from the socket and is sealed yet. */
  private sealedStart = 0;
  private sealedEnd = 0;

  constructor(socket: BlockingSocket, shared: SharedSecret, direction: Direction) {
    this.socket = socket;
    this.opener = new RecordOpener(deriveKey(shared, direction));
  }

  /** Bytes that are left of the record. */
  get available(): number {
    return this.end - this.start;
  }

  /** Where they are. */
  get address(): number {
    return this.memory.address + this.start;
  }

  /** The same in `view`. */
  get offset(): number {
    return this.start;
  }

  get view(): DataView {
    return this.memory.view;
  }

  /** Leaves out what was read at `address`. */
  advance(length: number): void {
    this.start += length;
  }

  /** Of the next `length` bytes, over as many records as they take. @param attentiveMs see BlockingSocket.readSome */
  take(length: number, attentiveMs = 0): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      if (this.available === 0) this.next(attentiveMs);
      const part = Math.min(length - done, this.available);
      bytes.set(this.memory.bytes.subarray(this.start, this.start + part), done);
      this.start += part;
      done += part;
    }
    return bytes;
  }

  /** Opens the next record; what is left of the one before is dropped. @throws KorriganError KRG_PEER_FORGED, KRG_NODE_DEAD */
  next(attentiveMs = 0): void {
    this.require(HEADER_SIZE, attentiveMs);
    const { memory } = this;
    const length = memory.view.getUint32(this.sealedStart, true);
    if (length > RECORD_LIMIT) throw forged();
    this.require(HEADER_SIZE + length + RECORD_TAG_SIZE, attentiveMs);
    const header = memory.address + this.sealedStart;
    if (!this.opener.open({ header, headerLength: HEADER_SIZE, body: header + HEADER_SIZE, bodyLength: length })) throw forged();
    this.start = this.sealedStart + HEADER_SIZE;
    this.end = this.start + length;
    this.sealedStart = this.end + RECORD_TAG_SIZE;
  }

  [Symbol.dispose](): void {
    this.opener[Symbol.dispose]();
    spareInputs.push(this.memory);
  }

  /** Makes sure that `length` sealed bytes lie contiguous. */
  private require(length: number, attentiveMs: number): void {
    while (this.sealedEnd - this.sealedStart < length) {
      if (this.sealedStart === this.sealedEnd || INPUT_SIZE - this.sealedStart < length) {
        this.memory.bytes.copyWithin(0, this.sealedStart, this.sealedEnd);
        this.sealedEnd -= this.sealedStart;
        this.sealedStart = 0;
        this.start = this.end = 0;
      }
      this.sealedEnd += this.socket.readSome(this.memory.address + this.sealedEnd, INPUT_SIZE - this.sealedEnd, attentiveMs);
    }
  }
}

function forged(): KorriganError {
  return new KorriganError(
    'KRG_PEER_FORGED',
    'the connection of the migration holds something that the other node did not send, or not at this place: it was changed on the way, or somebody else is at its end',
  );
}
