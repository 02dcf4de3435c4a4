/**
 * BPF programs that walk over the tasks of one process (BPF_TRACE_ITER, Linux 5.8; for one process 6.1): their instructions, and how
 * they are loaded and run. Takes CAP_BPF and CAP_PERFMON.
 */
import { ERRNO, SyscallError } from './errno.ts';
import { addressOf, NativeMemory, syscall, trySyscall } from './native.ts';

const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
const BPF_ITER_CREATE = 33;
const BPF_PROG_TYPE_TRACING = 26;
const BPF_TRACE_ITER = 28;
const ATTRIBUTES_SIZE = 128;
const LINK_INFORMATION_SIZE = 16;
/** Functions that BPF programs may call (include/uapi/linux/bpf.h). */
export const HELPER = {
  ktimeGetNs: 5,
  probeReadKernel: 113,
  ktimeGetBootNs: 125,
  jiffies: 118,
  seqPrintf: 126,
  seqWrite: 127,
  ktimeGetTaiNs: 208,
} as const;

/** BPF instructions, in the order in which they run (Documentation/bpf/standardization/instruction-set.rst). */
export class Instructions {
  private readonly list: (readonly [code: number, registers: number, offset: number, immediate: number])[] = [];

  get length(): number {
    return this.list.length;
  }

  move(to: number, from: number): this {
    return this.add(0xbf, to, from);
  }

  set(to: number, value: number): this {
    return this.add(0xb7, to, 0, 0, value);
  }

  increase(register: number, value: number): this {
    return this.add(0x07, register, 0, 0, value);
  }

  shiftLeft(register: number, bits: number): this {
    return this.add(0x67, register, 0, 0, bits);
  }

  plus(to: number, register: number): this {
    return this.add(0x0f, to, register);
  }

  load(to: number, base: number, offset: number): this {
    return this.add(0x79, to, base, offset);
  }

  load32(to: number, base: number, offset: number): this {
    return this.add(0x61, to, base, offset);
  }

  store(base: number, offset: number, from: number): this {
    return this.add(0x7b, base, from, offset);
  }

  skipUnlessZero(register: number, instructions: number): this {
    return this.add(0x55, register, 0, instructions);
  }

  call(helper: number): this {
    return this.add(0x85, 0, 0, 0, helper);
  }

  exit(): this {
    return this.add(0x95);
  }

  write(to: DataView): void {
    this.list.forEach(([code, registers, offset, immediate], n) => {
      to.setUint8(8 * n, code);
      to.setUint8(8 * n + 1, registers);
      to.setInt16(8 * n + 2, offset, true);
      to.setInt32(8 * n + 4, immediate, true);
    });
  }

  private add(code: number, to = 0, from = 0, offset = 0, immediate = 0): this {
    this.list.push([code, to | (from << 4), offset, immediate]);
    return this;
  }
}

const LICENCE = Buffer.from('Dual BSD/GPL\0');

/** Attributes of bpf(2): pairs of offset and value, of 64 bits where the value is a bigint. */
function bpf(command: number, ...fields: readonly (readonly [offset: number, value: number | bigint])[]): number {
  const attributes = new Uint8Array(ATTRIBUTES_SIZE);
  const view = new DataView(attributes.buffer);
  for (const [offset, value] of fields) {
    if (typeof value === 'bigint') view.setBigUint64(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  // The verifier gives up as soon as a signal waits for this thread (kernel/bpf/verifier.c, do_check).
  for (;;) {
    const result = trySyscall('bpf', command, attributes, ATTRIBUTES_SIZE);
    if (result !== -ERRNO.EAGAIN) return result;
  }
}

function checked(result: number, what: string): number {
  if (result < 0) throw new SyscallError(what, -result);
  return result;
}

/**
 * Loads a program for the type that an iterator's function has, e.g. `bpf_iter_task`.
 * @returns its descriptor
 */
export function loadIterator(code: Instructions, type: number): number {
  const memory = NativeMemory.allocate(8 * code.length + LICENCE.length);
  code.write(memory.view);
  memory.bytes.set(LICENCE, 8 * code.length);
  const program = bpf(
    BPF_PROG_LOAD,
    [0, BPF_PROG_TYPE_TRACING],
    [4, code.length],
    [8, BigInt(memory.address)],
    [16, BigInt(memory.address + 8 * code.length)],
    [68, BPF_TRACE_ITER],
    [108, type],
  );
  memory.free();
  return checked(program, 'bpf(BPF_PROG_LOAD)');
}

/**
 * A descriptor whose reader is given what the program writes of each task of a process.
 * @param pid in the caller's pid namespace
 */
export function openIterator(program: number, pid: number): number {
  // union bpf_iter_link_info, task: u32 tid, u32 pid, u32 pid_fd
  const wanted = new Uint8Array(LINK_INFORMATION_SIZE);
  new DataView(wanted.buffer).setUint32(4, pid, true);
  const link = bpf(BPF_LINK_CREATE, [0, program], [8, BPF_TRACE_ITER], [16, BigInt(addressOf(wanted))], [24, LINK_INFORMATION_SIZE]);
  const iterator = bpf(BPF_ITER_CREATE, [0, checked(link, 'bpf(BPF_LINK_CREATE)')]);
  syscall('close', link);
  return checked(iterator, 'bpf(BPF_ITER_CREATE)');
}
