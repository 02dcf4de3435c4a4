/** The user's end of an attached program's connection: three Node streams and a promise of the exit status. */
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { KorriganError } from '../../linux/errors.ts';
import { encodeFrame, FrameDecoder, inPieces, STDIN_WINDOW } from './frames.ts';
import type { Frame } from './frames.ts';
import type { ExitStatus, StartedProcess } from './types.ts';

/** A program that runs with its streams attached. */
export interface AttachedProcess {
  /** Rejects when the program could not be started. */
  readonly started: Promise<StartedProcess>;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Empty for a program with a terminal. */
  readonly stderr: Readable;
  /** Resolves after all output was read. Rejects with KRG_STREAM_BROKEN when the connection is lost. */
  readonly exited: Promise<ExitStatus>;
  signal(signal: number): void;
  resize(columns: number, rows: number): void;
  /** Gives the connection up; the daemon treats it as lost. */
  close(): void;
}

/** @param socket upgraded; written to here @param incoming what comes from it */
export function attach(socket: Socket, incoming: AsyncIterable<Uint8Array>, request: unknown): AttachedProcess {
  return new RunConnection(socket, incoming, request);
}

class RunConnection implements AttachedProcess {
  readonly started: Promise<StartedProcess>;
  readonly exited: Promise<ExitStatus>;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;

  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #started = Promise.withResolvers<StartedProcess>();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  #credit = STDIN_WINDOW;
  #creditWaiter: (() => void) | undefined;
  #outputTaken: (() => void) | undefined;
  #ended = false;

  constructor(socket: Socket, incoming: AsyncIterable<Uint8Array>, request: unknown) {
    this.#socket = socket;
    this.started = this.#started.promise;
    this.exited = this.#exited.promise;
    // Each failure is told by both promises; a caller may look at one of them only.
    this.started.catch(() => undefined);
    this.exited.catch(() => undefined);

    this.stdout = new Readable({ read: () => this.#outputTaken?.() });
    this.stderr = new Readable({ read: () => this.#outputTaken?.() });
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, written) => {
        this.#sendInput(chunk).then(() => written(), written);
      },
      final: (done) => {
        this.#send({ type: 'stdin-end' });
        done();
      },
    });
    // Input that nobody reads any more, because the program has ended, is no failure of the run.
    this.stdin.on('error', () => undefined);

    this.#send({ type: 'request', body: request });
    this.#receive(incoming).then(
      () => this.#finish(connectionLost()),
      (error: unknown) => this.#finish(error),
    );
  }

  signal(signal: number): void {
    this.#send({ type: 'signal', signal });
  }

  resize(columns: number, rows: number): void {
    this.#send({ type: 'resize', columns, rows });
  }

  close(): void {
    this.#socket.destroy();
    this.#finish(connectionLost());
  }

  #send(frame: Frame): void {
    if (!this.#ended && this.#socket.writable) this.#socket.write(encodeFrame(frame));
  }

  async #sendInput(chunk: Buffer): Promise<void> {
    for (let offset = 0; offset < chunk.length; ) {
      while (this.#credit === 0 && !this.#ended) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#creditWaiter = resolve;
        await promise;
      }
      if (this.#ended) return;
      const piece = chunk.subarray(offset, offset + this.#credit);
      for (const data of inPieces(piece)) this.#send({ type: 'stdin', data });
      this.#credit -= piece.length;
      offset += piece.length;
    }
  }

  /** Takes frames until the connection ends, no faster than the output is read. */
  async #receive(incoming: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const bytes of incoming) {
      for (const frame of this.#decoder.push(bytes)) this.#accept(frame);
      while (isFull(this.stdout) || isFull(this.stderr)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#outputTaken = resolve;
        await promise;
      }
    }
  }

  #accept(frame: Frame): void {
    switch (frame.type) {
      case 'started':
        this.#started.resolve(frame.process);
        return;
      case 'stdin-credit':
        this.#credit += frame.bytes;
        this.#creditWaiter?.();
        return;
      case 'stdout':
        this.stdout.push(frame.data);
        return;
      case 'stderr':
        this.stderr.push(frame.data);
        return;
      case 'exit':
        this.#exited.resolve(frame.status);
        this.#finish(new KorriganError('KRG_INTERNAL', 'the program ended before the daemon said that it had started'));
        this.#socket.end();
        return;
      case 'error':
        this.#finish(KorriganError.fromJSON(frame.error));
        this.#socket.end();
        return;
      default:
        throw new KorriganError('KRG_BAD_REQUEST', `the daemon sent a ${frame.type} frame, which is for the user's side to send`);
    }
  }

  /** Ends the streams; the promises that are still open reject with `error`. */
  #finish(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#started.reject(error);
    this.#exited.reject(error);
    this.stdout.push(null);
    this.stderr.push(null);
    this.stdin.destroy();
    this.#creditWaiter?.();
  }
}

function isFull(stream: Readable): boolean {
  return !stream.destroyed && !stream.readableEnded && stream.readableLength >= stream.readableHighWaterMark;
}

function connectionLost(): KorriganError {
  return new KorriganError(
    'KRG_STREAM_BROKEN',
    'the connection to the node was lost while the program ran: its daemon was ended or started anew; `krg ps` shows whether the program still runs',
  );
}
