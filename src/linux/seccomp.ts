/**
 * seccomp user notification (seccomp(2), seccomp_unotify(2)): filters in classic BPF, and the structures of a listener.
 */
import { STOP_CALL } from './interpreter.ts';
import { SYS, type SystemCallName } from './system-call-numbers.ts';

/** Operation and flag of seccomp(2) that install a filter and return its listener. */
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;

/** Requests of ioctl(2) on a listener. */
export const SECCOMP_NOTIFY = { receive: 0xc0502100, send: 0xc0182101, idValid: 0x40082102, addDescriptor: 0x40182103 } as const;

/** sizeof(struct seccomp_notif); must be zero before it is received into. */
export const NOTIFICATION_SIZE = 80;
/** sizeof(struct seccomp_notif_resp) */
export const NOTIFICATION_RESPONSE_SIZE = 24;

const RET_ALLOW = 0x7fff0000;
const RET_USER_NOTIFICATION = 0x7fc00000;
const RET_TRACE = 0x7ff00000;
const RET_ERRNO = 0x50000;
const ENOSYS = 38;
const AUDIT_ARCH_X86_64 = 0xc000003e;
/** Bit of the system-call numbers of the x32 ABI. */
const X32_BIT = 0x40000000;

/** Offsets in struct seccomp_data. */
const DATA = { instructionHigh: 12, number: 0, architecture: 4, argument: (n: number): number => 16 + 8 * n };

/** Opcodes of classic BPF (include/uapi/linux/bpf_common.h). */
const BPF = { loadAbsolute: 0x20, jumpIfEqual: 0x15, jumpIfAboveOrEqual: 0x35, jumpIfAnyBit: 0x45, return: 0x06 } as const;

/** Where a jump goes: so many instructions further, or to one of the two ends of the block of its call. */
type Target = number | 'notify' | 'allow';

interface Instruction {
  readonly code: number;
  readonly ifTrue: Target;
  readonly ifFalse: Target;
  readonly operand: number;
}

const instruction = (code: number, operand: number, ifTrue: Target = 0, ifFalse: Target = 0): Instruction => ({
  code,
  operand,
  ifTrue,
  ifFalse,
});

/** A call to trap when its argument `pidArgument` names a process that may be elsewhere. */
export interface TrappedCall {
  readonly name: SystemCallName;
  readonly pidArgument: number;
  /** Also with pids of this node's own range: the husk of a process that has left does not do for it. */
  readonly own?: true;
  /** Also with negative pids, which name groups, and all. */
  readonly groups?: true;
  /** Only when this argument has one of these values. */
  readonly only?: { readonly argument: number; readonly values: readonly number[] };
  /** The pid is that of a process when this argument has this value; with other values it names a group or a user of all nodes. */
  readonly which?: { readonly argument: number; readonly process: number };
}

/**
 * Calls that a process of a container finds missing (ENOSYS), as on a kernel without them. io_uring: its rings are shared with one kernel and do not
 * move, and programs that find none use the ordinary calls instead (libuv, and with it every Node since 24, which would stay where it began).
 */
const ABSENT_CALLS = ['io_uring_setup'] as const satisfies readonly SystemCallName[];

/** Upper halves of the addresses where interpreters of ours lie, in pid 1, husks and processes that are held; programs are never there. */
const OWN_CODE = { low: 0x2aff, high: 0x4000 } as const;

/** Pids whose calls need no notification: below `lowest` no process of another node can be, `own` are this node's. */
export interface NativePids {
  readonly lowest: number;
  readonly own: { readonly low: number; readonly high: number };
}

/**
 * A filter that notifies of the trapped calls with a pid that is ≥ `lowest` and outside [low, high), or as {@link TrappedCall} says, and lets everything else
 * pass: 0, groups, what code of ours calls in a process that is held, and other architectures, whose numbers it does not know. Calls of the x32 ABI, and those
 * that are absent, get ENOSYS, as on a kernel without them. {@link STOP_CALL} stops for a tracer.
 */
export function pidFilter(calls: readonly TrappedCall[], pids: NativePids, always: readonly SystemCallName[] = []): Uint8Array {
  const program: Instruction[] = [
    instruction(BPF.loadAbsolute, DATA.architecture),
    instruction(BPF.jumpIfEqual, AUDIT_ARCH_X86_64, 1, 0),
    instruction(BPF.return, RET_ALLOW),
    instruction(BPF.loadAbsolute, DATA.number),
    instruction(BPF.jumpIfAboveOrEqual, X32_BIT, 0, 1),
    instruction(BPF.return, RET_ERRNO | ENOSYS),
  ];
  for (const name of ABSENT_CALLS) program.push(instruction(BPF.jumpIfEqual, SYS[name], 0, 1), instruction(BPF.return, RET_ERRNO | ENOSYS));
  program.push(
    instruction(BPF.jumpIfEqual, SYS[STOP_CALL.name], 0, 4),
    instruction(BPF.loadAbsolute, DATA.argument(0)),
    instruction(BPF.jumpIfEqual, STOP_CALL.option, 0, 1),
    instruction(BPF.return, RET_TRACE),
    instruction(BPF.return, RET_ALLOW),
  );
  for (const call of calls) program.push(...block(call.name, [...programsOwn(), ...pidCheck(call, pids)]));
  for (const name of always) program.push(...block(name, programsOwn()));
  program.push(instruction(BPF.return, RET_ALLOW));
  return encodeFilter(program);
}

