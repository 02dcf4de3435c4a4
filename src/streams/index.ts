/**
 * streams: pipes, FIFOs, unix sockets and terminals of processes that move. Kinds of files for the engines of fs, with both halves.
 */
import type { Kind } from '../fs/index.ts';
import { otherSocketKind } from './kinds/other-socket.ts';
import { pipeKind } from './kinds/pipe.ts';
import { terminalKind } from './kinds/terminal.ts';
import { unixSocketKind } from './kinds/unix-socket.ts';

/** Kinds of streams, for the engines of fs. */
export const streamKinds: readonly Kind[] = [pipeKind, terminalKind, unixSocketKind, otherSocketKind];
