/** What a node does for those who ask over the HTTP API: implemented by the node, called by `server.ts` after parsing. */
import type { ExplainRequest, KillRequest, LogsRequest, MigrateRequest, ProcessesRequest, RunRequest } from './schemas.ts';
import type {
  Caller,
  ClusterEvent,
  ClusterStatus,
  DoctorCheck,
  ExitStatus,
  Explanation,
  MigrationProgress,
  MigrationResult,
  ProcessEntry,
  StartedProcess,
} from './types.ts';

/** The user's end of a program that was started with its streams attached. */
export interface RunSession {
  /** Bytes for the program's standard input; ends when the user's input ended. Take one chunk after another: what is not taken holds the user's side back. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Aborted when the user's connection is lost before the program has ended. */
  readonly connectionLost: AbortSignal;
  /** Tell the user that the program runs. To be called once, before any output. */
  started(process: StartedProcess): void;
  /** Resolves when there is room for more. @throws KorriganError KRG_STREAM_BROKEN when the user is gone */
  writeStdout(bytes: Uint8Array): Promise<void>;
  /** As `writeStdout`; not used when the program has a terminal. */
  writeStderr(bytes: Uint8Array): Promise<void>;
  /** A signal number (1 to 64) that the user's side received and passes on. One listener; signals that came earlier are delivered at once. */
  onSignal(listener: (signal: number) => void): void;
  /** A new size of the user's terminal. One listener; only the newest earlier size is delivered. */
  onResize(listener: (size: { columns: number; rows: number }) => void): void;
}

/**
 * The services of a node. `caller` is who the kernel says it is; each service checks what that user may do.
 * A failure is a KorriganError (ERROR_CODES in src/linux/errors.ts); any other error is shown as KRG_INTERNAL.
 */
export interface NodeServices {
  status(caller: Caller): Promise<ClusterStatus>;
  processes(caller: Caller, request: ProcessesRequest): Promise<readonly ProcessEntry[]>;
  /** Starts a program with its streams attached; resolves when it has ended and all its output was written to the session. */
  run(caller: Caller, request: RunRequest, session: RunSession): Promise<ExitStatus>;
  /** Starts a program in a session of its own with /dev/null as its streams. */
  runDetached(caller: Caller, request: RunRequest): Promise<StartedProcess>;
  kill(caller: Caller, request: KillRequest): Promise<void>;
  /** `abort` fires when the caller has gone: give up what is not yet committed. One result per pid, in the order of the request. */
  migrate(
    caller: Caller,
    request: MigrateRequest,
    onProgress: (progress: MigrationProgress) => void,
    abort: AbortSignal,
  ): Promise<readonly MigrationResult[]>;
  explain(caller: Caller, request: ExplainRequest): Promise<Explanation>;
  doctor(caller: Caller): Promise<readonly DoctorCheck[]>;
  /** Lines without their newline. */
  logs(caller: Caller, request: LogsRequest, abort: AbortSignal): AsyncIterable<string>;
  events(caller: Caller, abort: AbortSignal): AsyncIterable<ClusterEvent>;
}
