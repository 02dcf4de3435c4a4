/**
 * The user's end of a program that runs attached: three Node streams and a promise of the exit status. Connections to daemons come and go
 * under it: it attaches to its program again and again, and no byte, signal or status is lost or doubled by that.
 */
import { randomUUID } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import { encodeFrame, FrameDecoder, type Frame } from '../../streams/frames.ts';
import { RetainedBytes } from '../../streams/retained-bytes.ts';
import { CONNECT_PATIENCE_MILLISECONDS, type HttpResponse } from './http-exchange.ts';
import { type NodeMessage, USER_PATIENCE_MILLISECONDS, type UserMessage } from './run-protocol.ts';
import type { RunRequest } from './schemas.ts';
import type { ExitStatus, StartedProcess } from './types.ts';

/** A program that runs with its streams attached. */
export interface AttachedProcess {
  /** Rejects when the program could not be started. */
  readonly started: Promise<StartedProcess>;
  readonly stdin: Writable;
  /** Destroyed by who wants no more: the program sees that nobody reads. */
  readonly stdout: Readable;
  /** Empty for a program with a terminal. */
  readonly stderr: Readable;
  /** Resolves when all output has come. Rejects with KRG_STREAM_BROKEN when the program cannot be reached any more. */
  readonly exited: Promise<ExitStatus>;
  signal(signal: number): void;
  resize(columns: number, rows: number): void;
  /** Gives the program up; its node hangs up. */
  close(): void;
}

export interface RunConnectionOptions {
  readonly request: RunRequest;
  /** Only start it. */
  readonly detached?: true;
  /** A connection to a daemon, after its upgrade. */
  readonly first: HttpResponse;
  /** Makes another one. @param started the program is known to run: any daemon will do */
  readonly connect: (started: boolean) => Promise<HttpResponse>;
  /** Told when the program cannot be reached for a while, and when it is reached again. */
  readonly onAway?: (isAway: boolean) => void;
}

/** Bytes of standard input that may be on their way. */
const INPUT_WINDOW = 512 * 1024;
/** Output is confirmed when so much has come since the last time. */
const CONFIRM_BYTES = 128 * 1024;
const RETRY_MILLISECONDS = 25;
/** A lost connection is worth telling when it does not come back so soon. */
const AWAY_MILLISECONDS = 2000;
const INPUT = 0;
/** What a daemon answers while another one is being started anew. */
const PASSING = ['KRG_NODE_DEAD', 'KRG_NO_DAEMON', 'KRG_STREAM_BROKEN', 'KRG_DEADLINE'] as const;

/** One direction of output. */
interface Output {
  readonly stream: Readable;
  received: number;
  confirmed: number;
  /** The reader has asked for more since the stream said that it was full. */
  isWanted: boolean;
  ended: boolean;
}

export class RunConnection implements AttachedProcess {
  readonly started: Promise<StartedProcess>;
  readonly exited: Promise<ExitStatus>;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;

  readonly #options: RunConnectionOptions;
  readonly #run = randomUUID();
  readonly #started = Promise.withResolvers<StartedProcess>();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  readonly #input = new RetainedBytes(0, INPUT_WINDOW);
  readonly #outputs: ReadonlyMap<number, Output>;
  readonly #signals: number[] = [];
  readonly #isTerminal: boolean;
  #process: StartedProcess | undefined;
  #size: { columns: number; rows: number } | undefined;
  #connection: HttpResponse | undefined;
  /** The node knows this end: it may be told things. */
  #isAttached = false;
  #inputEnded = false;
  #inputWaiter: (() => void) | undefined;
  #ended = false;

