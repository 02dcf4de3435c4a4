/**
 * The system-call interpreter: a few hundred bytes of position-independent code that execute an array of 64-byte records. It uses no
 * stack, so threads and vfork children need none, and it runs as pid 1 of a container, as a husk, as the parasite in a frozen
 * process, and inside the daemon itself.
 *
 * Record layout (little endian): i32 operation, u32 flags, u64 a0..a5, i64 result.
 * operation ≥ 0 is a system call; its result lands in `result`. operation < 0 is a {@link PseudoOperation}.
 * A failing system call with {@link TOLERATE} set goes on; otherwise control passes to the failure program (set by
 * `onFailure`), with the failing record's address stored in the u64 right before that program, or, without one, to a breakpoint
 * at which rbx points at the failing record.
 *
 * Registers: rbx = address of the current record, r12 = failure program or 0, r14 = scratch of `spawn`; rsp, rbp, r13 and r15 are never
 * touched, all others are clobbered.
 */
import { Assembler } from './assembler.ts';
import { callMachineCode, NativeMemory } from './native.ts';
import { SYS } from './system-call-numbers.ts';

/** Operations that are not system calls; arguments in the order a0, a1, …. */
export const PSEUDO = {
  /** Breakpoint; execution goes on with the next record when the tracer continues the thread. */
  trap: -1,
  /** u64 at a0 ← a1. */
  store: -2,
  /** Copies a2 bytes from a1 to a0. */
  copy: -3,
  /** clone3(a0 = clone_args, a1 = size); the child continues with the program at a2 and no failure program. */
  spawn: -4,
  /** Continues with the record at a0. */
  jump: -5,
  /** u32 at a0 ← a1, then wakes every futex waiter on it. */
  wake: -6,
  /** Atomically increments the u32 at a0 and wakes every futex waiter on it. */
  incrementAndWake: -7,
  /** Waits (futex) while the u32 at a0 equals a1. */
  waitWhileEqual: -8,
  /** Returns to the caller of the native entry; only inside the daemon. */
  return: -9,
  /** If the i64 at a0 < a1 (signed) continues with the record at a2. */
  jumpIfLess: -10,
  /** result ← the decimal number in the text at a0. */
  parseDecimal: -11,
  /** Failure program ← a0 (0: breakpoint). */
  onFailure: -12,
  /** Atomically adds a1 to the u64 at a0; result ← the previous value. */
  add: -13,
  /** Stops for a tracer ({@link STOP_CALL}); without one execution goes on with the next record. */
  stop: -14,
  /** Loads all general registers from the struct user_regs_struct at a0: the thread goes on there. Extended state stays as it is. */
  resume: -15,
} as const;
export type PseudoOperation = keyof typeof PSEUDO;

/** Record flag: a failure of this system call is an ordinary result. */
export const TOLERATE = 1;
/** Bytes of one record. */
export const RECORD_SIZE = 64;
/** Offset of the result within a record. */
export const RESULT_OFFSET = 56;
/** Offset of argument n within a record. */
export function argumentOffset(n: number): number {
  return 8 + 8 * n;
}

/**
 * The call that stops a thread under the container's filter (SECCOMP_RET_TRACE): prctl(2) with an option that does not exist. A tracer with
 * PTRACE_O_TRACESECCOMP sees an event; without a tracer it is an error that is ignored. A breakpoint would kill the process then.
 */
export const STOP_CALL = { name: 'prctl', option: 0x4b52474e } as const;

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
/** Order in which {@link appendResume} takes the registers from a struct user_regs_struct. */
const RESUMED = ['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi'] as const;

/**
 * Appends code that continues with the registers of the struct user_regs_struct at rsp. What follows originalRax there (rip, cs, flags, rsp,
 * ss) is what iretq takes; the instruction works between two places of user mode and loads all of it at once.
 */
export function appendResume(a: Assembler): void {
  for (const register of RESUMED) a.pop(register);
  a.raw(0x48, 0x8d, 0x64, 0x24, 0x08); // lea rsp, [rsp + 8]: over originalRax
  a.raw(0x48, 0xcf); // iretq
}

/** Appends the call that stops for a tracer. Clobbers rax, rdi, rcx and r11. */
export function appendStop(a: Assembler): void {
  a.moveImmediate('rdi', STOP_CALL.option).moveImmediate('rax', SYS[STOP_CALL.name]).systemCall();
}

