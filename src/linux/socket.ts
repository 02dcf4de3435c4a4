/** Options and ancillary data of sockets that Node does not expose (socket(7), unix(7)). */
import { isIP } from 'node:net';
import { syscall } from './native.ts';
import type { Program } from './program.ts';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_PEERCRED = 17;
const [AF_INET, AF_INET6] = [2, 10];
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** More than /proc/sys/net/core/somaxconn lets through is cut to that (listen(2)). */
const BACKLOG = 4096;

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

/** sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). @param host an address, not a name */
export function internetAddress(host: string, port: number): Uint8Array {
  const isVersion6 = isIP(host) === 6;
  const address = new Uint8Array(isVersion6 ? 28 : 16);
  const view = new DataView(address.buffer);
  view.setUint16(0, isVersion6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  if (!isVersion6) {
    address.set(host.split('.').map(Number), 4);
    return address;
  }
  // As the URL standard writes it: without the last four bytes in decimal; `::` stands for as many zeros as are missing.
  const plain = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [before = [], after] = plain.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const groups = after === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  for (const [n, group] of groups.entries()) view.setUint16(8 + 2 * n, Number.parseInt(group, 16));
  return address;
}

/** Adds to a program what opens a TCP socket, close-on-exec, that listens. @returns the record whose result is its descriptor */
export function addListener(program: Program, host: string, port: number): number {
  const address = internetAddress(host, port);
  const fd = program.call('socket', isIP(host) === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const on = (name: 'setsockopt' | 'bind' | 'listen', ...args: readonly number[]): void => {
    program.forwardResult(fd, program.length + 1, 0);
    program.call(name, 0, ...args);
  };
  on('setsockopt', SOL_SOCKET, SO_REUSEADDR, program.data(Uint8Array.of(1, 0, 0, 0)), 4);
  on('bind', program.data(address), address.length);
  on('listen', BACKLOG);
  return fd;
}
