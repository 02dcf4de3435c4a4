/**
 * What a ghost is made of: typed records, independent of kernel structures where the kernel's layout is not an ABI of its own.
 * Sizes in bytes, times in nanoseconds unless a name says otherwise. Pages travel beside the image.
 */
import type { RegisterName, RestartableSequence } from '../linux/index.ts';
import type { Area, MemoryPolicy } from '../mm/index.ts';
import type { ChangedChild } from './job-control.ts';
import type { IntervalTimers } from './timers.ts';
import type { Wait } from './waits.ts';

/** Version of this layout; a reader refuses any other. */
export const IMAGE_VERSION = 1;

/** sigaction(2) of one signal, as the kernel keeps it. */
export interface SignalAction {
  signal: number;
  handler: bigint;
  flags: bigint;
  restorer: bigint;
  mask: bigint;
}

export interface PosixTimer {
  id: number;
  clock: number;
  signal: number;
  /** sigev_value */
  value: bigint;
  /** SIGEV_* */
  notify: number;
  /** Thread of SIGEV_THREAD_ID, else 0. */
  thread: number;
  /** Nanoseconds; 0: fires once. */
  interval: bigint;
  /** Nanoseconds, 0: not armed. A time of its clock, which all nodes share; for clocks of processor time what remains. */
  expiration: bigint;
  /** Expirations since its signal was sent that is still pending, where that is known: at least 1. */
  expired: number;
}

/** Credentials of one thread (man 7 credentials, man 7 capabilities). Ids in the order real, effective, saved, file system. */
export interface Credentials {
  users: number[];
  groups: number[];
  supplementary: number[];
  inheritable: bigint;
  permitted: bigint;
  effective: bigint;
  bounding: bigint;
  ambient: bigint;
  secureBits: number;
  noNewPrivileges: boolean;
}

/** Scheduling of one thread: struct sched_attr without utilisation clamps, plus affinity and I/O priority. */
export interface Scheduling {
  policy: number;
  flags: bigint;
  nice: number;
  priority: number;
  runtime: bigint;
  deadline: bigint;
  period: bigint;
  /** Bit per CPU; empty: every CPU of the node. */
  affinity: Uint8Array;
  ioPriority: number;
}

export interface ThreadImage {
  /** Cluster-wide thread id. */
  tid: number;
  registers: Record<RegisterName, bigint>;
  /** The system call for a time in which the thread waits, if it does. */
  wait: Wait | undefined;
  /** XSAVE image. */
  extendedState: Uint8Array;
  signalMask: bigint;
  alternateStack: { address: bigint; flags: number; size: bigint };
  robustList: bigint;
  clearTid: bigint;
  restartableSequence: RestartableSequence;
  name: string;
  parentDeathSignal: number;
  timerSlack: number;
  /** PR_TSC_*: whether the thread may read the time-stamp counter. */
  timeStampCounter: number;
  /** PR_MCE_KILL_*: what becomes of it when its memory fails. */
  memoryFailure: number;
  /** PR_SET_IO_FLUSHER */
  ioFlusher: boolean;
  /** PR_GET_SPECULATION_CTRL of each kind of speculation, or the negated error. */
  speculation: number[];
  /** NUMA policy: MPOL_* with its flags, and a bit for each node. */
  memoryPolicy: MemoryPolicy;
  /** Signals pending for this thread alone, raw siginfo_t. */
  pending: Uint8Array[];
  credentials: Credentials;
  scheduling: Scheduling;
}

/** Fields of struct prctl_mm_map, in its order. */
export const MEMORY_MAP_FIELDS = [
  'startCode',
  'endCode',
  'startData',
  'endData',
  'startBreak',
  'break',
  'startStack',
  'argumentStart',
  'argumentEnd',
  'environmentStart',
  'environmentEnd',
] as const;

export interface ProcessImage {
  version: number;
  /** Cluster-wide ids. */
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** Stopping signal when the process is stopped by job control, else 0. */
  stopped: number;
  /** Of those that move along. */
  changedChildren: ChangedChild[];
  executable: string;
  areas: readonly Area[];
  memoryMap: Record<(typeof MEMORY_MAP_FIELDS)[number], number>;
  auxiliaryVector: Uint8Array;
  actions: SignalAction[];
  /** Signals pending for the process, raw siginfo_t. */
  pending: Uint8Array[];
  intervalTimers: IntervalTimers;
  posixTimers: PosixTimer[];
  /** Soft and hard limit by resource number. */
  limits: [bigint, bigint][];
  dumpable: number;
  childSubreaper: boolean;
  /** PR_GET_THP_DISABLE: 0, or 1 and the flags with which it was set. */
  transparentHugePagesDisabled: number;
  /** PR_SET_MEMORY_MERGE */
  memoryMerged: boolean;
  /** Flags of mlockall(2) for memory that is still to be mapped, 0: none. */
  lockedFuture: number;
  /** Commands of membarrier(2) that the process registered for, a bit mask. */
  memoryBarriers: number;
  personality: number;
  oomScoreAdjustment: number;
  coreDumpFilter: number;
  threads: ThreadImage[];
}
