/** Unix sockets as sock_diag(7) shows them: state, peer, shutdown. */
import { readlinkSync } from 'node:fs';
import { syscall } from './native.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const AF_UNIX = 1;
/** UDIAG_SHOW_NAME | UDIAG_SHOW_PEER */
const SHOW = 0x1 | 0x4;
const ATTRIBUTE = { name: 0, peer: 2, shutdown: 6 } as const;
const HEADER = 16;
const REPLY = 16;
const CLONE_NEWNET = 0x40000000;

/** TCP_ESTABLISHED, TCP_CLOSE, TCP_LISTEN: what unix sockets use of them. */
export const UNIX_STATE = { connected: 1, unconnected: 7, listening: 10 } as const;
export const SOCKET_TYPE = { stream: 1, datagram: 2, sequentialPacket: 5 } as const;
export const SHUTDOWN = { receive: 1, send: 2 } as const;

export interface UnixSocket {
  readonly inode: number;
  /** {@link SOCKET_TYPE} */
  readonly type: number;
  /** {@link UNIX_STATE} */
  readonly state: number;
  /** Inode of the peer; 0 when it was closed; undefined when there never was one. */
  readonly peer: number | undefined;
  /** Bits of {@link SHUTDOWN}. */
  readonly shutdown: number;
  /** Bound address: a path, or an abstract name after a NUL; undefined when unnamed. */
  readonly name: string | undefined;
}

/** All unix sockets of the network namespace of a process, by inode. */
export function listUnixSockets(pid: number): Map<number, UnixSocket> {
  const socket = openDiagnostics(pid);
  try {
    const request = new Uint8Array(HEADER + 24);
    const view = new DataView(request.buffer);
    view.setUint32(0, request.length, true);
    view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
    view.setUint16(6, NLM_F_REQUEST_DUMP, true);
    view.setUint8(HEADER, AF_UNIX);
    view.setUint32(HEADER + 4, 0xffffffff, true);
    view.setUint32(HEADER + 12, SHOW, true);
    syscall('sendto', socket, request, request.length, 0, 0, 0);
    const found = new Map<number, UnixSocket>();
    const buffer = new Uint8Array(65536);
    for (;;) {
      const length = syscall('recvfrom', socket, buffer, buffer.length, 0, 0, 0);
      if (collect(buffer.subarray(0, length), found)) return found;
    }
  } finally {
    syscall('close', socket);
  }
}

/** Adds the sockets of one datagram. @returns true at the end of the dump */
function collect(bytes: Uint8Array, found: Map<number, UnixSocket>): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (type === NLMSG_DONE || type === NLMSG_ERROR || length < HEADER) return true;
    const socket = parse(bytes.subarray(at + HEADER, at + length));
    found.set(socket.inode, socket);
    at += Math.ceil(length / 4) * 4;
  }
  return false;
}

function parse(bytes: Uint8Array): UnixSocket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let peer: number | undefined;
  let shutdown = 0;
  let name: string | undefined;
  for (let at = REPLY; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4) break;
    const attribute = view.getUint16(at + 2, true);
    if (attribute === ATTRIBUTE.peer) peer = view.getUint32(at + 4, true);
    else if (attribute === ATTRIBUTE.shutdown) shutdown = view.getUint8(at + 4);
    else if (attribute === ATTRIBUTE.name && length > 4) name = nameOf(bytes.subarray(at + 4, at + length));
    at += Math.ceil(length / 4) * 4;
  }
  return { type: view.getUint8(1), state: view.getUint8(2), inode: view.getUint32(4, true), peer, shutdown, name };
}

/** The kernel closes a path with a NUL, and begins an abstract name with one. */
function nameOf(bytes: Uint8Array): string {
  const isPath = bytes[0] !== 0 && bytes.at(-1) === 0;
  return Buffer.from(isPath ? bytes.subarray(0, -1) : bytes).toString();
}

/** A netlink socket in the network namespace of the process; the calling thread visits it for that. */
function openDiagnostics(pid: number): number {
  const open = (): number => syscall('socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/thread-self/ns/net')) return open();
  const own = syscall('open', Buffer.from('/proc/thread-self/ns/net\0'), 0o2000000);
  try {
    const theirs = syscall('open', Buffer.from(`/proc/${pid}/ns/net\0`), 0o2000000);
    try {
      syscall('setns', theirs, CLONE_NEWNET);
      return open();
    } finally {
      syscall('setns', own, CLONE_NEWNET);
      syscall('close', theirs);
    }
  } finally {
    syscall('close', own);
  }
}
