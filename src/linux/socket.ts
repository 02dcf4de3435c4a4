/** Options and ancillary data of sockets that Node does not expose (socket(7), unix(7)). */
import { syscall } from './native.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Who is at the other end of a connected unix socket: as of its connect(2) or socketpair(2), in this process's pid namespace. */
export interface PeerCredentials {
  /** 0 when the peer lives in a pid namespace that is not visible here. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** SO_PEERCRED of a unix socket. */
export function peerCredentials(fd: number): PeerCredentials {
  const credentials = new Uint8Array(12);
  const length = new Uint8Array(Uint32Array.of(credentials.length).buffer);
  syscall('getsockopt', fd, SOL_SOCKET, SO_PEERCRED, credentials, length);
  const view = new DataView(credentials.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
}
