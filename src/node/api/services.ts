/** What a node does for those who ask over the HTTP API: implemented by the node, called by `server.ts` after parsing. */
import type { ByteLink } from '../../streams/index.ts';
import type {
  AddNodesRequest,
  CapabilitiesRequest,
  ChangeCapabilitiesRequest,
  ExplainRequest,
  KillRequest,
  LogsRequest,
  MigrateRequest,
  PowerRequest,
  ProcessesRequest,
  RemoveNodesRequest,
  ReniceRequest,
  RevokeRequest,
  RunRequest,
  TokenRequest,
  WaitRequest,
} from './schemas.ts';
import type { AskRequest, LeaseRequest } from './sync-schemas.ts';
import type { AskLine, LeaseLine, SyncListing } from './sync-types.ts';
import type {
  Caller,
  CapabilityReport,
  ClusterEvent,
  ClusterStatus,
  ClusterUsage,
  DoctorCheck,
  DrainProgress,
  DrainResult,
  Explanation,
  MigrationProgress,
  MigrationResult,
  JoinToken,
  PowerResult,
  ProcessEntry,
  Reniced,
  Revocation,
  StartedProcess,
  WaitLine,
} from './types.ts';

/** Locks and their like. */
export interface SyncServices {
  /** What its holder holds is given up when the caller goes. */
  lease(caller: Caller, request: LeaseRequest, abort: AbortSignal): AsyncIterable<LeaseLine>;
  ask(caller: Caller, request: AskRequest, abort: AbortSignal): AsyncIterable<AskLine>;
  /** What the caller may see. */
  list(caller: Caller): Promise<SyncListing>;
}

/**
 * The services of a node. `caller` is who the kernel says it is; each service checks what that user may do.
 * A failure is a KorriganError (ERROR_CODES in src/linux/errors.ts); any other error is shown as KRG_INTERNAL.
 */
export interface NodeServices {
  status(caller: Caller): Promise<ClusterStatus>;
  processes(caller: Caller, request: ProcessesRequest): Promise<readonly ProcessEntry[]>;
  /** Nodes and processes with what they use, for who watches: each node is asked once. */
  usage(caller: Caller): Promise<ClusterUsage>;
  /** Serves one connection of a program with its streams attached (`run-protocol.ts`) to its end. What fails is told to the user. */
  run(caller: Caller, user: ByteLink): Promise<void>;
  /** Serves one connection of a program that uses shared objects (`objects-protocol.ts`) to its end. */
  objects(caller: Caller, user: ByteLink): Promise<void>;
  /** Starts a program in a session of its own with /dev/null as its streams. */
  runDetached(caller: Caller, request: RunRequest): Promise<StartedProcess>;
  kill(caller: Caller, request: KillRequest): Promise<void>;
  /** All threads of a process, wherever it runs. */
  renice(caller: Caller, request: ReniceRequest): Promise<Reniced>;
  /** One line for each process as it ends. Processes that move are followed. */
  wait(caller: Caller, request: WaitRequest, abort: AbortSignal): AsyncIterable<WaitLine>;
  /** `abort` fires when the caller has gone: give up what is not yet committed. One result per pid, in the order of the request. */
  migrate(
    caller: Caller,
    request: MigrateRequest,
    onProgress: (progress: MigrationProgress) => void,
    abort: AbortSignal,
  ): Promise<readonly MigrationResult[]>;
  explain(caller: Caller, request: ExplainRequest): Promise<Explanation>;
  /** On the node where the process runs, for those who may signal it. */
  capabilities(caller: Caller, request: CapabilitiesRequest): Promise<CapabilityReport>;
  changeCapabilities(caller: Caller, request: ChangeCapabilitiesRequest): Promise<CapabilityReport>;
  /** Nodes that are present come online, all or none. A node that is being emptied stays. */
  addNodes(caller: Caller, request: AddNodesRequest): Promise<void>;
  /** Empties nodes, one after the other, and takes them out. `abort` fires when the caller has gone: those that are not empty yet stay. */
  removeNodes(
    caller: Caller,
    request: RemoveNodesRequest,
    onProgress: (progress: DrainProgress) => void,
    abort: AbortSignal,
  ): Promise<readonly DrainResult[]>;
  /** Ends nodes with everything that runs there. Those that are asked answer before they end. */
  power(caller: Caller, request: PowerRequest): Promise<PowerResult>;
  /** A token with which one more node can get a certificate. */
  token(caller: Caller, request: TokenRequest): Promise<JoinToken>;
  /** Takes a node's certificates from it: no node has a link with it any more. */
  revoke(caller: Caller, request: RevokeRequest): Promise<Revocation>;
  doctor(caller: Caller): Promise<readonly DoctorCheck[]>;
  /** Lines without their newline. */
  logs(caller: Caller, request: LogsRequest, abort: AbortSignal): AsyncIterable<string>;
  events(caller: Caller, abort: AbortSignal): AsyncIterable<ClusterEvent>;
  readonly sync: SyncServices;
}