/** What is done about one call: after the checks it is notified of. */
function block(name: SystemCallName, checks: readonly Instruction[]): Instruction[] {
  const notify = checks.length;
  const targetFrom = (at: number, target: Target): Target => {
    if (target === 'notify') return notify - at - 1;
    return target === 'allow' ? notify - at : target;
  };
  return [
    instruction(BPF.jumpIfEqual, SYS[name], 0, checks.length + 2),
    ...checks.map(({ code, operand, ifTrue, ifFalse }, at) => instruction(code, operand, targetFrom(at, ifTrue), targetFrom(at, ifFalse))),
    instruction(BPF.return, RET_USER_NOTIFICATION),
    instruction(BPF.return, RET_ALLOW),
  ];
}

/** Lets pass what is not called by the program itself. */
function programsOwn(): Instruction[] {
  return [
    instruction(BPF.loadAbsolute, DATA.instructionHigh),
    instruction(BPF.jumpIfAboveOrEqual, OWN_CODE.low, 0, 1),
    instruction(BPF.jumpIfAboveOrEqual, OWN_CODE.high, 0, 'allow'),
  ];
}

function pidCheck({ pidArgument, own, groups, only, which }: TrappedCall, pids: NativePids): Instruction[] {
  const checks: Instruction[] = [];
  if (only !== undefined) {
    const { argument, values } = only;
    checks.push(instruction(BPF.loadAbsolute, DATA.argument(argument)));
    for (const [n, value] of values.entries()) {
      const left = values.length - 1 - n;
      checks.push(instruction(BPF.jumpIfEqual, value, left, left === 0 ? 'allow' : 0));
    }
  }
  if (which !== undefined) {
    checks.push(instruction(BPF.loadAbsolute, DATA.argument(which.argument)), instruction(BPF.jumpIfEqual, which.process, 0, 'notify'));
  }
  checks.push(
    instruction(BPF.loadAbsolute, DATA.argument(pidArgument)),
    instruction(BPF.jumpIfAnyBit, 0x80000000, groups ? 'notify' : 'allow', 0),
    instruction(BPF.jumpIfAboveOrEqual, pids.lowest, 0, 'allow'),
  );
  if (own !== true) {
    checks.push(
      instruction(BPF.jumpIfAboveOrEqual, pids.own.high, 'notify', 0),
      instruction(BPF.jumpIfAboveOrEqual, pids.own.low, 'allow', 'notify'),
    );
  }
  return checks;
}

function encodeFilter(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [n, { code, ifTrue, ifFalse, operand }] of program.entries()) {
    view.setUint16(n * 8, code, true);
    view.setUint8(n * 8 + 2, Number(ifTrue));
    view.setUint8(n * 8 + 3, Number(ifFalse));
    view.setUint32(n * 8 + 4, operand >>> 0, true);
  }
  return bytes;
}

/** A trapped call, waiting for its answer. */
export interface Notification {
  readonly id: bigint;
  /** Thread id, in the pid namespace of who received it. */
  readonly thread: number;
  readonly number: number;
  readonly args: readonly [bigint, bigint, bigint, bigint, bigint, bigint];
}

/** struct seccomp_notif */
export function decodeNotification(view: DataView): Notification {
  const argument = (n: number): bigint => view.getBigUint64(32 + 8 * n, true);
  return {
    id: view.getBigUint64(0, true),
    thread: view.getUint32(8, true),
    number: view.getInt32(16, true),
    args: [argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)],
  };
}

/** What a trapped call writes to the memory of its caller. */
export interface TrappedWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** What a trapped call returns; `continue`: the kernel runs it as if there were no filter. */
export type NotificationAnswer =
  | { readonly kind: 'continue' }
  | { readonly kind: 'value'; readonly value: bigint; readonly writes?: readonly TrappedWrite[] }
  | { readonly kind: 'error' /** Positive. */; readonly errno: number };

/** struct seccomp_notif_resp */
export function encodeAnswer(id: bigint, answer: NotificationAnswer): Uint8Array {
  const bytes = new Uint8Array(NOTIFICATION_RESPONSE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, id, true);
  if (answer.kind === 'value') view.setBigInt64(8, answer.value, true);
  if (answer.kind === 'error') view.setInt32(16, -answer.errno, true);
  if (answer.kind === 'continue') view.setUint32(20, 1, true);
  return bytes;
}
