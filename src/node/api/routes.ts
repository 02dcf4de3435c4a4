/** The table of the HTTP API: method and path → parse → service. */
import { KorriganError } from '../../linux/errors.ts';
import {
  emptyRequest,
  explainRequest,
  killRequest,
  logsRequest,
  migrateRequest,
  parseRequest,
  processesRequest,
  revokeRequest,
  runRequest,
  tokenRequest,
} from './schemas.ts';
import type { NodeServices } from './services.ts';
import type { Caller, MigrationProgress, MigrationResult } from './types.ts';

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
  single(
    'POST',
    '/v1/run',
    ({ caller, parameters, services }) => services.runDetached(caller, parseRequest(runRequest, parameters)),
    RUN_REQUEST_LIMIT,
  ),
  single('POST', '/v1/kill', ({ caller, parameters, services }) => services.kill(caller, parseRequest(killRequest, parameters))),
  lines('POST', '/v1/migrate', migrate),
  single('GET', '/v1/explain', ({ caller, parameters, services }) => services.explain(caller, parseRequest(explainRequest, parameters))),
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
];

/** @throws KorriganError KRG_BAD_REQUEST that names what there is */
export function findRoute(method: string, path: string): Route {
  const found = ROUTES.find((route) => route.method === method && route.path === path);
  if (found !== undefined) return found;
  const known = ROUTES.map((route) => `${route.method} ${route.path}`).join(', ');
  throw new KorriganError('KRG_BAD_REQUEST', `the API has no ${method} ${path}; it has ${known}`);
}

/** Progress as it comes, then the results. Progress that the caller does not read in time is dropped, the newest is kept. */
async function* migrate({ caller, parameters, services, abort }: Call): AsyncGenerator<MigrationLine> {
  const request = parseRequest(migrateRequest, parameters);
  const newest = new Map<number, MigrationProgress>();
  let wake = Promise.withResolvers<'progress' | 'end'>();
  const onProgress = (progress: MigrationProgress): void => {
    newest.set(progress.pid, progress);
    wake.resolve('progress');
  };
  const moved = services.migrate(caller, request, onProgress, abort);
  const ended = moved.then(
    () => 'end' as const,
    () => 'end' as const,
  );
  while ((await Promise.race([ended, wake.promise])) === 'progress') {
    wake = Promise.withResolvers();
    for (const progress of newest.values()) yield { progress };
    newest.clear();
  }
  yield { results: await moved };
}

function single(method: Route['method'], path: string, serve: (call: Call) => Promise<unknown>, bodyLimit = BODY_LIMIT): Route {
  return { kind: 'single', method, path, bodyLimit, serve };
}

function lines(method: Route['method'], path: string, serve: (call: Call) => AsyncIterable<unknown>): Route {
  return { kind: 'lines', method, path, bodyLimit: BODY_LIMIT, serve };
}
