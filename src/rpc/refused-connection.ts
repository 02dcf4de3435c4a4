/** Connections of those who are not believed: they are told why, and closed. */
import type { TLSSocket } from 'node:tls';
import type { KorriganError } from '../linux/errors.ts';
import { encodeFrame } from './frame.ts';
import { refusal } from './handshake.ts';

/** Tells the peer why it is refused, reads nothing of what it says, and closes; `patienceMs` later at the latest. */
export function refuseConnection(socket: TLSSocket, reason: KorriganError, patienceMs: number): void {
  socket.on('error', () => socket.destroy());
  // Data that nobody reads would make the kernel reset the connection, and the reason would be lost.
  socket.resume();
  socket.end(encodeFrame(refusal(reason)));
  const late = setTimeout(() => socket.destroy(), patienceMs).unref();
  socket.once('close', () => clearTimeout(late));
}
