/** For tests of what stands before the API: the node's end of an attached program whose part a function plays. Nothing here survives anything. */
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { type ByteLink, FrameLink, RetainedBytes } from '../../streams/index.ts';
import type { NodeMessage, UserMessage } from './run-protocol.ts';
import { parseRequest, runRequest, type RunRequest } from './schemas.ts';
import type { ExitStatus, StartedProcess } from './types.ts';

export interface ScriptedRun {
  readonly request: RunRequest;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Aborted when the user has gone. */
  readonly userGone: AbortSignal;
  /** Resolves when there is room for more. */
  writeStdout(bytes: Uint8Array): Promise<void>;
  writeStderr(bytes: Uint8Array): Promise<void>;
  onSignal(listener: (signal: number) => void): void;
  onResize(listener: (size: { columns: number; rows: number }) => void): void;
}

const WINDOW = 192 * 1024;

export async function serveScriptedRun(
  user: ByteLink,
  process: (request: RunRequest) => StartedProcess,
  program: (run: ScriptedRun) => Promise<ExitStatus>,
): Promise<void> {
  const link = new FrameLink(user);
  const tell = (value: NodeMessage): void => link.send({ type: 'message', value });
  try {
    const first = await link.first();
    const attach = first?.type === 'message' ? (first.value as Extract<UserMessage, { kind: 'attach' }>) : undefined;
    if (attach !== undefined && attach.request === undefined)
      throw new KorriganError('KRG_NO_SUCH_STREAM', 'the program is not known here');
    const request = parseRequest(runRequest, attach?.request);
    const gone = new AbortController();
    const outputs = new Map([1, 2].map((channel) => [channel, new RetainedBytes(0, WINDOW)]));
    let wake: () => void = () => undefined;
    const woken = (): Promise<void> => new Promise((resolve) => (wake = resolve));
    /** Undefined: the end. */
    const input: (Uint8Array | undefined)[] = [];
    let taken = 0;
    let onSignal: (signal: number) => void = () => undefined;
    let onResize: (size: { columns: number; rows: number }) => void = () => undefined;
    const write = async (channel: number, bytes: Uint8Array): Promise<void> => {
      const output = outputs.get(channel) as RetainedBytes;
      for (let done = 0; done < bytes.length && !gone.signal.aborted; ) {
        if (!output.hasRoom) {
          await woken();
          continue;
        }
        const piece = bytes.subarray(done, done + WINDOW - (output.end - output.start));
        output.push(piece);
        link.send({ type: 'data', channel, bytes: piece });
        done += piece.length;
      }
    };
    const run: ScriptedRun = {
      request,
      stdin: (async function* () {
        for (;;) {
          if (input.length === 0) await woken();
          const next = input.shift();
          if (next === undefined) return;
          yield next;
          taken += next.length;
          link.send({ type: 'written', channel: 0, position: taken });
        }
      })(),
      userGone: gone.signal,
      writeStdout: (bytes) => write(1, bytes),
      writeStderr: (bytes) => write(2, bytes),
      onSignal: (listener) => (onSignal = listener),
      onResize: (listener) => (onResize = listener),
    };
    tell({ kind: 'attached', process: process(request), written: [0, 0, 0], signals: 0 });
    const listening = link.receive((frame) => {
      if (frame.type === 'message') {
        const message = frame.value as UserMessage;
        if (message.kind === 'signal') onSignal(message.signal);
        if (message.kind === 'resize') onResize({ columns: message.columns, rows: message.rows });
      } else if (frame.type === 'data') input.push(frame.bytes);
      else if (frame.type === 'written') outputs.get(frame.channel)?.confirm(frame.position);
      else if (frame.type === 'end') input.push(undefined);
      wake();
    });
    void listening
      .catch(() => undefined)
      .then(() => {
        gone.abort();
        input.push(undefined);
        wake();
      });
    if (attach?.detached !== true) tell({ kind: 'exit', status: await program(run) });
    await listening;
  } catch (error) {
    tell({ kind: 'error', error: toKorriganError(error).toJSON() });
  }
  await link.end();
}
