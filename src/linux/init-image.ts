/**
 * The executable of a container's pid 1: a static ELF of one page, made here. It maps an area from descriptor 3 at a fixed address
 * and enters the interpreter with the program at the start of that area. Code is never writable; all that changes lies in the area.
 */
import { Assembler } from './assembler.ts';
import { INTERPRETER_CODE, INTERPRETER_ENTRY } from './interpreter.ts';
import { SYS } from './system-call-numbers.ts';

/** The descriptor that the image expects to be the area. */
export const INIT_AREA_FD = 3;
/**
 * Where pid 1 keeps a procfs of its container. What its programs need of it they open from here: /proc may be another file system, which waits for the daemon. Beyond what
 * the kernel hands out first.
 */
export const INIT_PROCFS_FD = 63;

export interface InitImageOptions {
  /** Where the executable lies; page-aligned. */
  readonly codeAddress: number;
  /** Where the area is mapped; page-aligned. */
  readonly areaAddress: number;
  readonly areaSize: number;
  /** Address, within the area, of the first program. */
  readonly programAddress: number;
}

const PAGE = 4096;
const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const CODE_OFFSET = ELF_HEADER_SIZE + PROGRAM_HEADER_SIZE;
const PROT_READ_WRITE = 3;
const MAP_SHARED_FIXED = 0x100001;
const EXIT_STATUS = 70;

/** The file to execute. */
export function buildInitImage(options: InitImageOptions): Uint8Array {
  const code = Buffer.concat([startup(options), INTERPRETER_CODE]);
  const file = new Uint8Array(CODE_OFFSET + code.length);
  if (file.length > PAGE) throw new RangeError(`the init image has ${file.length} bytes, more than a page`);
  const view = new DataView(file.buffer);
  const address = BigInt(options.codeAddress);
  // Elf64_Ehdr (elf(5)): 64-bit, little endian, ET_EXEC, x86-64
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, address + BigInt(CODE_OFFSET), true);
  view.setBigUint64(32, BigInt(ELF_HEADER_SIZE), true);
  view.setUint16(52, ELF_HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, 1, true);
  // Elf64_Phdr: PT_LOAD, readable and executable, the whole file
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, address, true);
  view.setBigUint64(88, address, true);
  view.setBigUint64(96, BigInt(file.length), true);
  view.setBigUint64(104, BigInt(file.length), true);
  view.setBigUint64(112, BigInt(PAGE), true);
  file.set(code, CODE_OFFSET);
  return file;
}

/** mmap(areaAddress, areaSize, read and write, shared, INIT_AREA_FD), then on into the interpreter, which follows. */
function startup(options: InitImageOptions): Uint8Array {
  const a = new Assembler();
  a.moveImmediate64('rdi', BigInt(options.areaAddress))
    .moveImmediate64('rsi', BigInt(options.areaSize))
    .moveImmediate('rdx', PROT_READ_WRITE)
    .moveImmediate('r10', MAP_SHARED_FIXED)
    .moveImmediate('r8', INIT_AREA_FD)
    .moveImmediate('r9', 0)
    .moveImmediate('rax', SYS.mmap)
    .systemCall()
    .compareImmediate('rax', -4095)
    .jumpIf('aboveOrEqual', 'failed')
    .moveImmediate64('rbx', BigInt(options.programAddress))
    .moveImmediate('r12', 0)
    .jump('interpreter');
  a.label('failed').moveImmediate('rdi', EXIT_STATUS).moveImmediate('rax', SYS.exit_group).systemCall();
  a.label('end');
  return linkTo(a);
}

/** Resolves the jump into the interpreter, whose code follows the startup code. */
function linkTo(a: Assembler): Uint8Array {
  const size = a.offset;
  for (let n = 0; n < INTERPRETER_ENTRY; n++) a.raw(0x90);
  a.label('interpreter');
  return a.assemble().slice(0, size);
}
