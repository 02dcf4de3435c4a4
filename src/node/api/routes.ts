/** The table of the HTTP API: method and path → parse → service. */
import { KorriganError } from '../../linux/errors.ts';
import {
  addNodesRequest,
  capabilitiesRequest,
  changeCapabilitiesRequest,
  emptyRequest,
  explainRequest,
  killRequest,
  logsRequest,
  migrateRequest,
  parseRequest,
  powerRequest,
  processesRequest,
  removeNodesRequest,
  reniceRequest,
  revokeRequest,
  runRequest,
  tokenRequest,
  waitRequest,
} from './schemas.ts';
import { askRequest, leaseRequest } from './sync-schemas.ts';
import type { NodeServices } from './services.ts';
import type { Caller, DrainProgress, DrainResult, MigrationProgress, MigrationResult } from './types.ts';

/** One request, not yet parsed. */
export interface Call {
  readonly caller: Caller;
  /** The query of a GET, the JSON body of a POST. */
  readonly parameters: unknown;
  readonly services: NodeServices;
  /** Aborted when the caller has gone. */
  readonly abort: AbortSignal;
}

interface RouteHead {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Bytes. */
  readonly bodyLimit: number;
}

/** `single` answers one JSON value, `lines` a stream of them, one per line. */
export type Route = RouteHead &
  (
    | { readonly kind: 'single'; readonly serve: (call: Call) => Promise<unknown> }
    | { readonly kind: 'lines'; readonly serve: (call: Call) => AsyncIterable<unknown> }
  );

/** A line of the answer to POST /v1/migrate; the last one has `results` or `error`. */
export type MigrationLine = { readonly progress: MigrationProgress } | { readonly results: readonly MigrationResult[] };

/** The same of POST /v1/nodes/remove. */
export type DrainLine = { readonly progress: DrainProgress } | { readonly results: readonly DrainResult[] };

const BODY_LIMIT = 64 * 1024;
/** Arguments and environment of a program. */
const RUN_REQUEST_LIMIT = 8 * 1024 * 1024;

const ROUTES: readonly Route[] = [
  single('GET', '/v1/status', ({ caller, parameters, services }) => {
    parseRequest(emptyRequest, parameters);
    return services.status(caller);
  }),
  single('GET', '/v1/processes', ({ caller, parameters, services }) =>
    services.processes(caller, parseRequest(processesRequest, parameters)),
  ),
  single('GET', '/v1/usage', ({ caller, parameters, services }) => {
    parseRequest(emptyRequest, parameters);
    return services.usage(caller);
  }),
  single(
    'POST',
    '/v1/run',
    ({ caller, parameters, services }) => services.runDetached(caller, parseRequest(runRequest, parameters)),
    RUN_REQUEST_LIMIT,
  ),
  single('POST', '/v1/kill', ({ caller, parameters, services }) => services.kill(caller, parseRequest(killRequest, parameters))),
  single('POST', '/v1/renice', ({ caller, parameters, services }) => services.renice(caller, parseRequest(reniceRequest, parameters))),
  lines('POST', '/v1/wait', ({ caller, parameters, services, abort }) =>
    services.wait(caller, parseRequest(waitRequest, parameters), abort),
  ),
  lines('POST', '/v1/migrate', migrate),
  single('GET', '/v1/explain', ({ caller, parameters, services }) => services.explain(caller, parseRequest(explainRequest, parameters))),
  single('GET', '/v1/capabilities', ({ caller, parameters, services }) =>
    services.capabilities(caller, parseRequest(capabilitiesRequest, parameters)),
  ),
  single('POST', '/v1/capabilities', ({ caller, parameters, services }) =>
    services.changeCapabilities(caller, parseRequest(changeCapabilitiesRequest, parameters)),
  ),
  single('POST', '/v1/nodes/add', ({ caller, parameters, services }) =>
    services.addNodes(caller, parseRequest(addNodesRequest, parameters)),
  ),
  lines('POST', '/v1/nodes/remove', ({ caller, parameters, services, abort }) => {
    const request = parseRequest(removeNodesRequest, parameters);
    return withProgress<DrainProgress, readonly DrainResult[]>((onProgress) => services.removeNodes(caller, request, onProgress, abort));
  }),
  single('POST', '/v1/power', ({ caller, parameters, services }) => services.power(caller, parseRequest(powerRequest, parameters))),
  single('POST', '/v1/token', ({ caller, parameters, services }) => services.token(caller, parseRequest(tokenRequest, parameters))),
  single('POST', '/v1/revoke', ({ caller, parameters, services }) => services.revoke(caller, parseRequest(revokeRequest, parameters))),
  single('GET', '/v1/doctor', ({ caller, parameters, services }) => {
    parseRequest(emptyRequest, parameters);
    return services.doctor(caller);
  }),
  lines('GET', '/v1/logs', async function* ({ caller, parameters, services, abort }) {
    for await (const line of services.logs(caller, parseRequest(logsRequest, parameters), abort)) yield { line };
  }),
  lines('GET', '/v1/events', ({ caller, parameters, services, abort }) => {
    parseRequest(emptyRequest, parameters);
    return services.events(caller, abort);
  }),
  lines('POST', '/v1/sync/lease', ({ caller, parameters, services, abort }) =>
    services.sync.lease(caller, parseRequest(leaseRequest, parameters), abort),
  ),
  lines('POST', '/v1/sync/ask', ({ caller, parameters, services, abort }) =>
    services.sync.ask(caller, parseRequest(askRequest, parameters), abort),
  ),
  single('GET', '/v1/sync/list', ({ caller, parameters, services }) => {
    parseRequest(emptyRequest, parameters);
    return services.sync.list(caller);
  }),
];

