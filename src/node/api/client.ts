/** A typed client of a node's HTTP API. Loads no schema library: it is on the path of every `krg` command. */
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import type { ErrorJSON } from '../../linux/errors.ts';
import { exchange } from './http-exchange.ts';
import type { HttpResponse } from './http-exchange.ts';
import type { DrainLine, MigrationLine } from './routes.ts';
import { type AttachedProcess, RunConnection, type RunConnectionOptions } from './run-connection.ts';
import { RUN_PROTOCOL } from './run-protocol.ts';
import type { ChangeCapabilitiesRequest, PowerRequest, RemoveNodesRequest, ReniceRequest, RunRequest } from './schemas.ts';
import { SyncSession } from './sync-session.ts';
import type { AskLine, LeaseLine, SyncListing } from './sync-types.ts';
import type {
  CapabilityReport,
  ClusterEvent,
  ClusterStatus,
  ClusterUsage,
  DoctorCheck,
  DrainProgress,
  DrainResult,
  Explanation,
  JoinToken,
  MigrationProgress,
  MigrationResult,
  PowerResult,
  ProcessEntry,
  Reniced,
  Revocation,
  StartedProcess,
  WaitLine,
} from './types.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** How often a question is asked before the client gives up on a daemon that dies over it. */
const ATTEMPTS = 3;

/** Each method is one request on a connection of its own. All throw the KorriganError that the daemon answered, or KRG_NO_DAEMON. */
export class NodeClient {
  readonly #socketPaths: readonly string[];

  /** @param socketPaths daemons of one cluster; the first that listens is asked */
  constructor(...socketPaths: string[]) {
    this.#socketPaths = socketPaths;
  }

  status(): Promise<ClusterStatus> {
    return this.#get('/v1/status');
  }

  processes(options: { readonly husks?: boolean } = {}): Promise<ProcessEntry[]> {
    return this.#get('/v1/processes', options);
  }

  /** @param signal gives the question up */
  async usage(signal?: AbortSignal): Promise<ClusterUsage> {
    return this.#single('GET', '/v1/usage', undefined, signal);
  }

  /** Starts a program with its streams attached. Daemons may be started anew while it runs. */
  run(request: RunRequest, onAway?: RunConnectionOptions['onAway']): Promise<AttachedProcess> {
    return this.#connectRun({ request, ...(onAway === undefined ? {} : { onAway }) });
  }

