/** A slot of the store: where one stream stands. See store.ts for the rule that everything here obeys. */
import type { Container } from '../container/index.ts';
import { INIT_PROCFS_FD, isErrno, type SystemCallName } from '../linux/index.ts';

export const HEADER_SIZE = 4096;
export const RING_SIZE = 512 * 1024;
export const BODY_SIZE = 2 * RING_SIZE;
const NOTE_SIZE = 1792;

/** Offset in the header of a u32: 1 while the slot is in use. */
export const USED_AT = 0;

/** Offsets in a slot's header. */
const FIELD = {
  used: USED_AT,
  /** u32 that is always zero. */
  zero: 8,
  /** u32: which of the two notes holds, 0 or 1. */
  note: 12,
  /** i32 each, in the order of {@link DESCRIPTORS}; 0: none. */
  descriptors: 16,
  /** i64: bytes read and confirmed by the other end; bytes read; bytes written. */
  confirmed: 64,
  read: 72,
  written: 80,
  /** Two i64 for the owner. */
  numbers: 88,
  /** Two notes: u32 length, then JSON. */
  notes: 512,
} as const;

/**
 * Descriptors of pid 1 that a slot may hold. `source` is read, `sink` is written. The ends of a program stand beside the stream's own, as
 * pipe2(2) writes them; `original` is a description of a process that is kept for its return.
 */
const DESCRIPTORS = ['source', 'programOutput', 'programInput', 'sink', 'original'] as const;
export type DescriptorName = (typeof DESCRIPTORS)[number];

const TYPED_AT_ONCE = 256;
const PIPE_FLAGS = 0o2000000;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const O_NONBLOCK = 0o4000;
/** A larger pipe than the usual 64 KiB, for fewer and larger steps; /proc/sys/fs/pipe-max-size lets everybody have it. */
const PIPE_CAPACITY = 512 * 1024;

interface SlotParts {
  readonly container: Container;
  readonly index: number;
  readonly header: Uint8Array;
  /** Addresses in pid 1. */
  readonly headerAddress: number;
  readonly body: Uint8Array;
  readonly bodyAddress: number;
  readonly discardBody: () => void;
}

export class StreamSlot {
  readonly index: number;
  private readonly parts: SlotParts;
  private readonly view: DataView;

  constructor(parts: SlotParts) {
    this.index = parts.index;
    this.parts = parts;
    this.view = new DataView(parts.header.buffer, parts.header.byteOffset, HEADER_SIZE);
  }

  /** For the store: takes the slot. */
  begin(note: unknown): void {
    this.parts.header.fill(0);
    this.note = note;
    this.view.setUint32(FIELD.used, 1, true);
  }

  /** What the stream is, for whoever finds it: JSON of at most 1788 bytes. Changes at once or not at all. */
  get note(): unknown {
    const at = this.noteAt(this.view.getUint32(FIELD.note, true));
    const length = this.view.getUint32(at, true);
    return JSON.parse(Buffer.from(this.parts.header.subarray(at + 4, at + 4 + length)).toString('utf8'));
  }

