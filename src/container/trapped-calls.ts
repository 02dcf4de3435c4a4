/** Which system calls are trapped: those that name a process which may be on another node. The list may grow; the filter follows. */
import {
  call,
  type Notification,
  pidFilter,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_SET_MODE_FILTER,
  SYS,
  type Conversation,
  type TrappedCall,
} from '../linux/index.ts';
import type { PidRange } from './pid-range.ts';

const PTRACE_ATTACH = 16;
const PTRACE_SEIZE = 0x4206;
/** The first argument of these says what the second one is. */
const PRIORITY = { argument: 0, process: 0 } as const;
const IO_PRIORITY = { argument: 0, process: 1 } as const;

/** The calls and which of their arguments is the pid. */
export const TRAPPED_CALLS = [
  { name: 'kill', pidArgument: 0, groups: true },
  { name: 'tkill', pidArgument: 0 },
  { name: 'tgkill', pidArgument: 0 },
  { name: 'rt_sigqueueinfo', pidArgument: 0 },
  { name: 'rt_tgsigqueueinfo', pidArgument: 0 },
  { name: 'pidfd_open', pidArgument: 0 },
  { name: 'getpgid', pidArgument: 0 },
  { name: 'getsid', pidArgument: 0 },
  { name: 'process_vm_readv', pidArgument: 0 },
  { name: 'process_vm_writev', pidArgument: 0 },
  { name: 'prlimit64', pidArgument: 0, own: true },
  { name: 'sched_getscheduler', pidArgument: 0, own: true },
  { name: 'sched_setscheduler', pidArgument: 0, own: true },
  { name: 'sched_getparam', pidArgument: 0, own: true },
  { name: 'sched_setparam', pidArgument: 0, own: true },
  { name: 'sched_rr_get_interval', pidArgument: 0, own: true },
  { name: 'sched_getaffinity', pidArgument: 0, own: true },
  { name: 'sched_setaffinity', pidArgument: 0, own: true },
  { name: 'sched_getattr', pidArgument: 0, own: true },
  { name: 'sched_setattr', pidArgument: 0, own: true },
  { name: 'getpriority', pidArgument: 1, own: true, which: PRIORITY },
  { name: 'setpriority', pidArgument: 1, own: true, which: PRIORITY },
  { name: 'ioprio_get', pidArgument: 1, own: true, which: IO_PRIORITY },
  { name: 'ioprio_set', pidArgument: 1, own: true, which: IO_PRIORITY },
  { name: 'ptrace', pidArgument: 1, own: true, only: { argument: 0, values: [PTRACE_ATTACH, PTRACE_SEIZE] } },
] as const satisfies readonly TrappedCall[];

export type TrappedCallName = (typeof TRAPPED_CALLS)[number]['name'];

const BY_NUMBER = new Map<number, TrappedCall>(TRAPPED_CALLS.map((each) => [SYS[each.name], each]));

/** The process, or thread, that a trapped call names; undefined when it names several, or itself. */
export function namedProcess({ number, args }: Pick<Notification, 'number' | 'args'>): number | undefined {
  const trapped = BY_NUMBER.get(number);
  if (trapped === undefined) return undefined;
  const { pidArgument, which } = trapped;
  if (which !== undefined && Number(BigInt.asIntN(32, args[which.argument] ?? 0n)) !== which.process) return undefined;
  const pid = Number(BigInt.asIntN(32, args[pidArgument] ?? 0n));
  return pid > 0 ? pid : undefined;
}

/**
 * Calls that are trapped whenever a program makes them: relatives on other nodes follow its new session or group; and the directory of a process in /proc, which is as good as a
 * pidfd for the kernel (killall(1) uses it), is no such thing when the process is elsewhere.
 */
export const ALWAYS_TRAPPED_CALLS = ['setsid', 'setpgid', 'pidfd_send_signal'] as const;

/** Installs the filter for the calling thread of pid 1 and all that it will clone. @returns the listener, a descriptor of pid 1 */
export function* installFilter(range: PidRange): Conversation<number> {
  const filter = pidFilter(TRAPPED_CALLS, { lowest: range.high - range.low, own: range }, ALWAYS_TRAPPED_CALLS);
  const program = new Uint8Array(16);
  new DataView(program.buffer).setUint16(0, filter.length / 8, true);
  const structure = { bytes: program, pointers: [{ offset: 8, to: filter }] };
  const [listener = -1] = yield [call('seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, structure)];
  return listener;
}