  async #connectRun(options: Omit<RunConnectionOptions, 'first' | 'connect'>): Promise<AttachedProcess> {
    let asked: string | undefined;
    const connect = async (started: boolean): Promise<HttpResponse> => {
      // The daemon that was asked first knows whether it has started the program, where no node was named.
      const paths = asked === undefined || started ? this.#socketPaths : [asked];
      const response = await exchange(paths, 'POST', '/v1/run', { Connection: 'Upgrade', Upgrade: RUN_PROTOCOL });
      if (response.status !== 101) throw await failureOf(response);
      asked ??= response.path;
      return response;
    };
    const first = await patiently(() => connect(false));
    return new RunConnection({ ...options, first, connect });
  }

  /** Starts a program in a session of its own with /dev/null as its streams; once, also when daemons die over it. */
  async runDetached(request: RunRequest): Promise<StartedProcess> {
    return (await this.#connectRun({ request, detached: true })).started;
  }

  /** @param pid negative: a process group, as kill(2) */
  async kill(pid: number, signal: number): Promise<void> {
    await this.#post('/v1/kill', { pid, signal });
  }

  renice(request: ReniceRequest): Promise<Reniced> {
    return this.#post('/v1/renice', request);
  }

  /** Each of the processes as it ends, in that order. */
  wait(pids: readonly number[], signal?: AbortSignal): AsyncGenerator<WaitLine> {
    return this.#lines('POST', '/v1/wait', JSON.stringify({ pids }), signal);
  }

  async migrate(
    request: { readonly pids: readonly number[]; readonly node: string; readonly tree?: boolean },
    onProgress: (progress: MigrationProgress) => void = () => undefined,
  ): Promise<readonly MigrationResult[]> {
    for await (const line of this.#lines<MigrationLine>('POST', '/v1/migrate', JSON.stringify(request))) {
      if ('results' in line) return line.results;
      onProgress(line.progress);
    }
    throw new KorriganError('KRG_STREAM_BROKEN', 'the daemon ended its answer before it said what became of the migration');
  }

  explain(pid: number, node?: string): Promise<Explanation> {
    return this.#get('/v1/explain', { pid, node });
  }

  /** @param pid the parent of this program when none is named */
  capabilities(pid?: number): Promise<CapabilityReport> {
    return this.#get('/v1/capabilities', { pid });
  }

  /** @returns what it has then */
  changeCapabilities(request: Partial<ChangeCapabilitiesRequest>): Promise<CapabilityReport> {
    return this.#post('/v1/capabilities', request);
  }

  /** @param nodes by name or id; all come online or none */
  async addNodes(nodes: readonly string[]): Promise<void> {
    await this.#post('/v1/nodes/add', { nodes });
  }

  /** See NodeServices.removeNodes. */
  async removeNodes(
    request: Pick<RemoveNodesRequest, 'nodes'> & Partial<RemoveNodesRequest>,
    onProgress: (progress: DrainProgress) => void = () => undefined,
  ): Promise<readonly DrainResult[]> {
    for await (const line of this.#lines<DrainLine>('POST', '/v1/nodes/remove', JSON.stringify(request))) {
      if ('results' in line) return line.results;
      onProgress(line.progress);
    }
    throw new KorriganError('KRG_STREAM_BROKEN', 'the daemon ended its answer before it said what became of the nodes');
  }

  /** Ends nodes, all when none are named. */
  power(request: PowerRequest): Promise<PowerResult> {
    return this.#post('/v1/power', request);
  }

  /** @param seconds for how long it is good */
  token(seconds?: number): Promise<JoinToken> {
    return this.#post('/v1/token', { seconds });
  }

  /** @param node by name or id; one that is not a member yet by id */
  revoke(node: string): Promise<Revocation> {
    return this.#post('/v1/revoke', { node });
  }

  doctor(): Promise<DoctorCheck[]> {
    return this.#get('/v1/doctor');
  }

  async *logs(
    options: { readonly node?: string | undefined; readonly lines?: number; readonly follow?: boolean } = {},
  ): AsyncGenerator<string> {
    for await (const { line } of this.#lines<{ readonly line: string }>('GET', `/v1/logs${queryOf(options)}`)) yield line;
  }

  /** What happens on any node, from now on. */
  events(signal?: AbortSignal): AsyncGenerator<ClusterEvent> {
    return this.#lines('GET', '/v1/events', undefined, signal);
  }

  /** What is held, and waited for, in the cluster, as far as the caller may see it. */
  locks(): Promise<SyncListing> {
    return this.#get('/v1/sync/list');
  }

  /**
   * Locks, semaphores, barriers and condition variables for this program.
   * @param label which program this is, for others @param session of the program that has started this one and waits for it
   */
  async sync(label: string, session = ''): Promise<SyncSession> {
    const lease = await exchange(this.#socketPaths, 'POST', '/v1/sync/lease', { Connection: 'close' }, JSON.stringify({ label, session }));
    const lines = linesOf<LeaseLine>(lease);
    const first = (await lines.next()).value as LeaseLine | undefined;
    if (first === undefined || !('lease' in first))
      throw new KorriganError('KRG_STREAM_BROKEN', 'the daemon ended its answer before it had begun');
    const daemon = new NodeClient(lease.path);
    return new SyncSession({
      lease: { first, rest: lines },
      ask: (body) => daemon.#lines<AskLine>('POST', '/v1/sync/ask', JSON.stringify(body)),
      close: () => lease.socket.destroy(),
    });
  }

  /** What only asks is asked again when the daemon dies over it: another one is started in its place. */
  #get<Answer>(path: string, query: Query = {}): Promise<Answer> {
    return patiently(() => this.#single('GET', path + queryOf(query)));
  }

  #post<Answer>(path: string, request: unknown): Promise<Answer> {
    return this.#single('POST', path, JSON.stringify(request));
  }

  async #single<Answer>(method: 'GET' | 'POST', target: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    const response = await exchange(this.#socketPaths, method, target, { Connection: 'close' }, body, signal);
    if (response.status !== 200) throw await failureOf(response);
    return JSON.parse(await textOf(response)) as Answer;
  }

  async *#lines<Line>(method: 'GET' | 'POST', target: string, body?: string, signal?: AbortSignal): AsyncGenerator<Line> {
    yield* linesOf<Line>(await exchange(this.#socketPaths, method, target, { Connection: 'close' }, body, signal));
  }
}

async function* linesOf<Line>(response: HttpResponse): AsyncGenerator<Line> {
  if (response.status !== 200) throw await failureOf(response);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of response.body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const value = JSON.parse(line) as Line | { readonly error: ErrorJSON };
      if (isFailure(value)) throw KorriganError.fromJSON(value.error);
      yield value;
    }
  }
}

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === ATTEMPTS || !isKorriganError(error, 'KRG_STREAM_BROKEN')) throw error;
    }
  }
}

function queryOf(values: Query): string {
  const given = Object.entries(values).filter((entry) => entry[1] !== undefined);
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

async function textOf(response: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function failureOf(response: HttpResponse): Promise<KorriganError> {
  const text = await textOf(response);
  try {
    const answer: unknown = JSON.parse(text);
    if (isFailure(answer)) return KorriganError.fromJSON(answer.error);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  return new KorriganError('KRG_STREAM_BROKEN', `the daemon answered with HTTP status ${response.status} and no error that is understood`);
}

function isFailure(value: unknown): value is { readonly error: ErrorJSON } {
  if (typeof value !== 'object' || value === null || !('error' in value)) return false;
  const { error } = value;
  return typeof error === 'object' && error !== null && 'code' in error && 'message' in error;
}