  set note(value: unknown) {
    const bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length > NOTE_SIZE - 4) throw new RangeError(`the note of a stream has ${bytes.length} bytes`);
    const other = 1 - this.view.getUint32(FIELD.note, true);
    const at = this.noteAt(other);
    this.view.setUint32(at, bytes.length, true);
    this.parts.header.set(bytes, at + 4);
    this.view.setUint32(FIELD.note, other, true);
  }

  private noteAt(which: number): number {
    return FIELD.notes + which * NOTE_SIZE;
  }

  /** Position of the first byte that was read and not confirmed. */
  get confirmed(): number {
    return this.get(FIELD.confirmed);
  }

  set confirmed(position: number) {
    this.set(FIELD.confirmed, position);
  }

  /** Position behind the last byte that was read. */
  get read(): number {
    return this.get(FIELD.read);
  }

  /** Position behind the last byte that was written. */
  get written(): number {
    return this.get(FIELD.written);
  }

  /** Number for the owner, 0 at first. */
  number(which: 0 | 1): number {
    return this.get(FIELD.numbers + 8 * which);
  }

  setNumber(which: 0 | 1, value: number): void {
    this.set(FIELD.numbers + 8 * which, value);
  }

  /** Address in pid 1 of a number. */
  addressOfNumber(which: 0 | 1): number {
    return this.parts.headerAddress + FIELD.numbers + 8 * which;
  }

  /** A stream that goes on from elsewhere. @param unconfirmed bytes that were read and not confirmed, from `confirmed` on */
  continueFrom(state: { confirmed: number; unconfirmed: Uint8Array; written: number }): void {
    this.set(FIELD.confirmed, state.confirmed);
    this.set(FIELD.read, state.confirmed);
    this.set(FIELD.written, state.written);
    this.add(state.unconfirmed);
  }

  /** Bytes that were read by other means. @throws RangeError when the ring has no room for them */
  add(bytes: Uint8Array): void {
    const start = this.read;
    if (start + bytes.length - this.confirmed > RING_SIZE) throw new RangeError('more bytes than the ring of a stream holds');
    for (let done = 0; done < bytes.length; ) {
      const at = (start + done) % RING_SIZE;
      const piece = bytes.subarray(done, done + RING_SIZE - at);
      this.parts.body.set(piece, at);
      done += piece.length;
    }
    this.set(FIELD.read, start + bytes.length);
  }

  /** Bytes that were read, from one position to another: views of the ring, which stay as they are until they are confirmed. */
  bytes(from: number, to: number): Uint8Array[] {
    const at = from % RING_SIZE;
    if (from === to) return [];
    if (at + to - from <= RING_SIZE) return [this.parts.body.subarray(at, at + to - from)];
    return [this.parts.body.subarray(at, RING_SIZE), this.parts.body.subarray(0, at + to - from - RING_SIZE)];
  }

  /**
   * Reads from the source into the ring.
   * @param limit bytes that may wait for confirmation
   * @returns the bytes read, 0 at the end, or the negated errno. There must be room.
   */
  pull(limit: number): number {
    return this.move('readv', 'source', 0, limit - (this.read - this.confirmed), FIELD.read);
  }

  /** Puts bytes where {@link StreamSlot.push} takes them. @param position of the first of them, at most a ring's size after `written` */
  stage(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = (position + done) % RING_SIZE;
      const piece = bytes.subarray(done, done + RING_SIZE - at);
      this.parts.body.set(piece, RING_SIZE + at);
      done += piece.length;
    }
  }

  /** Writes staged bytes up to a position into the sink, as far as it takes them. @returns the bytes written or the negated errno */
  push(to: number): number {
    return this.move('writev', 'sink', RING_SIZE, to - this.written, FIELD.written);
  }

  /** @param ring offset in the body @param field the position that grows, which also says where in the ring */
  private move(call: 'readv' | 'writev', descriptor: DescriptorName, ring: number, length: number, field: number): number {
    const { bodyAddress, container } = this.parts;
    const { lane } = container;
    const at = this.get(field) % RING_SIZE;
    const first = Math.min(length, RING_SIZE - at);
    // struct iovec, twice: a ring has an end.
    const vector = BigUint64Array.of(BigInt(bodyAddress + ring + at), BigInt(first), BigInt(bodyAddress + ring), BigInt(length - first));
    const program = lane.newProgram({ records: 4, data: vector.byteLength });
    const moved = program.tryCall(call, this.descriptor(descriptor), program.data(new Uint8Array(vector.buffer)), first < length ? 2 : 1);
    program.operation('jumpIfLess', program.addressOfResult(moved), 1, program.addressOfRecord(program.length + 3));
    program.forwardResult(moved, program.length + 1, 1);
    program.operation('add', this.parts.headerAddress + field, 0);
    lane.run(program);
    return program.result(moved);
  }

  /** Number in pid 1, 0 when there is none. */
  descriptor(name: DescriptorName): number {
    return this.view.getInt32(this.descriptorAt(name), true);
  }

  has(name: DescriptorName): boolean {
    return this.descriptor(name) !== 0;
  }

  /** A descriptor of pid 1 is the slot's from now on. */
  adopt(name: DescriptorName, fd: number): void {
    this.view.setInt32(this.descriptorAt(name), fd, true);
  }

  /** Makes a system call of pid 1 whose result is a descriptor. @throws SyscallError */
  open(name: DescriptorName, call: SystemCallName, ...args: readonly (number | string)[]): void {
    const { lane } = this.parts.container;
    const text = args.reduce<number>((sum, arg) => sum + (typeof arg === 'string' ? Buffer.byteLength(arg) + 1 : 0), 0);
    const program = lane.newProgram({ records: 2, data: text });
    const opened = program.call(call, ...args.map((arg) => (typeof arg === 'string' ? program.string(arg) : arg)));
    program.operation('copy', this.addressOfDescriptor(name), program.addressOfResult(opened), 4);
    lane.run(program);
  }

  /** Takes a description of a process of the container. @param pid in the container */
  keep(name: DescriptorName, pid: number, fd: number): void {
    const { lane } = this.parts.container;
    const program = lane.newProgram({ records: 8, data: 0 });
    const pidfd = program.call('pidfd_open', pid, 0);
    program.forwardResult(pidfd, program.length + 1, 0);
    const kept = program.tryCall('pidfd_getfd', 0, fd, 0);
    program.operation('jumpIfLess', program.addressOfResult(kept), 0, program.addressOfRecord(program.length + 2));
    program.operation('copy', this.addressOfDescriptor(name), program.addressOfResult(kept), 4);
    program.forwardResult(pidfd, program.length + 1, 0);
    program.call('close', 0);
    lane.run(program);
    program.checkedResult(kept);
  }

  /** Opens the original anew, so that the process's descriptions keep their flags. @returns false when nobody has the other end of it */
  openAnew(name: 'source' | 'sink', flags: number): boolean {
    try {
      this.open(name, 'openat', INIT_PROCFS_FD, `self/fd/${this.descriptor('original')}`, flags, 0);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENXIO')) return false;
      throw error;
    }
  }

  /**
   * Types the bytes that were read and not confirmed into a terminal, each once.
   * @param request of ioctl(2) that types one byte
   */
  typeUnconfirmed(name: DescriptorName, request: number): void {
    const { lane } = this.parts.container;
    while (this.confirmed < this.read) {
      const [bytes = new Uint8Array()] = this.bytes(this.confirmed, Math.min(this.read, this.confirmed + TYPED_AT_ONCE));
      const program = lane.newProgram({ records: bytes.length + 1, data: bytes.length });
      const at = program.data(bytes, 1);
      for (let n = 0; n < bytes.length; n++) program.tryCall('ioctl', this.descriptor(name), request, at + n);
      program.operation('add', this.parts.headerAddress + FIELD.confirmed, bytes.length);
      lane.run(program);
    }
  }

  /** Makes a pipe to or from a program: our end does not block. */
  openPipe(ours: 'source' | 'sink'): void {
    const { lane } = this.parts.container;
    const program = lane.newProgram({ records: 6, data: 0 });
    const first = ours === 'source' ? 'source' : 'programInput';
    program.call('pipe2', this.addressOfDescriptor(first), PIPE_FLAGS);
    for (const [call, value] of [
      [F_SETFL, O_NONBLOCK],
      [F_SETPIPE_SZ, PIPE_CAPACITY],
    ] as const) {
      program.operation('copy', program.addressOfRecord(program.length + 1) + 8, this.addressOfDescriptor(ours), 4);
      program.tryCall('fcntl', 0, call, value);
    }
    lane.run(program);
  }

  /** Closes a descriptor, once. */
  close(...names: readonly DescriptorName[]): void {
    const open = names.filter((name) => this.has(name));
    if (open.length === 0) return;
    const { lane } = this.parts.container;
    const program = lane.newProgram({ records: 2 * open.length, data: 0 });
    for (const name of open) {
      program.tryCall('close', this.descriptor(name));
      program.operation('copy', this.addressOfDescriptor(name), this.parts.headerAddress + FIELD.zero, 4);
    }
    lane.run(program);
  }

  /** A duplicate here of a descriptor, to be closed by the taker. */
  take(name: DescriptorName): number {
    return this.parts.container.takeDescriptor(this.descriptor(name));
  }

  /** Sends a signal to a process group, at most once for each count. @param count of the signal, noted in a number of this slot */
  signalGroup(pid: number, signal: number, which: 0 | 1, count: number): void {
    const { lane } = this.parts.container;
    const program = lane.newProgram({ records: 2, data: 0 });
    program.tryCall('kill', -pid, signal);
    program.operation('store', this.addressOfNumber(which), count);
    lane.run(program);
  }

  /** Closes what it has and gives the slot back. */
  free(): void {
    this.close(...DESCRIPTORS);
    this.view.setUint32(FIELD.used, 0, true);
    this.parts.discardBody();
  }

  private descriptorAt(name: DescriptorName): number {
    return FIELD.descriptors + 4 * DESCRIPTORS.indexOf(name);
  }

  private addressOfDescriptor(name: DescriptorName): number {
    return this.parts.headerAddress + this.descriptorAt(name);
  }

  private get(field: number): number {
    return Number(this.view.getBigInt64(field, true));
  }

  private set(field: number, value: number): void {
    this.view.setBigInt64(field, BigInt(value), true);
  }
}