  constructor(options: RunConnectionOptions) {
    this.#options = options;
    this.#isTerminal = options.request.terminal !== undefined;
    this.started = this.#started.promise;
    this.exited = this.#exited.promise;
    // Each failure is told by both promises; a caller may look at one of them only.
    this.started.catch(() => undefined);
    this.exited.catch(() => undefined);
    const output = (channel: number): Output => ({
      stream: new Readable({
        highWaterMark: INPUT_WINDOW,
        read: () => this.#wanted(channel),
        destroy: (error, done) => {
          this.#unwanted(channel);
          done(error);
        },
      }),
      received: 0,
      confirmed: 0,
      isWanted: true,
      ended: false,
    });
    this.#outputs = new Map(this.#isTerminal ? [[0, output(0)]] : [1, 2].map((channel) => [channel, output(channel)]));
    const [first, second] = [...this.#outputs.values()];
    this.stdout = first?.stream ?? new Readable();
    this.stderr = second?.stream ?? Readable.from([]);
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, written) => {
        this.#sendInput(chunk).then(() => written(), written);
      },
      final: (done) => {
        this.#inputEnded = true;
        this.#sendInputEnd();
        done();
      },
    });
    // Input that nobody reads any more, because the program has ended, is no failure of the run.
    this.stdin.on('error', () => undefined);
    this.#stayAttached().catch((error: unknown) => this.#finish(error));
  }

  signal(signal: number): void {
    this.#signals.push(signal);
    if (this.#isAttached) this.#tell({ kind: 'signal', signal, count: this.#signals.length });
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    if (this.#isAttached) this.#tell({ kind: 'resize', columns, rows });
  }

  close(): void {
    this.#finish(lost('the connection was closed'));
    this.#connection?.socket.destroy();
  }

  async #stayAttached(): Promise<void> {
    // The daemon of the program's node may be just being started again, as one's own may.
    let patientUntil = Date.now() + CONNECT_PATIENCE_MILLISECONDS;
    let last: unknown;
    for (let attempt = 0; !this.#ended; attempt++) {
      const away = setTimeout(() => this.#options.onAway?.(true), AWAY_MILLISECONDS).unref();
      try {
        const connection = attempt === 0 ? this.#options.first : await this.#options.connect(this.#process !== undefined);
        this.#connection = connection;
        await this.#converse(connection, () => {
          clearTimeout(away);
          this.#options.onAway?.(false);
          patientUntil = 0;
        });
        last = undefined;
      } catch (error) {
        if (!PASSING.some((code) => isKorriganError(error, code))) throw error;
        last = error;
      } finally {
        clearTimeout(away);
        this.#isAttached = false;
        this.#connection?.socket.destroy();
        this.#connection = undefined;
      }
      if (patientUntil === 0) patientUntil = Date.now() + USER_PATIENCE_MILLISECONDS;
      if (Date.now() > patientUntil && this.#process === undefined && last !== undefined) throw last;
      if (Date.now() > patientUntil)
        throw lost(`no daemon that knows the program answered for ${USER_PATIENCE_MILLISECONDS / 1000} s`, last);
      if (!this.#ended) await delay(RETRY_MILLISECONDS);
    }
  }

  /** Until the connection ends. @throws KorriganError that the daemon has said */
  async #converse(connection: HttpResponse, attached: () => void): Promise<void> {
    const { request } = this.#options;
    const received: number[] = [0, 0, 0];
    for (const [channel, output] of this.#outputs) received[channel] = output.received;
    const isKnown = this.#process !== undefined;
    this.#tell({
      kind: 'attach',
      run: this.#run,
      node: this.#process?.node ?? request.node,
      ...(isKnown ? {} : { request, detached: this.#options.detached }),
      received: this.#isTerminal ? received.slice(0, 1) : received,
    });
    const decoder = new FrameDecoder();
    try {
      for await (const bytes of connection.body) {
        for (const frame of decoder.push(bytes)) {
          if (frame.type === 'message') this.#obey(frame.value as NodeMessage, attached);
          else this.#accept(frame);
        }
      }
    } catch (error) {
      if (!isKorriganError(error, 'KRG_STREAM_BROKEN')) throw error;
    }
  }

  #obey(message: NodeMessage, attached: () => void): void {
    switch (message.kind) {
      case 'attached':
        attached();
        this.#isAttached = true;
        this.#process = message.process;
        this.#goOn(message.written[INPUT] ?? 0, message.signals);
        this.#started.resolve(message.process);
        if (this.#options.detached === true) {
          this.#tell({ kind: 'done' });
          this.#finish(lost('it has no user'));
        }
        return;
      case 'exit':
        this.#tell({ kind: 'done' });
        this.#exited.resolve(message.status);
        this.#finish(new KorriganError('KRG_INTERNAL', 'the program ended before the daemon said that it had started'));
        return;
      case 'error':
        throw KorriganError.fromJSON(message.error);
    }
  }

  /** Says again what the node has not got. */
  #goOn(written: number, signals: number): void {
    if (this.#size !== undefined) this.#tell({ kind: 'resize', ...this.#size });
    for (const [at, signal] of this.#signals.entries()) if (at >= signals) this.#tell({ kind: 'signal', signal, count: at + 1 });
    this.#confirmInput(written);
    for (const bytes of this.#input.chunks) this.#send({ type: 'data', channel: INPUT, bytes });
    this.#sendInputEnd();
    for (const [channel, output] of this.#outputs) {
      output.confirmed = output.received;
      if (!this.#isTerminal && (output.stream.destroyed || output.ended)) this.#send({ type: 'closed', channel });
    }
  }

  #accept(frame: Exclude<Frame, { type: 'message' }>): void {
    const output = this.#outputs.get(frame.channel);
    switch (frame.type) {
      case 'data':
        if (output === undefined) throw new KorriganError('KRG_BAD_REQUEST', `the node sent bytes of channel ${frame.channel}`);
        output.received += frame.bytes.length;
        output.isWanted = output.stream.destroyed || output.stream.push(frame.bytes);
        if (output.isWanted) this.#confirm(frame.channel, output, CONFIRM_BYTES);
        return;
      case 'written':
        this.#confirmInput(frame.position);
        return;
      case 'end':
        if (output === undefined || output.ended) return;
        output.ended = true;
        output.stream.push(null);
        if (!this.#isTerminal) this.#send({ type: 'closed', channel: frame.channel });
        return;
      case 'closed':
        if (frame.channel !== INPUT) return;
        this.#confirmInput(this.#input.end);
        this.stdin.destroy();
        return;
    }
  }

  /** The reader has taken what there was. */
  #wanted(channel: number): void {
    const output = this.#outputs.get(channel);
    if (output === undefined || output.isWanted) return;
    output.isWanted = true;
    this.#confirm(channel, output, 1);
  }

  #unwanted(channel: number): void {
    const output = this.#outputs.get(channel);
    if (output === undefined || output.ended || this.#ended) return;
    this.#send({ type: 'closed', channel });
  }

  #confirm(channel: number, output: Output, atLeast: number): void {
    if (output.received - output.confirmed < atLeast) return;
    output.confirmed = output.received;
    this.#send({ type: 'written', channel, position: output.received });
  }

  async #sendInput(chunk: Buffer): Promise<void> {
    for (let offset = 0; offset < chunk.length; ) {
      while (!this.#ended && !this.stdin.destroyed && !this.#input.hasRoom) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#inputWaiter = resolve;
        await promise;
      }
      if (this.#ended || this.stdin.destroyed) return;
      const bytes = chunk.subarray(offset, offset + INPUT_WINDOW - (this.#input.end - this.#input.start));
      this.#input.push(bytes);
      this.#send({ type: 'data', channel: INPUT, bytes });
      offset += bytes.length;
    }
  }

  /** A terminal has no such end: who wants one types it. */
  #sendInputEnd(): void {
    if (this.#inputEnded && !this.#isTerminal) this.#send({ type: 'end', channel: INPUT });
  }

  #confirmInput(position: number): void {
    this.#input.confirm(position);
    this.#inputWaiter?.();
  }

  #tell(message: UserMessage): void {
    const socket = this.#connection?.socket;
    if (!this.#ended && socket?.writable === true)
      for (const piece of encodeFrame({ type: 'message', value: message })) socket.write(piece);
  }

  #send(frame: Frame): void {
    const socket = this.#connection?.socket;
    if (this.#ended || !this.#isAttached || socket?.writable !== true) return;
    socket.cork();
    for (const piece of encodeFrame(frame)) socket.write(piece);
    socket.uncork();
  }

  /** Ends the streams; the promises that are still open reject with `error`. */
  #finish(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#started.reject(error);
    this.#exited.reject(error);
    for (const { stream } of this.#outputs.values()) if (!stream.destroyed) stream.push(null);
    this.stdin.destroy();
    this.#inputWaiter?.();
    this.#connection?.socket.end();
  }
}

function lost(why: string, cause?: unknown): KorriganError {
  return new KorriganError('KRG_STREAM_BROKEN', `the program was lost sight of: ${why}; \`krg ps\` shows whether it still runs`, { cause });
}
