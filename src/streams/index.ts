/**
 * streams: pipes, FIFOs, unix sockets and terminals of processes that move. Kinds of files for fs, with both halves.
 */
import type { Kind } from '../fs/index.ts';

/** Kinds of streams, for the engines of fs. */
export const streamKinds: readonly Kind[] = [];
