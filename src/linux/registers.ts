/**
 * General-purpose registers of a thread: struct user_regs_struct (arch/x86/include/uapi/asm/user_64.h), 27 u64.
 */
import { setWord, type Word } from './program.ts';

const order = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'originalRax',
  'rip',
  'cs',
  'flags',
  'rsp',
  'ss',
  'fsBase',
  'gsBase',
  'ds',
  'es',
  'fs',
  'gs',
] as const;

export type RegisterName = (typeof order)[number];
/** sizeof(struct user_regs_struct). */
export const REGISTERS_SIZE = order.length * 8;

const offsets = Object.fromEntries(order.map((name, index) => [name, index * 8])) as Record<RegisterName, number>;

/** One thread's registers, over the bytes that ptrace reads and writes. */
export class Registers {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(REGISTERS_SIZE)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, REGISTERS_SIZE);
  }

  get(name: RegisterName): bigint {
    return this.view.getBigUint64(offsets[name], true);
  }

  /** The register as a signed value that is known to fit in 53 bits, e.g. a result or an address. */
  getNumber(name: RegisterName): number {
    return Number(this.view.getBigInt64(offsets[name], true));
  }

  set(name: RegisterName, value: Word): this {
    setWord(this.view, offsets[name], value);
    return this;
  }

  copy(): Registers {
    return new Registers(this.bytes.slice());
  }

  /** The registers by name, for images that are independent of the kernel's structure. */
  toRecord(): Record<RegisterName, bigint> {
    return Object.fromEntries(order.map((name) => [name, this.get(name)])) as Record<RegisterName, bigint>;
  }

  static fromRecord(record: Readonly<Record<RegisterName, bigint>>): Registers {
    const registers = new Registers();
    for (const name of order) registers.set(name, record[name]);
    return registers;
  }
}
