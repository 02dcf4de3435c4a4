/**
 * What the HTTP API answers. Nodes are named by their names; times are milliseconds since the epoch unless a member says otherwise.
 * These are plain types: a client trusts the daemon it talks to, only the daemon parses (`schemas.ts`).
 */
import type { CapabilitySets, DisableableCapability, SupportedCapability } from '../../capability/names.ts';
import type { ErrorJSON } from '../../linux/errors.ts';

/** Who stands at the other end of a connection, as the kernel says (SO_PEERCRED, unix(7)). Host pid. */
export interface Caller {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Where the record of a cluster lies: among its nodes, or in an etcd at these URLs. */
export type StoreLocation = { readonly kind: 'embedded' } | { readonly kind: 'etcd'; readonly endpoints: string[] };

/**
 * Kerrighed's `possible` (known, not up), `present` (up) and `online` (takes part); `leaving`: online, and being emptied; `unreachable`: online, but its daemon does
 * not answer; `dead`: possible, because it was declared dead.
 */
export type NodeState = 'possible' | 'present' | 'online' | 'leaving' | 'unreachable' | 'dead';

export interface NodeStatus {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  /** Of the links between nodes. */
  readonly port: number;
  readonly state: NodeState;
  /** It waits to be added: it was taken out, or has never been in. */
  readonly isOut: boolean;
  /** What the node's daemon said of itself; null when it does not answer. */
  readonly daemon: DaemonStatus | null;
}

export interface DaemonStatus {
  /** Host pid of krgd. */
  readonly pid: number;
  /** Of Korrigan. */
  readonly version: string;
  /** Host pid of the container's pid 1. */
  readonly containerPid: number;
  /** Over 1, 5 and 15 minutes, of the machine the node runs on. */
  readonly loadAverage: readonly [number, number, number];
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  /** Processes that run on the node; husks are not counted. */
  readonly processes: number;
  readonly startedAt: number;
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly version: string;
  /** The node that answers. */
  readonly node: string;
  readonly nodes: readonly NodeStatus[];
}

export interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly processGroup: number;
  readonly session: number;
  readonly uid: number;
  /** Where the process runs; for a husk, where the husk is. */
  readonly node: string;
  /** The letter of proc_pid_stat(5): R S D T t Z X I. */
  readonly state: string;
  /** Such as `pts/0`; null without a controlling terminal. */
  readonly terminal: string | null;
  readonly startedAt: number;
  readonly cpuTimeMilliseconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  /** -20 (goes first) to 19: of the main thread, setpriority(2). */
  readonly nice: number;
  readonly threads: number;
  /** The command line; `[name]` where the process has none. */
  readonly command: string;
  readonly kind: 'process' | 'husk';
}

/** What a node said of itself at one moment. */
export interface NodeSample {
  /** Milliseconds on the node's monotonic clock: the time between two samples. */
  readonly at: number;
  /** Of the machine that the node runs on, as all that follows but `own`. */
  readonly processors: number;
  /** Over 1, 5 and 15 minutes. */
  readonly loadAverage: readonly [number, number, number];
  /** Of all processors together since the machine was started, milliseconds; `waiting` is idle while something waits for a disk. */
  readonly processorTime: {
    readonly user: number;
    readonly system: number;
    readonly idle: number;
    readonly waiting: number;
    readonly stolen: number;
  };
  readonly memory: {
    readonly totalBytes: number;
    readonly availableBytes: number;
    readonly swapTotalBytes: number;
    readonly swapFreeBytes: number;
  };
  readonly uptimeSeconds: number;
  /** Processor time of everything that has run in the node's container, milliseconds; null where the kernel does not count it. */
  readonly ownProcessorMilliseconds: number | null;
}

export interface NodeUsage {
  readonly id: number;
  readonly name: string;
  readonly state: NodeState;
  /** Null when its daemon does not answer. */
  readonly sample: NodeSample | null;
}

/** What is seen of the cluster with one request. */
export interface ClusterUsage {
  readonly cluster: string;
  /** The node that answers. */
  readonly node: string;
  readonly nodes: readonly NodeUsage[];
  /** Husks are not among them. */
  readonly processes: readonly ProcessEntry[];
}

export interface Reniced {
  readonly pid: number;
  readonly node: string;
  readonly before: number;
  readonly after: number;
}

/** How a process that was waited for has ended. */
export interface Ended {
  readonly pid: number;
  /** Where it ended. */
  readonly node: string;
  /** Null when it is not known, or is none of the caller's business: the process belongs to another user. */
  readonly status: ExitStatus | null;
  /** It has ended because its node died. */
  readonly isLost: boolean;
}

/** What became of one pid of a wait request. */
export type WaitLine = Ended | { readonly pid: number; readonly failure: ErrorJSON };

export interface StartedProcess {
  readonly pid: number;
  readonly node: string;
}

/** How a program ended: wait(2). */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: number; readonly coreDumped: boolean };

