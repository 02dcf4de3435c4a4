/**
 * Programs that users start on another node. Input and output travel over a stream, which holds back whoever is too fast; signals and
 * window sizes are notices beside it, so that they overtake input that the program does not read.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Credentials } from '../../container/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { defineCall, defineNotice, defineStream, rawBytes, type RpcNode } from '../../rpc/index.ts';
import { runRequest, type RunRequest } from '../api/schemas.ts';
import type { ExitStatus, StartedProcess } from '../api/types.ts';
import type { LocalRuns, Session } from './run-local.ts';

const id = z.int().min(0);
const credentials = z.object({ uid: id, gid: id, groups: z.array(id).readonly() });
const started = z.object({ pid: id, node: z.string() });
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const size = z.object({ columns: z.int().min(1).max(65_535), rows: z.int().min(1).max(65_535) });
const output = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), process: started }),
  z.object({ kind: z.literal('stdout'), bytes }),
  z.object({ kind: z.literal('stderr'), bytes }),
  z.object({ kind: z.literal('exited'), code: z.int() }),
  z.object({ kind: z.literal('signalled'), signal: z.int(), coreDumped: z.boolean() }),
]);
type Output = z.output<typeof output>;

const runDetached = defineCall('node.run-detached', z.object({ who: credentials, request: runRequest }), started);
const runAttached = defineStream('node.run', {
  request: z.object({ session: z.uuid(), who: credentials, request: runRequest }),
  toHandler: rawBytes,
  toOpener: output,
});
const control = defineNotice(
  'node.run-control',
  z.object({ session: z.uuid(), signal: z.int().min(1).max(64).optional(), size: size.optional() }),
);

/** Lets other nodes start programs here. */
export function serveRuns(rpc: RpcNode, runs: LocalRuns): void {
  const sessions = new Map<string, RemoteSession>();
  rpc.handle(runDetached, ({ who, request }) => runs.detached(who, request));
  rpc.handleNotice(control, (message) => sessions.get(message.session)?.control(message));
  rpc.handleStream(runAttached, async ({ session: name, who, request }, stream) => {
    const session = new RemoteSession(readAll(stream), (message) => stream.write(message), stream.signal);
    sessions.set(name, session);
    try {
      await stream.write(await runs.attached(who, request, session));
    } finally {
      sessions.delete(name);
    }
  });
}

export function runDetachedOn(rpc: RpcNode, node: number, who: Credentials, request: RunRequest): Promise<StartedProcess> {
  return rpc.call(node, runDetached, { who, request });
}

/** Runs a program on another node. @throws KorriganError KRG_NODE_DEAD when the node is lost */
export async function runAttachedOn(rpc: RpcNode, node: number, who: Credentials, request: RunRequest, user: Session): Promise<ExitStatus> {
  const session = randomUUID();
  const stream = await rpc.openStream(node, runAttached, { session, who, request }, { signal: user.connectionLost });
  user.onSignal((signal) => rpc.notify(node, control, { session, signal }));
  user.onResize(({ columns, rows }) => rpc.notify(node, control, { session, size: { columns, rows } }));
  // Input that cannot be sent has no reader any more; how the program ended says why.
  sendAll(user.stdin, stream).catch(() => undefined);
  for (let message = await stream.read(); message !== undefined; message = await stream.read()) {
    if (message.kind === 'started') user.started(message.process);
    else if (message.kind === 'stdout') await user.writeStdout(message.bytes);
    else if (message.kind === 'stderr') await user.writeStderr(message.bytes);
    else {
      await stream.end();
      return message;
    }
  }
  throw new KorriganError('KRG_STREAM_BROKEN', `node ${node} ended the stream of the program before the program had ended`);
}

/** The user's end as the node sees it that runs the program. */
class RemoteSession implements Session {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly connectionLost: AbortSignal;
  private readonly write: (message: Output) => Promise<void>;
  private signalListener: ((signal: number) => void) | undefined;
  private resizeListener: ((size: { columns: number; rows: number }) => void) | undefined;
  private readonly early: z.output<(typeof control)['message']>[] = [];

  constructor(stdin: AsyncIterable<Uint8Array>, write: (message: Output) => Promise<void>, connectionLost: AbortSignal) {
    this.stdin = stdin;
    this.write = write;
    this.connectionLost = connectionLost;
  }

  started(process: StartedProcess): void {
    // A failure to tell is the loss of the connection, which `connectionLost` says.
    this.write({ kind: 'started', process }).catch(() => undefined);
  }

  writeStdout(chunk: Uint8Array): Promise<void> {
    return this.write({ kind: 'stdout', bytes: chunk });
  }

  writeStderr(chunk: Uint8Array): Promise<void> {
    return this.write({ kind: 'stderr', bytes: chunk });
  }

  onSignal(listener: (signal: number) => void): void {
    this.signalListener = listener;
    this.deliverEarly();
  }

  onResize(listener: (size: { columns: number; rows: number }) => void): void {
    this.resizeListener = listener;
    this.deliverEarly();
  }

  control(message: z.output<(typeof control)['message']>): void {
    if (this.signalListener === undefined || this.resizeListener === undefined) {
      this.early.push(message);
      return;
    }
    if (message.signal !== undefined) this.signalListener(message.signal);
    if (message.size !== undefined) this.resizeListener(message.size);
  }

  private deliverEarly(): void {
    if (this.signalListener !== undefined && this.resizeListener !== undefined)
      for (const message of this.early.splice(0)) this.control(message);
  }
}

/** The bytes of a stream. Whoever stops reading leaves the stream as it is. */
async function* readAll(stream: { read(): Promise<Uint8Array | undefined> }): AsyncGenerator<Uint8Array> {
  for (let next = await stream.read(); next !== undefined; next = await stream.read()) yield next;
}

async function sendAll(
  source: AsyncIterable<Uint8Array>,
  stream: { write(bytes: Uint8Array): Promise<void>; end(): Promise<void> },
): Promise<void> {
  for await (const chunk of source) await stream.write(chunk);
  await stream.end();
}
