/**
 * One HTTP/1.1 exchange on a unix socket, for `krg`: node:http would add a third to the time that `krg ps` takes to start.
 * Understands what the daemon sends: a length, chunks, or an upgrade; one request per connection.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../../linux/errors.ts';

export interface HttpResponse {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  /**
   * Ends with the body; after an upgrade, with the connection.
   * @throws KorriganError KRG_STREAM_BROKEN when the connection ends before the body does
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** To write to after an upgrade. */
  readonly socket: Socket;
  /** Where the daemon that answers listens. */
  readonly path: string;
}

const HEAD_LIMIT = 64 * 1024;
/** A daemon that is being restarted refuses connections for a moment; nothing was sent yet, so to try again is safe. */
export const CONNECT_PATIENCE_MILLISECONDS = 10_000;
const CONNECT_PAUSE_MILLISECONDS = 25;

/**
 * Sends a request to the first of the sockets where a daemon listens, and reads the head of its answer.
 * @param signal gives the exchange up, with its connection
 * @throws KorriganError KRG_NO_DAEMON, KRG_STREAM_BROKEN
 */
export async function exchange(
  socketPaths: readonly string[],
  method: 'GET' | 'POST',
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  const { socket, path } = await connectPatiently(socketPaths, signal);
  const giveUp = (): void => void socket.destroy();
  signal?.addEventListener('abort', giveUp);
  if (signal?.aborted === true) giveUp();
  socket.once('close', () => signal?.removeEventListener('abort', giveUp));
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: node'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
  return readResponse(socket, path);
}

async function connectPatiently(paths: readonly string[], signal?: AbortSignal): Promise<{ socket: Socket; path: string }> {
  const patientUntil = Date.now() + CONNECT_PATIENCE_MILLISECONDS;
  for (;;) {
    const failures: NodeJS.ErrnoException[] = [];
    for (const path of paths) {
      try {
        return { socket: await connectOnce(path), path };
      } catch (error) {
        failures.push(error as NodeJS.ErrnoException);
      }
    }
    const restarting = failures.some((failure) => failure.code === 'ECONNREFUSED');
    if (!restarting || Date.now() > patientUntil || signal?.aborted === true) throw noDaemon(paths, failures);
    await delay(CONNECT_PAUSE_MILLISECONDS);
  }
}

function noDaemon(paths: readonly string[], failures: readonly NodeJS.ErrnoException[]): KorriganError {
  const forbidden = failures.some((failure) => failure.code === 'EACCES');
  const why = forbidden ? 'you may not connect to it' : 'it is not running, or it has died';
  const message = `no daemon answers at ${paths.join(' or ')}: ${why}; look at \`krg logs\`, or start the cluster again with \`krg down\` and \`krg up\``;
  return new KorriganError('KRG_NO_DAEMON', message, { cause: failures.at(-1) });
}

function connectOnce(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(path);
  socket.once('error', reject);
  socket.once('connect', () => {
    socket.off('error', reject);
    resolve(socket);
  });
  return promise;
}

async function readResponse(socket: Socket, path: string): Promise<HttpResponse> {
  const source = new ByteSource(socket);
  const head = await source.takeThrough('\r\n\r\n', HEAD_LIMIT);
  const [statusLine = '', ...headerLines] = head.toString('latin1').trimEnd().split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (!Number.isInteger(status))
    throw new KorriganError('KRG_STREAM_BROKEN', `what answers is not a Korrigan daemon: it said ${JSON.stringify(statusLine)}`);
  const headers = new Map<string, string>();
  for (const line of headerLines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status, headers, body: status === 101 ? source.rest() : readBody(source, headers), socket, path };
}

async function* readBody(source: ByteSource, headers: ReadonlyMap<string, string>): AsyncGenerator<Uint8Array> {
  try {
    if (headers.get('transfer-encoding') !== 'chunked') {
      yield* source.take(Number(headers.get('content-length') ?? 0));
      return;
    }
    for (;;) {
      const size = Number.parseInt((await source.takeThrough('\r\n', 1024)).toString('latin1'), 16);
      if (size > 0) yield* source.take(size);
      await source.takeThrough('\r\n', 2);
      if (size === 0) return;
    }
  } finally {
    source.socket.destroy();
  }
}

/** The bytes of a socket, taken in measured pieces. */
class ByteSource {
  readonly socket: Socket;
  readonly #iterator: AsyncIterator<Buffer>;
  #pending: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    this.#iterator = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  /** Everything up to and with the first `end`. */
  async takeThrough(end: string, limit: number): Promise<Buffer> {
    for (;;) {
      const index = this.#pending.indexOf(end);
      if (index >= 0) return this.#cut(index + end.length);
      if (this.#pending.length > limit)
        throw new KorriganError('KRG_STREAM_BROKEN', `no end was found within ${limit} bytes of the daemon's answer`);
      await this.#need();
    }
  }

  /** The next `length` bytes, as they come. */
  async *take(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      if (this.#pending.length === 0) await this.#need();
      const piece = this.#cut(Math.min(left, this.#pending.length));
      left -= piece.length;
      yield piece;
    }
  }

  /** Everything that comes until the other side ends the connection. */
  async *rest(): AsyncGenerator<Buffer> {
    do {
      if (this.#pending.length > 0) yield this.#cut(this.#pending.length);
    } while (await this.#more());
  }

  #cut(length: number): Buffer {
    const piece = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return piece;
  }

  async #need(): Promise<void> {
    if (await this.#more()) return;
    throw new KorriganError('KRG_STREAM_BROKEN', 'the daemon closed the connection before its answer was complete');
  }

  /** Waits for more bytes; false at the end of the connection. */
  async #more(): Promise<boolean> {
    let next: IteratorResult<Buffer>;
    try {
      next = await this.#iterator.next();
    } catch (cause) {
      throw new KorriganError('KRG_STREAM_BROKEN', 'the connection to the daemon was lost before its answer was complete', { cause });
    }
    if (next.done === true) return false;
    this.#pending = this.#pending.length === 0 ? next.value : Buffer.concat([this.#pending, next.value]);
    return true;
  }
}