/** What programs of a new cluster may do; parsed where the configuration is written. */
export interface NewCapabilityPolicy {
  readonly initial?: readonly SupportedCapability[];
  /** As rulesSchema of src/capability has them. */
  readonly rules?: unknown;
}

/** The capabilities of a process; sets are masks with a bit for each of CAPABILITY_NAMES. */
export interface CapabilityReport {
  readonly pid: number;
  readonly node: string;
  readonly sets: CapabilitySets;
  /** False: nobody has given it any, and it has what the configuration of the cluster says. */
  readonly isGiven: boolean;
  /** How often each is disabled at present. */
  readonly disabled: Readonly<Record<DisableableCapability, number>>;
  /** By rules of the configuration, whatever the sets say. */
  readonly denied: readonly { readonly capability: SupportedCapability; readonly rule: string }[];
  /** Those that count: raised, not denied and not disabled. */
  readonly counting: readonly SupportedCapability[];
}

/** A sign of life of a migration that is under way. */
export interface MigrationProgress {
  readonly pid: number;
  readonly phase: 'preflight' | 'prepare' | 'pre-copy' | 'freeze' | 'commit' | 'resume';
  /** Pre-copy round, from 1. */
  readonly round?: number;
  /** Bytes of memory sent so far. */
  readonly bytes?: number;
}

/** What became of one pid of a migrate request. */
export type MigrationResult =
  | {
      readonly outcome: 'moved';
      readonly pid: number;
      readonly from: string;
      readonly to: string;
      /** All processes that moved, the root first. */
      readonly moved: readonly number[];
      /** From the freeze of the first process to the run of the last. */
      readonly downtimeMicroseconds: number;
      readonly totalMicroseconds: number;
      /** Sent to the target: memory and state. */
      readonly bytes: number;
      readonly rounds: number;
    }
  | { readonly outcome: 'already-there'; readonly pid: number; readonly to: string }
  | { readonly outcome: 'failed'; readonly pid: number; readonly error: ErrorJSON };

export type Verdict = 'moves' | 'reconnects' | 'relayed' | 'lost' | 'refused';

/** One thing a process holds and what a move would do to it. */
export interface ResourceVerdict {
  readonly pid: number;
  /** Such as `fd 3`, `memory`, `timer 0`. */
  readonly resource: string;
  readonly verdict: Verdict;
  /** Which one: a path, a size, a state. */
  readonly detail: string;
  /** Why it is so, and what to do; empty for what simply moves. */
  readonly reason: string;
}

export interface Explanation {
  readonly pid: number;
  readonly node: string;
  readonly command: string;
  /** The node the verdicts are for; null when none was named. */
  readonly target: string | null;
  /** False when one of the resources is refused. */
  readonly movable: boolean;
  readonly resources: readonly ResourceVerdict[];
}

/** What happens while a node is being emptied. */
export type DrainProgress =
  | { readonly kind: 'moved'; readonly node: string; readonly pid: number; readonly pids: readonly number[]; readonly to: string }
  | { readonly kind: 'refused'; readonly node: string; readonly pid: number; readonly command: string; readonly error: ErrorJSON }
  | { readonly kind: 'killed'; readonly node: string; readonly pid: number; readonly command: string };

/** A process that could not be moved from its node. */
export interface Immovable {
  readonly pid: number;
  readonly command: string;
  readonly error: ErrorJSON;
}

/** What became of a node that was to be emptied. */
export interface DrainResult {
  readonly node: string;
  /**
   * `removed`: it is empty and takes part no more; `left`: it has ended as well; `kept`: it takes part as before, for what could not be moved runs there.
   */
  readonly outcome: 'removed' | 'left' | 'kept';
  readonly moved: readonly { readonly pid: number; readonly to: string }[];
  /** Where it was kept they run on, otherwise they were killed. */
  readonly immovable: readonly Immovable[];
  /** Why it was kept, where that was not for its processes alone. */
  readonly error?: ErrorJSON;
}

/** Which nodes were told to end. */
export interface PowerResult {
  readonly nodes: readonly string[];
  /** Those that did not answer. */
  readonly silent: readonly string[];
}

/** What a node that is to join is given. Good once. */
export interface JoinToken {
  readonly token: string;
  /** The id that the new node will have. */
  readonly id: number;
  /** Where it may ask for its certificate: host and port. */
  readonly address: string;
  readonly expires: number;
}

export interface Revocation {
  readonly id: number;
  /** Number of the list of revoked certificates that names the node. */
  readonly list: number;
}

/** One thing that is asked of the machine. */
export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Without it a node cannot run; the others cost what `cost` says. */
  readonly essential: boolean;
  /** What was found. */
  readonly detail: string;
  /** What its absence costs and what to do; empty when it is there. */
  readonly cost: string;
}

/** Something that happened in the cluster. */
export interface ClusterEvent {
  readonly time: number;
  readonly node: string;
  /** Such as `process.moved`, `node.unreachable`. */
  readonly kind: string;
  readonly message: string;
  readonly pid?: number;
}
