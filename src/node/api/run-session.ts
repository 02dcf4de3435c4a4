/** The daemon's end of an attached program's connection: frames on one side, the RunSession of `services.ts` on the other. */
import type { Duplex } from 'node:stream';
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { encodeFrame, FrameDecoder, inPieces, STDIN_WINDOW } from './frames.ts';
import type { Frame } from './frames.ts';
import { parseRequest, runRequest } from './schemas.ts';
import type { RunRequest } from './schemas.ts';
import type { NodeServices, RunSession } from './services.ts';
import { StdinQueue } from './stdin-queue.ts';
import type { Caller, StartedProcess } from './types.ts';

/** How long the user's side may take to send its request. */
const REQUEST_TIMEOUT_MILLISECONDS = 10_000;

/** Signals that are kept until the program has begun. */
const EARLY_SIGNALS_LIMIT = 1024;

/** Serves one upgraded connection to its end. Never rejects: what fails is told to the user's side. */
export async function serveRunConnection(
  connection: Duplex,
  received: Uint8Array,
  caller: Caller,
  services: Pick<NodeServices, 'run'>,
): Promise<void> {
  const session = new ConnectedSession(connection);
  session.receive(received);
  let last: Frame;
  try {
    const request = await session.request();
    last = { type: 'exit', status: await services.run(caller, request, session) };
  } catch (error) {
    last = { type: 'error', error: toKorriganError(error).toJSON() };
  }
  session.close(last);
}

class ConnectedSession implements RunSession {
  readonly stdin: StdinQueue;
  readonly connectionLost: AbortSignal;

  readonly #connection: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #lost = new AbortController();
  readonly #request = Promise.withResolvers<RunRequest>();
  #requested = false;
  #closing = false;
  #signalListener: ((signal: number) => void) | undefined;
  #earlySignals: number[] = [];
  #resizeListener: ((size: { columns: number; rows: number }) => void) | undefined;
  #earlySize: { columns: number; rows: number } | undefined;

  constructor(connection: Duplex) {
    this.#connection = connection;
    this.connectionLost = this.#lost.signal;
    this.stdin = new StdinQueue(STDIN_WINDOW, (bytes) => {
      if (!this.#ended()) connection.write(encodeFrame({ type: 'stdin-credit', bytes }));
    });
    // A connection that fails also closes, and the close is what counts.
    connection.on('error', () => undefined);
    connection.on('data', (bytes: Uint8Array) => this.receive(bytes));
    connection.on('end', () => this.#lose());
    connection.on('close', () => this.#lose());
  }

  /** What the user wants to run. @throws KorriganError KRG_BAD_REQUEST, KRG_DEADLINE, KRG_STREAM_BROKEN */
  async request(): Promise<RunRequest> {
    const timer = setTimeout(() => {
      this.#request.reject(new KorriganError('KRG_DEADLINE', 'the connection was upgraded, but no request frame followed'));
    }, REQUEST_TIMEOUT_MILLISECONDS);
    try {
      return await this.#request.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  receive(bytes: Uint8Array): void {
    if (this.#closing) return;
    try {
      for (const frame of this.#decoder.push(bytes)) this.#accept(frame);
    } catch (error) {
      // The stream has lost its framing: say why, then nothing more can be understood.
      this.#request.reject(error);
      this.close({ type: 'error', error: toKorriganError(error).toJSON() });
      this.#lose();
    }
  }

  started(process: StartedProcess): void {
    if (!this.#ended()) this.#connection.write(encodeFrame({ type: 'started', process }));
  }

  writeStdout(bytes: Uint8Array): Promise<void> {
    return this.#writeOutput('stdout', bytes);
  }

  writeStderr(bytes: Uint8Array): Promise<void> {
    return this.#writeOutput('stderr', bytes);
  }

  onSignal(listener: (signal: number) => void): void {
    this.#signalListener = listener;
    for (const signal of this.#earlySignals.splice(0)) listener(signal);
  }

  onResize(listener: (size: { columns: number; rows: number }) => void): void {
    this.#resizeListener = listener;
    if (this.#earlySize !== undefined) listener(this.#earlySize);
    this.#earlySize = undefined;
  }

  /** Sends the last frame and ends the connection; a second call does nothing. */
  close(last: Frame): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#connection.writable) this.#connection.end(encodeFrame(last));
    // What the user's side still sends is dropped, so that its end is noticed.
    this.#connection.resume();
  }

  #accept(frame: Frame): void {
    if (!this.#requested && frame.type !== 'request') throw outOfPlace(frame, 'the first frame is a request');
    switch (frame.type) {
      case 'request':
        if (this.#requested) throw outOfPlace(frame, 'there was one already');
        this.#requested = true;
        this.#request.resolve(parseRequest(runRequest, frame.body));
        return;
      case 'stdin':
        this.stdin.push(frame.data);
        return;
      case 'stdin-end':
        this.stdin.end();
        return;
      case 'signal':
        if (frame.signal < 1 || frame.signal > 64) throw outOfPlace(frame, 'signals are 1 to 64');
        if (this.#signalListener !== undefined) this.#signalListener(frame.signal);
        else if (this.#earlySignals.length < EARLY_SIGNALS_LIMIT) this.#earlySignals.push(frame.signal);
        else throw outOfPlace(frame, `no more than ${EARLY_SIGNALS_LIMIT} signals are kept for a program that has not begun`);
        return;
      case 'resize': {
        const { columns, rows } = frame;
        if (this.#resizeListener === undefined) this.#earlySize = { columns, rows };
        else this.#resizeListener({ columns, rows });
        return;
      }
      default:
        throw outOfPlace(frame, 'only the daemon sends it');
    }
  }

  async #writeOutput(type: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> {
    for (const data of inPieces(bytes)) {
      if (this.#ended()) throw new KorriganError('KRG_STREAM_BROKEN', 'the user of the program has gone: the connection was closed');
      if (!this.#connection.write(encodeFrame({ type, data }))) await this.#drained();
    }
  }

  /** Resolves when the connection takes more, or has gone. */
  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => {
      this.#connection.off('drain', done);
      this.#connection.off('close', done);
      resolve();
    };
    this.#connection.on('drain', done);
    this.#connection.on('close', done);
    return promise;
  }

  #ended(): boolean {
    return this.#closing || this.#lost.signal.aborted || !this.#connection.writable;
  }

  #lose(): void {
    if (this.#lost.signal.aborted) return;
    const gone = new KorriganError('KRG_STREAM_BROKEN', 'the connection was closed before the program had ended');
    this.#request.reject(gone);
    this.stdin.end();
    if (this.#closing) return;
    this.#lost.abort(gone);
    this.#connection.end();
  }
}

function outOfPlace(frame: Frame, why: string): KorriganError {
  return new KorriganError('KRG_BAD_REQUEST', `a ${frame.type} frame is out of place here: ${why}`);
}