/** @throws KorriganError KRG_BAD_REQUEST that names what there is */
export function findRoute(method: string, path: string): Route {
  const found = ROUTES.find((route) => route.method === method && route.path === path);
  if (found !== undefined) return found;
  const known = ROUTES.map((route) => `${route.method} ${route.path}`).join(', ');
  throw new KorriganError('KRG_BAD_REQUEST', `the API has no ${method} ${path}; it has ${known}`);
}

/** Progress that the caller does not read in time is dropped, the newest of each process is kept. */
function migrate({ caller, parameters, services, abort }: Call): AsyncIterable<MigrationLine> {
  const request = parseRequest(migrateRequest, parameters);
  return withProgress<MigrationProgress, readonly MigrationResult[]>(
    (onProgress) => services.migrate(caller, request, onProgress, abort),
    ({ pid }) => pid,
  );
}

/** Progress as it comes, then the results. @param keyOf of what has the same key only the newest is told; all is when this is not given */
async function* withProgress<Progress, Results>(
  work: (onProgress: (progress: Progress) => void) => Promise<Results>,
  keyOf: (progress: Progress) => unknown = (progress) => progress,
): AsyncGenerator<{ readonly progress: Progress } | { readonly results: Results }> {
  const newest = new Map<unknown, Progress>();
  let wake = Promise.withResolvers<'progress' | 'end'>();
  const results = work((progress) => {
    newest.set(keyOf(progress), progress);
    wake.resolve('progress');
  });
  const ended = results.then(
    () => 'end' as const,
    () => 'end' as const,
  );
  for (let event: 'progress' | 'end' = 'progress'; event === 'progress'; ) {
    event = await Promise.race([ended, wake.promise]);
    wake = Promise.withResolvers();
    for (const progress of newest.values()) yield { progress };
    newest.clear();
  }
  yield { results: await results };
}

function single(method: Route['method'], path: string, serve: (call: Call) => Promise<unknown>, bodyLimit = BODY_LIMIT): Route {
  return { kind: 'single', method, path, bodyLimit, serve };
}

function lines(method: Route['method'], path: string, serve: (call: Call) => AsyncIterable<unknown>): Route {
  return { kind: 'lines', method, path, bodyLimit: BODY_LIMIT, serve };
}
