/** What the calls hand over that are made on another node: which arguments are addresses, and of how many bytes. From the man page of each, section 2. */
import type { TrappedCallName } from '../../container/index.ts';

/** Memory of the caller that an argument points to. */
export interface Buffer {
  readonly argument: number;
  readonly direction: 'in' | 'out';
  /** @param args all arguments of the call @param head the first bytes at the address, as many as {@link Buffer.head} */
  readonly size: (args: readonly number[], head: DataView) => number;
  /** Bytes to be read before the size is known. */
  readonly head?: number;
}

export interface ForwardedCall {
  readonly pidArgument: number;
  readonly buffers: readonly Buffer[];
  /** A husk on the caller's node answers as well as the process. */
  readonly husk?: true;
}

/** No buffer of these calls is larger. */
const MOST_BYTES = 8192;

const at = (argument: number, direction: 'in' | 'out', bytes: number): Buffer => ({ argument, direction, size: () => bytes });
const sized = (argument: number, direction: 'in' | 'out', by: number): Buffer => ({
  argument,
  direction,
  size: (args) => Math.min(MOST_BYTES, Math.max(0, args[by] ?? 0)),
});
/** struct sched_attr begins with its size; 0 stands for that of its first version. */
const FIRST_SCHED_ATTR = 48;
const schedulingAttributes: Buffer = {
  argument: 1,
  direction: 'in',
  head: 4,
  size: (_, head) => Math.min(MOST_BYTES, head.getUint32(0, true) || FIRST_SCHED_ATTR),
};
/** struct rlimit64 */
const LIMIT = 16;
/** struct timespec */
const TIME = 16;

/** The calls that are made where the process is, with the rights of their caller. */
export const FORWARDED_CALLS: Partial<Record<TrappedCallName, ForwardedCall>> = {
  getpgid: { pidArgument: 0, buffers: [], husk: true },
  getsid: { pidArgument: 0, buffers: [], husk: true },
  prlimit64: { pidArgument: 0, buffers: [at(2, 'in', LIMIT), at(3, 'out', LIMIT)] },
  sched_getscheduler: { pidArgument: 0, buffers: [] },
  sched_setscheduler: { pidArgument: 0, buffers: [at(2, 'in', 4)] },
  sched_getparam: { pidArgument: 0, buffers: [at(1, 'out', 4)] },
  sched_setparam: { pidArgument: 0, buffers: [at(1, 'in', 4)] },
  sched_rr_get_interval: { pidArgument: 0, buffers: [at(1, 'out', TIME)] },
  sched_getaffinity: { pidArgument: 0, buffers: [sized(2, 'out', 1)] },
  sched_setaffinity: { pidArgument: 0, buffers: [sized(2, 'in', 1)] },
  sched_getattr: { pidArgument: 0, buffers: [sized(1, 'out', 2)] },
  sched_setattr: { pidArgument: 0, buffers: [schedulingAttributes] },
  getpriority: { pidArgument: 1, buffers: [] },
  setpriority: { pidArgument: 1, buffers: [] },
  ioprio_get: { pidArgument: 1, buffers: [] },
  ioprio_set: { pidArgument: 1, buffers: [] },
};
