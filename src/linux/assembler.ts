/**
 * A small x86-64 assembler: labels, and just the instructions that Korrigan's fragments of machine code use.
 * Encodings follow the Intel SDM vol. 2; every jump is a 32-bit relative one, so code is position-independent.
 */
const registers = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
} as const;
export type Register = keyof typeof registers;

/** Conditions of {@link Assembler.jumpIf}: the low nibble of the Jcc opcode. */
const conditions = { below: 0x2, aboveOrEqual: 0x3, zero: 0x4, notZero: 0x5, above: 0x7, sign: 0x8, less: 0xc } as const;
export type Condition = keyof typeof conditions;

export class Assembler {
  private readonly bytes: number[] = [];
  private readonly labels = new Map<string, number>();
  private readonly fixups: { position: number; label: string }[] = [];

  /** Current offset from the start of the code, in bytes. */
  get offset(): number {
    return this.bytes.length;
  }

  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.labels.set(name, this.offset);
    return this;
  }

  raw(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** `destination ← [base + displacement]`, 64 bits. */
  load(destination: Register, base: Register, displacement: number): this {
    return this.memory(0x48, [0x8b], registers[destination], base, displacement);
  }

  /** `destination ← sign-extended 32-bit [base + displacement]`. */
  loadSigned32(destination: Register, base: Register, displacement: number): this {
    return this.memory(0x48, [0x63], registers[destination], base, displacement);
  }

  /** `destination ← zero-extended 32-bit [base + displacement]`. */
  load32(destination: Register, base: Register, displacement: number): this {
    return this.memory(0x40, [0x8b], registers[destination], base, displacement);
  }

  /** `destination ← zero-extended byte [base + displacement]`. */
  load8(destination: Register, base: Register, displacement: number): this {
    return this.memory(0x40, [0x0f, 0xb6], registers[destination], base, displacement);
  }

  /** `[base + displacement] ← source`, 64 bits. */
  store(base: Register, displacement: number, source: Register): this {
    return this.memory(0x48, [0x89], registers[source], base, displacement);
  }

  /** `[base + displacement] ← source`, 32 bits. */
  store32(base: Register, displacement: number, source: Register): this {
    return this.memory(0x40, [0x89], registers[source], base, displacement);
  }

  /** `lock inc dword [base]`. */
  lockIncrement32(base: Register): this {
    this.raw(0xf0);
    return this.memory(0x40, [0xff], 0, base, 0);
  }

  /** `lock xadd [base], source`, 64 bits; `source` receives the previous value. */
  lockExchangeAdd(base: Register, source: Register): this {
    this.raw(0xf0);
    return this.memory(0x48, [0x0f, 0xc1], registers[source], base, 0);
  }

  /** Compares 64-bit `[base + displacement]` with `register` (flags of memory − register). */
  compareMemory(base: Register, displacement: number, register: Register): this {
    return this.memory(0x48, [0x39], registers[register], base, displacement);
  }

  /** Compares 32-bit `[base + displacement]` with `register`. */
  compareMemory32(base: Register, displacement: number, register: Register): this {
    return this.memory(0x40, [0x39], registers[register], base, displacement);
  }

  /** `test dword [base + displacement], mask`. */
  testMemory32(base: Register, displacement: number, mask: number): this {
    return this.memory(0x40, [0xf7], 0, base, displacement).immediate32(mask);
  }

  move(destination: Register, source: Register): this {
    const d = registers[destination];
    const s = registers[source];
    return this.raw(0x48 | ((s >> 3) << 2) | (d >> 3), 0x89, 0xc0 | ((s & 7) << 3) | (d & 7));
  }

  /** `register ← value`, a sign-extended 32-bit immediate. */
  moveImmediate(register: Register, value: number): this {
    const r = registers[register];
    return this.raw(0x48 | (r >> 3), 0xc7, 0xc0 | (r & 7)).immediate32(value);
  }

  /** `register ← value`, all 64 bits. */
  moveImmediate64(register: Register, value: bigint): this {
    const r = registers[register];
    const bytes = new Uint8Array(BigInt64Array.of(BigInt.asIntN(64, value)).buffer);
    return this.raw(0x48 | (r >> 3), 0xb8 | (r & 7), ...bytes);
  }

  compareImmediate(register: Register, value: number): this {
    return this.arithmeticImmediate(7, register, value);
  }

  addImmediate(register: Register, value: number): this {
    return this.arithmeticImmediate(0, register, value);
  }

  subtractImmediate(register: Register, value: number): this {
    return this.arithmeticImmediate(5, register, value);
  }

  add(destination: Register, source: Register): this {
    const d = registers[destination];
    const s = registers[source];
    return this.raw(0x48 | ((s >> 3) << 2) | (d >> 3), 0x01, 0xc0 | ((s & 7) << 3) | (d & 7));
  }

  /** `register ← register × value`. */
  multiplyImmediate(register: Register, value: number): this {
    const r = registers[register];
    return this.raw(0x48 | ((r >> 3) << 2) | (r >> 3), 0x69, 0xc0 | ((r & 7) << 3) | (r & 7)).immediate32(value);
  }

  test(register: Register): this {
    const r = registers[register];
    return this.raw(0x48 | ((r >> 3) << 2) | (r >> 3), 0x85, 0xc0 | ((r & 7) << 3) | (r & 7));
  }

  negate(register: Register): this {
    const r = registers[register];
    return this.raw(0x48 | (r >> 3), 0xf7, 0xd8 | (r & 7));
  }

  push(register: Register): this {
    const r = registers[register];
    return r >= 8 ? this.raw(0x41, 0x50 | (r & 7)) : this.raw(0x50 | r);
  }

  pop(register: Register): this {
    const r = registers[register];
    return r >= 8 ? this.raw(0x41, 0x58 | (r & 7)) : this.raw(0x58 | r);
  }

  systemCall(): this {
    return this.raw(0x0f, 0x05);
  }

  breakpoint(): this {
    return this.raw(0xcc);
  }

  /** `rep movsb`: copies rcx bytes from [rsi] to [rdi]. */
  copyBytes(): this {
    return this.raw(0xf3, 0xa4);
  }

  return(): this {
    return this.raw(0xc3);
  }

  /** `register ← address of label`, relative to the code. */
  addressOf(register: Register, label: string): this {
    const r = registers[register];
    this.raw(0x48 | ((r >> 3) << 2), 0x8d, 0x05 | ((r & 7) << 3));
    return this.reference(label);
  }

  jump(label: string): this {
    this.raw(0xe9);
    return this.reference(label);
  }

  jumpIf(condition: Condition, label: string): this {
    this.raw(0x0f, 0x80 | conditions[condition]);
    return this.reference(label);
  }

  /** The offset of a label that is already defined. */
  offsetOf(label: string): number {
    const offset = this.labels.get(label);
    if (offset === undefined) throw new Error(`label ${label} is not defined`);
    return offset;
  }

  /** The machine code, with all references resolved. */
  assemble(): Uint8Array {
    const code = Uint8Array.from(this.bytes);
    const view = new DataView(code.buffer);
    for (const { position, label } of this.fixups) view.setInt32(position, this.offsetOf(label) - (position + 4), true);
    return code;
  }

  private reference(label: string): this {
    this.fixups.push({ position: this.offset, label });
    return this.raw(0, 0, 0, 0);
  }

  private immediate32(value: number): this {
    return this.raw(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
  }

  private arithmeticImmediate(operation: number, register: Register, value: number): this {
    const r = registers[register];
    return this.raw(0x48 | (r >> 3), 0x81, 0xc0 | (operation << 3) | (r & 7)).immediate32(value);
  }

  /** An instruction with a ModRM memory operand [base + disp32]; a base of r12/rsp needs a SIB byte. */
  private memory(rex: number, opcode: number[], field: number, base: Register, displacement: number): this {
    const b = registers[base];
    this.raw(rex | ((field >> 3) << 2) | (b >> 3), ...opcode, 0x80 | ((field & 7) << 3) | (b & 7));
    if ((b & 7) === 4) this.raw(0x24);
    return this.immediate32(displacement);
  }
}