function emit(): { code: Uint8Array; entry: number } {
  const a = new Assembler();
  // Native entry: called by the daemon as f(program) under the System V convention.
  a.push('rbx').push('r12').push('r14').move('rbx', 'rdi').moveImmediate('r12', 0);

  a.label('loop')
    .loadSigned32('rax', 'rbx', 0)
    .test('rax')
    .jumpIf('sign', 'pseudo')
    .load('rdi', 'rbx', 8)
    .load('rsi', 'rbx', 16)
    .load('rdx', 'rbx', 24)
    .load('r10', 'rbx', 32)
    .load('r8', 'rbx', 40)
    .load('r9', 'rbx', 48)
    .systemCall();
  a.label('finished').store('rbx', RESULT_OFFSET, 'rax').compareImmediate('rax', -4095).jumpIf('aboveOrEqual', 'failed');
  a.label('next').addImmediate('rbx', RECORD_SIZE).jump('loop');

  a.label('failed')
    .testMemory32('rbx', 4, TOLERATE)
    .jumpIf('notZero', 'next')
    .test('r12')
    .jumpIf('zero', 'trap')
    .store('r12', -8, 'rbx')
    .move('rbx', 'r12')
    .jump('loop');
  a.label('trap').breakpoint().jump('next');

  a.label('pseudo').negate('rax');
  for (const [name, number] of Object.entries(PSEUDO))
    a.compareImmediate('rax', -number).jumpIf('zero', name === 'trap' ? 'trap' : `op-${name}`);
  a.jump('trap');

  a.label('op-store').load('rax', 'rbx', 8).load('rcx', 'rbx', 16).store('rax', 0, 'rcx').jump('next');
  a.label('op-copy').load('rdi', 'rbx', 8).load('rsi', 'rbx', 16).load('rcx', 'rbx', 24).copyBytes().jump('next');
  a.label('op-spawn')
    .load('rdi', 'rbx', 8)
    .load('rsi', 'rbx', 16)
    .load('r14', 'rbx', 24) // read before the child exists: the parent may reuse the record meanwhile
    .moveImmediate('rax', SYS.clone3)
    .systemCall()
    .test('rax')
    .jumpIf('notZero', 'finished')
    .move('rbx', 'r14')
    .moveImmediate('r12', 0)
    .jump('loop');
  a.label('op-jump').load('rbx', 'rbx', 8).jump('loop');
  a.label('op-wake').load('rdi', 'rbx', 8).load('rax', 'rbx', 16).store32('rdi', 0, 'rax').jump('wake-all');
  a.label('op-incrementAndWake').load('rdi', 'rbx', 8).lockIncrement32('rdi');
  a.label('wake-all')
    .moveImmediate('rsi', FUTEX_WAKE)
    .moveImmediate('rdx', 0x7fffffff)
    .moveImmediate('rax', SYS.futex)
    .systemCall()
    .jump('next');
  a.label('op-waitWhileEqual').load('rdi', 'rbx', 8).load('rdx', 'rbx', 16);
  a.label('wait-again')
    .compareMemory32('rdi', 0, 'rdx')
    .jumpIf('notZero', 'next')
    .moveImmediate('rsi', FUTEX_WAIT)
    .moveImmediate('r10', 0)
    .moveImmediate('rax', SYS.futex)
    .systemCall()
    .jump('wait-again');
  a.label('op-return').moveImmediate('rax', 0).pop('r14').pop('r12').pop('rbx').return();
  a.label('op-jumpIfLess').load('rax', 'rbx', 8).load('rcx', 'rbx', 16).compareMemory('rax', 0, 'rcx').jumpIf('less', 'taken').jump('next');
  a.label('taken').load('rbx', 'rbx', 24).jump('loop');
  a.label('op-parseDecimal').load('rsi', 'rbx', 8).moveImmediate('rax', 0);
  a.label('digit')
    .load8('rcx', 'rsi', 0)
    .subtractImmediate('rcx', 0x30)
    .compareImmediate('rcx', 9)
    .jumpIf('above', 'parsed')
    .multiplyImmediate('rax', 10)
    .add('rax', 'rcx')
    .addImmediate('rsi', 1)
    .jump('digit');
  a.label('parsed').store('rbx', RESULT_OFFSET, 'rax').jump('next');
  a.label('op-onFailure').load('r12', 'rbx', 8).jump('next');
  a.label('op-add')
    .load('rdi', 'rbx', 8)
    .load('rax', 'rbx', 16)
    .lockExchangeAdd('rdi', 'rax')
    .store('rbx', RESULT_OFFSET, 'rax')
    .jump('next');
  a.label('op-stop');
  appendStop(a);
  a.jump('next');
  a.label('op-resume').load('rsp', 'rbx', 8);
  appendResume(a);

  return { code: a.assemble(), entry: a.offsetOf('loop') };
}

const emitted = emit();

/** The interpreter's machine code. */
export const INTERPRETER_CODE: Uint8Array = emitted.code;
/** Offset at which a thread starts with rbx = address of its first record and r12 = 0. */
export const INTERPRETER_ENTRY: number = emitted.entry;
/** Offset of the native entry `f(program)`. */
export const INTERPRETER_NATIVE_ENTRY = 0;

let local: NativeMemory | undefined;

/** Runs the program at `address` in this process, on this thread; it must end with `return` and must tolerate its failures. */
export function interpretLocally(address: number): void {
  if (local === undefined) {
    local = NativeMemory.allocate(4096, { executable: true });
    local.bytes.set(INTERPRETER_CODE);
  }
  callMachineCode(local.address + INTERPRETER_NATIVE_ENTRY, address);
}
