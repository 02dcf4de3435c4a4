/**
 * The first and the last system call in a process that is not ours: a few instructions in the unused end of its vDSO. They make one call, stop
 * for the tracer, and put everything back by themselves when there is none any more. The page becomes the process's own copy; the
 * bytes are zero again afterwards.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Assembler } from './assembler.ts';
import { KorriganError } from './errors.ts';
import { appendResume, appendStop } from './interpreter.ts';
import { readMemory } from './process-memory.ts';
import { readNamedArea } from './process-files.ts';
import type { Abandonment } from './program-tail.ts';
import { Registers, REGISTERS_SIZE } from './registers.ts';
import { SYS } from './system-call-numbers.ts';

const SIG_SETMASK = 2;
const MASK_SIZE = 8;
const PAGE = 4096;

function emit(abandonment: Abandonment): { code: Uint8Array; wait: number; mask: number; registers: number } {
  const a = new Assembler();
  a.systemCall().move('rbx', 'rax');
  appendStop(a);
  if (abandonment === 'resume') {
    a.moveImmediate('rdi', SIG_SETMASK)
      .addressOf('rsi', 'mask')
      .moveImmediate('rdx', 0)
      .moveImmediate('r10', MASK_SIZE)
      .moveImmediate('rax', SYS.rt_sigprocmask)
      .systemCall()
      .addressOf('rsp', 'registers');
    appendResume(a);
  }
  a.label('wait').moveImmediate('rax', SYS.pause).systemCall().jump('wait');
  while (a.offset % 8 !== 0) a.raw(0);
  a.label('mask')
    .raw(...new Uint8Array(MASK_SIZE))
    .label('registers');
  return { code: a.assemble(), wait: a.offsetOf('wait'), mask: a.offsetOf('mask'), registers: a.offsetOf('registers') };
}

const CODE = { resume: emit('resume'), park: emit('park') } as const;

/** Where the unused end of the vDSO begins; the kernel gives all processes the same one. */
let unused: number | undefined;

export class Foothold implements Disposable {
  /** Where execution begins, with the number and arguments of the call in their registers. Its result is in rbx at the stop. */
  readonly address: number;
  private readonly memory: number;
  private length = 0;

  /** @throws KorriganError KRG_NOT_MOVABLE when the process has no usable vDSO */
  constructor(pid: number) {
    const vdso = readNamedArea(pid, '[vdso]');
    if (vdso === undefined) throw new KorriganError('KRG_NOT_MOVABLE', 'the process has no vDSO to run a system call in');
    unused ??= unusedEnd();
    this.address = vdso.start + unused;
    if (this.address + CODE.resume.registers + 256 > vdso.end)
      throw new KorriganError('KRG_NOT_SUPPORTED', "this kernel's vDSO leaves no room for a system call");
    this.memory = openSync(`/proc/${pid}/mem`, 'r+');
  }

  /** Where a thread waits for ever, once {@link Foothold.place} was called with 'park'. */
  get parking(): number {
    return this.address + CODE.park.wait;
  }

  /** Puts the instructions in place. @param state what the thread goes on with when it is abandoned */
  place(abandonment: Abandonment, state: { registers: Registers; signalMask: bigint }): void {
    const { code, mask, registers } = CODE[abandonment];
    const bytes = new Uint8Array(registers + state.registers.bytes.length);
    bytes.set(code);
    new DataView(bytes.buffer).setBigUint64(mask, state.signalMask, true);
    bytes.set(state.registers.bytes, registers);
    this.length = bytes.length;
    writeSync(this.memory, bytes, 0, bytes.length, this.address);
  }

  /** Leaves the vDSO as it was. */
  [Symbol.dispose](): void {
    try {
      if (this.length > 0) writeSync(this.memory, new Uint8Array(this.length), 0, this.length, this.address);
    } catch (error) {
      if (!isGone(error)) throw error;
    } finally {
      closeSync(this.memory);
    }
  }
}

/**
 * What a thread that is in the foothold goes on with.
 * @returns undefined for one that is not there, and for one that waits there
 */
export function footholdState(pid: number, rip: number): { registers: Registers; signalMask: bigint } | undefined {
  const { code, mask, registers } = CODE.resume;
  unused ??= unusedEnd();
  // The vDSO begins on a page: few threads need a look at where it lies.
  const distance = (((rip - unused) % PAGE) + PAGE) % PAGE;
  if (distance >= code.length) return undefined;
  const address = rip - distance;
  const vdso = readNamedArea(pid, '[vdso]');
  if (vdso === undefined || address !== vdso.start + unused) return undefined;
  const bytes = readMemory(pid, address, registers + REGISTERS_SIZE);
  if (Buffer.compare(bytes.subarray(0, mask), code.subarray(0, mask)) !== 0) return undefined;
  const signalMask = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(mask, true);
  return { registers: new Registers(bytes.slice(registers)), signalMask };
}

/** The process has ended, or its memory was replaced: such a descriptor reads and writes nothing. */
function isGone(error: unknown): boolean {
  return ['EIO', 'ESRCH', 'EFAULT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Learned from this process: who was killed may have left his own foothold in another one. */
function unusedEnd(): number {
  const own = readNamedArea(process.pid, '[vdso]');
  if (own === undefined) throw new KorriganError('KRG_NOT_SUPPORTED', 'this kernel gives processes no vDSO');
  return endOfContent(readMemory(process.pid, own.start, own.end - own.start));
}

/** Aligned end of what is not zero. */
function endOfContent(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Math.ceil(end / 64) * 64;
}

const SYSTEM_CALL = Buffer.of(0x0f, 0x05);

/** The address of a `syscall` instruction in the process's vDSO, for a process that is single-stepped. */
export function findSystemCallInstruction(pid: number): number {
  const vdso = readNamedArea(pid, '[vdso]');
  if (vdso === undefined) throw new KorriganError('KRG_NOT_MOVABLE', 'the process has no vDSO to run a system call in');
  return vdso.start + Buffer.from(readMemory(pid, vdso.start, vdso.end - vdso.start)).indexOf(SYSTEM_CALL);
}
