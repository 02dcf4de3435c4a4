/**
 * The HTTP API of a node, on a unix socket. Whoever may connect may ask: each request carries the credentials the kernel gives for
 * its connection, and the services decide what that user may do. Bodies are bounded and parsed against `schemas.ts` before a
 * service sees them; garbage is answered with KRG_BAD_REQUEST and costs its sender the connection, nothing else.
 */
import { chmod, rename, unlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { peerCredentials } from '../../linux/index.ts';
import { errorKind, KorriganError, toKorriganError } from '../../linux/errors.ts';
import { findRoute } from './routes.ts';
import type { Call } from './routes.ts';
import { ConnectionLink } from './connection-link.ts';
import { OBJECTS_PROTOCOL } from './objects-protocol.ts';
import { RUN_PROTOCOL } from './run-protocol.ts';
import type { ByteLink } from '../../streams/index.ts';
import type { NodeServices } from './services.ts';
import type { Caller } from './types.ts';

export interface ApiServerOptions {
  /** Replaced when it exists: its owner must be known to be gone. */
  readonly socketPath: string;
  readonly services: NodeServices;
  /** Told of every failure that is not a KorriganError: a fault in Korrigan. */
  readonly onFault: (error: unknown) => void;
}

export interface ApiServer {
  /** Stops listening, drops every connection and removes the socket. */
  close(): Promise<void>;
}

/** The longest a request may take to arrive. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;
const CONNECTION_LIMIT = 1024;
/**
 * How much of what is refused is still read, bytes: a connection that is closed over unread bytes is reset (unix(7)), and the answer may be
 * lost on a caller who sends everything before it reads.
 */
const DROPPED_LIMIT = 4 << 20;
/** How long who was refused may take to close the connection. */
const REFUSED_MILLISECONDS = 5000;

/** Conversations that are no requests: by path and protocol. */
const UPGRADES: ReadonlyMap<string, (services: NodeServices, caller: Caller, user: ByteLink) => Promise<void>> = new Map([
  [`/v1/run ${RUN_PROTOCOL}`, (services: NodeServices, caller: Caller, user: ByteLink) => services.run(caller, user)],
  [`/v1/objects ${OBJECTS_PROTOCOL}`, (services: NodeServices, caller: Caller, user: ByteLink) => services.objects(caller, user)],
]);

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { socketPath, services, onFault } = options;
  const callers = new WeakMap<Duplex, Caller>();
  const sockets = new Set<Duplex>();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MILLISECONDS });
  server.maxConnections = CONNECTION_LIMIT;

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    try {
      callers.set(socket, callerOf(socket));
    } catch (error) {
      onFault(error);
      socket.destroy();
    }
  });
  server.on('request', (request, response) => {
    answer(request, response, callers.get(request.socket), services, onFault).catch(onFault);
  });
  server.on('upgrade', (request, socket, received) => {
    const caller = callers.get(socket);
    const { upgrade = '' } = request.headers;
    const serve = request.method === 'POST' ? UPGRADES.get(`${request.url} ${upgrade}`) : undefined;
    if (caller === undefined || serve === undefined) {
      const known = [...UPGRADES.keys()].map((key) => `POST ${key.replace(' ', ' to ')}`);
      refuse(socket, new KorriganError('KRG_BAD_REQUEST', `only these can be upgraded: ${known.join(', ')}`));
      return;
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`);
    serve(services, caller, new ConnectionLink(socket, received)).catch(onFault);
  });
  server.on('clientError', (error, socket) => {
    refuse(socket, new KorriganError('KRG_BAD_REQUEST', `this is not an HTTP request: ${error.message}`));
  });

  // Bound beside its place and moved there, so that a client finds the old socket or the new one, never none.
  const temporary = `${socketPath}.new`;
  await unlinkIfPresent(temporary);
  await listen(server, temporary);
  await chmod(temporary, 0o666);
  await rename(temporary, socketPath);

  return {
    close: async () => {
      await unlinkIfPresent(socketPath);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  caller: Caller | undefined,
  services: NodeServices,
  onFault: (error: unknown) => void,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new KorriganError('KRG_CANCELLED', 'the caller closed the connection')));
  try {
    if (caller === undefined) throw new KorriganError('KRG_PERMISSION', 'the credentials of the connection are not known');
    const url = parseAddress(request.url ?? '/');
    const route = findRoute(request.method ?? '', url.pathname);
    const body = await readBody(request, route.bodyLimit);
    const parameters = route.method === 'GET' ? Object.fromEntries(url.searchParams) : parseJson(body);
    const call: Call = { caller, parameters, services, abort: gone.signal };
    if (route.kind === 'single') sendJson(response, 200, (await route.serve(call)) ?? {});
    else await sendLines(response, route.serve(call), gone.signal);
  } catch (error) {
    if (!(error instanceof KorriganError)) onFault(error);
    const shown = toKorriganError(error);
    if (response.destroyed) return;
    if (response.headersSent) {
      response.end(`${JSON.stringify({ error: shown.toJSON() })}\n`);
      return;
    }
    // The rest of a body that was refused is not read: the connection ends with the answer.
    if (!request.complete) response.shouldKeepAlive = false;
    sendJson(response, errorKind(shown.code).status, { error: shown.toJSON() });
  }
}

/** One JSON value per line, as fast as the caller reads. */
async function sendLines(response: ServerResponse, lines: AsyncIterable<unknown>, gone: AbortSignal): Promise<void> {
  for await (const value of lines) {
    if (gone.aborted) return;
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    if (!response.write(`${JSON.stringify(value)}\n`)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    response.off('drain', done);
    response.off('close', done);
    resolve();
  };
  response.on('drain', done);
  response.on('close', done);
  return promise;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const tooLong = (): KorriganError => new KorriganError('KRG_BAD_REQUEST', `the body of this request may have ${limit} bytes at most`);
  if (Number(request.headers['content-length'] ?? 0) > limit + DROPPED_LIMIT) throw tooLong();
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
    else if (length > limit + DROPPED_LIMIT) throw tooLong();
  }
  if (length > limit) throw tooLong();
  return Buffer.concat(chunks);
}

function parseAddress(text: string): URL {
  try {
    return new URL(text, 'http://node');
  } catch (cause) {
    throw new KorriganError('KRG_BAD_REQUEST', `"${text}" is no address of this API`, { cause });
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (cause) {
    throw new KorriganError('KRG_BAD_REQUEST', 'the body of this request is JSON, and what came is none', { cause });
  }
}

/** Ends a connection that is not, or no longer, in HTTP's hands. */
function refuse(socket: Duplex, error: KorriganError): void {
  if (!socket.writable) {
    // After an answer, what still comes is dropped until the caller closes.
    if (!socket.writableEnded) socket.destroy();
    return;
  }
  const body = `${JSON.stringify({ error: error.toJSON() })}\n`;
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${errorKind(error.code).status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.resume();
  const late = setTimeout(() => socket.destroy(), REFUSED_MILLISECONDS);
  socket.once('close', () => clearTimeout(late));
}

function callerOf(socket: Socket): Caller {
  // Node has no public way to the descriptor of a socket.
  const handle = (socket as unknown as Record<'_handle', { fd: number } | null>)['_handle'];
  if (handle === null) throw new KorriganError('KRG_STREAM_BROKEN', 'the connection was closed before it could be looked at');
  return peerCredentials(handle.fd);
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
