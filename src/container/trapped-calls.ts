/** Which system calls are trapped: those that name a process which may be on another node. The list may grow; the filter follows. */
import {
  call,
  pidFilter,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_SET_MODE_FILTER,
  type Conversation,
  type TrappedCall,
} from '../linux/index.ts';
import type { PidRange } from './pid-range.ts';

/** The calls and which of their arguments is the pid. Trapped only with a pid of another node's range. */
export const TRAPPED_CALLS: readonly TrappedCall[] = [
  { name: 'kill', pidArgument: 0 },
  { name: 'tkill', pidArgument: 0 },
  { name: 'tgkill', pidArgument: 0 },
  { name: 'rt_sigqueueinfo', pidArgument: 0 },
  { name: 'rt_tgsigqueueinfo', pidArgument: 0 },
  { name: 'pidfd_open', pidArgument: 0 },
];

/** Calls that are trapped whenever a program makes them: its relatives on other nodes follow it. */
export const ALWAYS_TRAPPED_CALLS = ['setsid', 'setpgid'] as const;

/** Installs the filter for the calling thread of pid 1 and all that it will clone. @returns the listener, a descriptor of pid 1 */
export function* installFilter(range: PidRange): Conversation<number> {
  const filter = pidFilter(TRAPPED_CALLS, { lowest: range.high - range.low, own: range }, ALWAYS_TRAPPED_CALLS);
  const program = new Uint8Array(16);
  new DataView(program.buffer).setUint16(0, filter.length / 8, true);
  const structure = { bytes: program, pointers: [{ offset: 8, to: filter }] };
  const [listener = -1] = yield [call('seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, structure)];
  return listener;
}
