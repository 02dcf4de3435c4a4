/** What the node shows of itself to a process of its container. Read by pid 1: uptime, the start of the machine and the last pid depend on the reader's namespaces. */
import { attempt, call, type Conversation, INIT_PROCFS_FD } from '../linux/index.ts';

const PIECE = 32 * 1024;
const PIECES = 4;
const O_CLOEXEC = 0o2000000;

/** A file below /proc; empty when there is none. To be run on a lane. */
export function* readOwnProcfs(path: string): Conversation<string> {
  const [fd = -1] = yield [attempt('openat', INIT_PROCFS_FD, path, O_CLOEXEC, 0)];
  if (fd < 0) return '';
  let text = '';
  for (;;) {
    const pieces = Array.from({ length: PIECES }, () => new Uint8Array(PIECE));
    const lengths = yield pieces.map((piece) => attempt('read', fd, piece, piece.length));
    for (const [n, length] of lengths.entries()) if (length > 0) text += Buffer.from(pieces[n] ?? []).toString('latin1', 0, length);
    if (lengths.some((length) => length <= 0)) break;
  }
  yield [call('close', fd)];
  return text;
}
