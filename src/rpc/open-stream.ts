/** Opening a stream: a link, then the peer's handler, within a time and until somebody gives up. */
import { KorriganError } from '../linux/errors.ts';
import type { Carried, NodeId, Priority } from './definition.ts';
import { cancelled, deadlinePassed } from './failures.ts';
import type { Routes } from './outgoing-call.ts';
import type { Session } from './session.ts';
import type { RpcStream } from './stream.ts';

export interface StreamOptions {
  /** Time for the peer to accept the stream, in milliseconds. @default none */
  readonly deadlineMs?: number;
  /** Breaks the stream off, whenever it is aborted. */
  readonly signal?: AbortSignal;
}

/** What is asked of the peer, and what this end reads and writes. */
export interface StreamOpening {
  readonly body: Uint8Array;
  readonly incoming: Carried;
  readonly outgoing: Carried;
  readonly priority: Priority;
}

type AnyStream = RpcStream<unknown, unknown>;

/** Resolves when the peer's handler has the stream. Rejects with what refused it. */
export function openStream(
  routes: Routes,
  node: NodeId,
  opening: StreamOpening,
  { deadlineMs, signal }: StreamOptions,
): Promise<AnyStream> {
  const { promise, resolve, reject } = Promise.withResolvers<AnyStream>();
  let stream: AnyStream | undefined;
  let isOver = false;

  const end = (error: KorriganError | undefined): void => {
    isOver = true;
    clearTimeout(late);
    signal?.removeEventListener('abort', onAbort);
    stream?.abort(error);
    if (error !== undefined) reject(error);
  };
  const onAbort = (): void => end(cancelled(signal?.reason));
  const late = deadlineMs === undefined ? undefined : setTimeout(() => end(deadlinePassed(deadlineMs)), deadlineMs);
  signal?.addEventListener('abort', onAbort);

  const open = (session: Session): void => {
    const { body, incoming, outgoing, priority } = opening;
    const accepted = (): void => {
      clearTimeout(late);
      if (stream !== undefined) resolve(stream);
    };
    stream = session.streams.open(body, incoming, outgoing, priority, accepted);
    void stream.closed.then(end);
  };

  if (signal?.aborted === true) {
    onAbort();
    return promise;
  }
  try {
    routes.whenOpen(node, (session) => {
      if (isOver) return;
      try {
        if (session instanceof KorriganError) end(session);
        else open(session);
      } catch (error) {
        end(error as KorriganError);
      }
    });
  } catch (error) {
    end(error as KorriganError);
  }
  return promise;
}
