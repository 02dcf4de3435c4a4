/**
 * The FFI edge: the only file that imports koffi. System calls go through libc's `syscall(2)` entry, declared with seven longs, so
 * that no call marshals a structure: structures are built in {@link NativeMemory} or any Uint8Array and passed by address.
 */
import koffi from 'koffi';
import { SyscallError } from './errno.ts';
import { SYS, type SystemCallName } from './system-call-numbers.ts';

const libc = koffi.load('libc.so.6');
// Declaring the variadic function with fixed longs is valid on x86-64: integer arguments travel in the same registers.
const rawSyscall = libc.func('long syscall(long n, long a, long b, long c, long d, long e, long f)') as (
  ...args: (number | bigint)[]
) => number | bigint;
const executable = koffi.load(null);
const machineCode = koffi.proto('long korrigan_machine_code(long argument)');

/** What a system call takes: an integer (addresses below 2^53 included), a 64-bit value, or memory passed by its address. */
export type Argument = number | bigint | Uint8Array;

/** The address of a byte array's storage. Valid as long as the array is referenced; storage of buffers never moves. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes));
}

function encode(argument: Argument): number | bigint {
  return typeof argument === 'object' ? addressOf(argument) : argument;
}

/**
 * Runs a system call on the calling thread; blocks as long as the kernel does.
 * @returns the result, or the negated errno.
 */
export function trySyscall(name: SystemCallName, ...args: Argument[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const result = Number(rawSyscall(SYS[name], encode(a), encode(b), encode(c), encode(d), encode(e), encode(f)));
  return result === -1 ? -koffi.errno() : result;
}

/** As {@link trySyscall}, but throws {@link SyscallError} on failure. */
export function syscall(name: SystemCallName, ...args: Argument[]): number {
  const result = trySyscall(name, ...args);
  if (result < 0 && result >= -4095) throw new SyscallError(name, -result);
  return result;
}

/** As {@link syscall}, repeated while it is interrupted by a signal (EINTR). */
export function restartingSyscall(name: SystemCallName, ...args: Argument[]): number {
  for (;;) {
    const result = trySyscall(name, ...args);
    if (result === -4) continue;
    if (result < 0 && result >= -4095) throw new SyscallError(name, -result);
    return result;
  }
}

/** Calls machine code at `address` in this process as `long f(long)`. The code must follow the System V calling convention. */
export function callMachineCode(address: number, argument: number): number {
  return Number(koffi.call(address, machineCode, argument));
}

/**
 * A function that the running executable exports: Node exports OpenSSL's for its add-ons. Addresses are declared as `uintptr_t`.
 * @param declaration in C
 */
export function ownFunction(declaration: string): (...args: (number | bigint)[]) => number | bigint {
  return executable.func(declaration) as (...args: (number | bigint)[]) => number | bigint;
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED_NOREPLACE = 0x100000;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** Memory outside the JavaScript heap with a stable address, viewed as bytes. Unmapped by {@link NativeMemory.free}. */
export class NativeMemory {
  readonly address: number;
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  private constructor(address: number, length: number) {
    this.address = address;
    this.length = length;
    const buffer = koffi.view(address, length);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Zeroed private memory, demand-paged. `executable` for code that {@link callMachineCode} runs. */
  static allocate(length: number, options: { executable?: boolean } = {}): NativeMemory {
    const protection = PROT_READ | PROT_WRITE | (options.executable === true ? PROT_EXEC : 0);
    return new NativeMemory(syscall('mmap', 0, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), length);
  }

  /** A shared mapping of a file (a memfd) from `offset` on, at `address` exactly when one is given. */
  static mapShared(fd: number, length: number, options: { address?: number; offset?: number; executable?: boolean } = {}): NativeMemory {
    const protection = PROT_READ | PROT_WRITE | (options.executable === true ? PROT_EXEC : 0);
    const flags = MAP_SHARED | (options.address === undefined ? 0 : MAP_FIXED_NOREPLACE);
    return new NativeMemory(syscall('mmap', options.address ?? 0, length, protection, flags, fd, options.offset ?? 0), length);
  }

  free(): void {
    syscall('munmap', this.address, this.length);
  }
}
