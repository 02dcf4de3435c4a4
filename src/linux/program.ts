/**
 * Builds programs for the interpreter: records followed by data, for a fixed base address. A program is data: it can be inspected,
 * tested, written into another process, run there, and its results read back.
 */
import { argumentOffset, PSEUDO, RECORD_SIZE, RESULT_OFFSET, TOLERATE, type PseudoOperation } from './interpreter.ts';
import { SYS, systemCallName, type SystemCallName } from './system-call-numbers.ts';
import { SyscallError } from './errno.ts';

/** What a record argument may be: an integer, or 64 raw bits. */
export type Word = number | bigint;

/** Writes a 64-bit word; Numbers may be negative or up to 2^53. */
export function setWord(view: DataView, offset: number, value: Word): void {
  if (typeof value === 'bigint') {
    view.setBigInt64(offset, BigInt.asIntN(64, value), true);
  } else {
    view.setUint32(offset, value >>> 0, true);
    view.setInt32(offset + 4, Math.floor(value / 4294967296), true);
  }
}

/** Reads a signed 64-bit word that is known to fit in 53 bits. */
export function getWord(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 4294967296 + view.getUint32(offset, true);
}

export class Program {
  /** Address at which the first record will lie. */
  readonly base: number;
  /** Bytes reserved from `base` on: records first, data after them. */
  readonly size: number;
  /** Records and data as they will lie in memory; {@link Program.load} overwrites them with results. */
  readonly image: Uint8Array;
  private readonly view: DataView;
  private readonly dataStart: number;
  private recordCount = 0;
  private dataUsed = 0;

  /**
   * @param base address the program is made for
   * @param capacity number of records and bytes of data that fit; exceeding either throws RangeError
   */
  constructor(base: number, capacity: { records: number; data: number }) {
    this.base = base;
    this.dataStart = capacity.records * RECORD_SIZE;
    this.size = this.dataStart + capacity.data;
    this.image = new Uint8Array(this.size);
    this.view = new DataView(this.image.buffer);
  }

  /** Number of records so far; also the index of the next one. */
  get length(): number {
    return this.recordCount;
  }

  /** Bytes of the image that are in use, from the start (records, gap, data). */
  get usedSize(): number {
    return this.dataUsed === 0 ? this.recordCount * RECORD_SIZE : this.dataStart + this.dataUsed;
  }

  /** Offsets and lengths of what is in use: the records, and the data. A long gap between them need not be carried. */
  get usedParts(): readonly { readonly offset: number; readonly length: number }[] {
    const records = { offset: 0, length: this.recordCount * RECORD_SIZE };
    return this.dataUsed === 0 ? [records] : [records, { offset: this.dataStart, length: this.dataUsed }];
  }

  /** Appends a system call whose failure stops the program. Returns the record's index. */
  call(name: SystemCallName, ...args: Word[]): number {
    return this.append(SYS[name], 0, args);
  }

  /** Appends a system call whose failure is an ordinary result. */
  tryCall(name: SystemCallName, ...args: Word[]): number {
    return this.append(SYS[name], TOLERATE, args);
  }

  /** Appends an operation of the interpreter itself. */
  operation(name: PseudoOperation, ...args: Word[]): number {
    return this.append(PSEUDO[name], 0, args);
  }

  /** Makes argument `argument` of record `to` the result of record `from`; must be appended between the two. */
  forwardResult(from: number, to: number, argument: number): number {
    return this.operation('copy', this.addressOfRecord(to) + argumentOffset(argument), this.addressOfResult(from), 8);
  }

  /** Changes an argument of a record that exists already, e.g. a jump forwards. */
  patch(index: number, argument: number, value: Word): void {
    setWord(this.view, index * RECORD_SIZE + argumentOffset(argument), value);
  }

  /** Places bytes (or `n` zero bytes) in the data area. Returns their address. */
  data(content: Uint8Array | number, alignment = 8): number {
    const length = typeof content === 'number' ? content : content.length;
    const start = Math.ceil(this.dataUsed / alignment) * alignment;
    if (this.dataStart + start + length > this.size) throw new RangeError(`program data exceeds ${this.size - this.dataStart} bytes`);
    if (typeof content !== 'number') this.image.set(content, this.dataStart + start);
    this.dataUsed = start + length;
    return this.base + this.dataStart + start;
  }

  /** Places a NUL-terminated string in the data area. */
  string(text: string): number {
    return this.data(Buffer.from(`${text}\0`), 1);
  }

  /** Places a NULL-terminated array of NUL-terminated strings (argv, envp) in the data area. */
  strings(texts: readonly string[]): number {
    const addresses = BigUint64Array.from([...texts.map((text) => BigInt(this.string(text))), 0n]);
    return this.data(new Uint8Array(addresses.buffer));
  }

  addressOfRecord(index: number): number {
    return this.base + index * RECORD_SIZE;
  }

  addressOfResult(index: number): number {
    return this.addressOfRecord(index) + RESULT_OFFSET;
  }

  /** Takes over memory read back from where the program ran, from `offset` on. */
  load(image: Uint8Array, offset = 0): void {
    this.image.set(image.subarray(0, this.size - offset), offset);
  }

  /** The result of a record, after {@link Program.load}. */
  result(index: number): number {
    return getWord(this.view, index * RECORD_SIZE + RESULT_OFFSET);
  }

  /** As {@link Program.result}; throws {@link SyscallError} when the call failed. */
  checkedResult(index: number): number {
    const result = this.result(index);
    if (result < 0 && result >= -4095) throw new SyscallError(this.describe(index), -result);
    return result;
  }

  /** Data bytes at an address returned by {@link Program.data}, after {@link Program.load}. */
  bytesAt(address: number, length: number): Uint8Array {
    return this.image.subarray(address - this.base, address - this.base + length);
  }

  /** A view of data bytes at an address returned by {@link Program.data}. */
  viewAt(address: number, length: number): DataView {
    return new DataView(this.image.buffer, address - this.base, length);
  }

  /** The operation of a record, for messages. */
  describe(index: number): string {
    const operation = this.view.getInt32(index * RECORD_SIZE, true);
    if (operation >= 0) return systemCallName(operation);
    return Object.entries(PSEUDO).find(([, number]) => number === operation)?.[0] ?? `operation ${operation}`;
  }

  private append(operation: number, flags: number, args: readonly Word[]): number {
    const index = this.recordCount;
    const offset = index * RECORD_SIZE;
    if (offset + RECORD_SIZE > this.dataStart) throw new RangeError(`program exceeds ${this.dataStart / RECORD_SIZE} records`);
    this.view.setInt32(offset, operation, true);
    this.view.setUint32(offset + 4, flags, true);
    for (let n = 0; n < args.length; n++) setWord(this.view, offset + argumentOffset(n), args[n] as Word);
    this.recordCount++;
    return index;
  }
}
