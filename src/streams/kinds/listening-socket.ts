/**
 * Listening TCP sockets. On the other node the same port is opened with the same options. A connection that nobody has accepted yet
 * cannot move, and the address of a node stays with that node.
 */
import { z } from 'zod';
import { defineKind, Refusal, type CaptureContext } from '../../fs/index.ts';
import { attempt, call, FCNTL, FILE_TYPE, listListeningSockets, OPEN, type Conversation } from '../../linux/index.ts';

const [AF_INET, AF_INET6] = [2, 10];
const STREAM = 1;
const IPPROTO_TCP = 6;
const SOCKET = 1;
const [IPV4, TCP, IPV6] = [0, 6, 41];
const OPTION = { reuseAddress: 2, filter: 26, domain: 39, protocol: 38 } as const;
const TCP_INFO = 11;
/** Of struct tcp_info (include/uapi/linux/tcp.h), for a listening socket: connections that wait to be accepted, and how many may. */
const INFO = { size: 32, waiting: 24, backlog: 28 } as const;
/**
 * Those that getsockopt and setsockopt know alike; accepted connections inherit them. Of the socket (socket(7)): debug, reuseaddr, dontroute,
 * sndbuf, rcvbuf, keepalive, oobinline, priority, linger, reuseport, rcvlowat, rcvtimeo, sndtimeo, bindtodevice, timestamp, timestampns, mark,
 * busy_poll, max_pacing_rate, zerocopy, buf_lock. Of IP (ip(7)): tos, ttl, recvtos, mtu_discover, recverr, freebind, transparent, minttl,
 * bind_address_no_port. Of TCP (tcp(7)): nodelay, maxseg, cork, keepidle, keepintvl, keepcnt, syncnt, linger2, defer_accept, window_clamp, congestion,
 * user_timeout, fastopen, notsent_lowat, save_syn. Of IPv6 (ipv6(7)): unicast_hops, v6only, mtu_discover, recverr, tclass, freebind.
 */
const PLAIN_OPTIONS: readonly (readonly [level: number, options: readonly number[]])[] = [
  [SOCKET, [1, 2, 5, 7, 8, 9, 10, 12, 13, 15, 18, 20, 21, 25, 29, 35, 36, 46, 47, 60, 72]],
  [IPV4, [1, 2, 13, 10, 11, 15, 19, 21, 24]],
  [TCP, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 18, 23, 25, 27]],
  [IPV6, [16, 26, 23, 25, 67, 78]],
];
/** getsockopt tells twice what setsockopt is told; the second number goes beyond the limits of the node (socket(7)). */
const BUFFERS: ReadonlyMap<number, number> = new Map([
  [7, 32],
  [8, 33],
]);
const OPTION_SIZE = 16;
const ADDRESS_SIZE = 28;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const option = z.object({ level: z.number(), option: z.number(), value: bytes });
const state = z.object({
  domain: z.number(),
  /** A sockaddr_in or sockaddr_in6. */
  address: bytes,
  backlog: z.number(),
  options: z.array(option),
});
type Option = z.infer<typeof option>;

const tables = new WeakMap<CaptureContext, Set<number>>();

function listening(context: CaptureContext): Set<number> {
  let table = tables.get(context);
  if (table === undefined) tables.set(context, (table = listListeningSockets(context.processes[0]?.hostPid ?? process.pid)));
  return table;
}

export const listeningSocketKind = defineKind<z.infer<typeof state>>({
  name: 'listening-socket',
  schema: state,
  matches: ({ status }, context) => (status.mode & FILE_TYPE.mask) === FILE_TYPE.socket && listening(context).has(status.inode),
  *capture(file, context) {
    const { fd, link } = file;
    const [stranger] = context.outside(file).description;
    if (stranger !== undefined) {
      throw new Refusal(
        'description.shared',
        `${link} is shared with process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
      );
    }
    if ((yield* askNumber(fd, OPTION.protocol)) !== IPPROTO_TCP) throw new Refusal('socket.tcp', `${link} listens for multipath TCP`);
    const filterLength = new Uint8Array(4);
    const [filter = 0] = yield [attempt('getsockopt', fd, SOCKET, OPTION.filter, 0, filterLength)];
    if (filter < 0 || filterLength.some((byte) => byte !== 0)) {
      throw new Refusal('socket.filter', `${link} has a filter (SO_ATTACH_FILTER); detach it before the move`);
    }
    const address = new Uint8Array(ADDRESS_SIZE);
    const length = Uint8Array.of(ADDRESS_SIZE, 0, 0, 0);
    const info = new Uint8Array(INFO.size);
    yield [call('getsockname', fd, address, length), call('getsockopt', fd, TCP, TCP_INFO, info, Uint8Array.of(INFO.size, 0, 0, 0))];
    const domain = yield* askNumber(fd, OPTION.domain);
    const own = address.slice(0, length[0]);
    if (!isEverywhere(domain, own)) {
      throw new Refusal('socket.tcp', `${link} listens on the address ${describe(domain, own)}, which belongs to this node`);
    }
    const numbers = new DataView(info.buffer);
    if (numbers.getUint32(INFO.waiting, true) > 0) {
      throw new Refusal('socket.tcp', `${link} has connections that the program has not accepted yet; try again`);
    }
    return { domain, address: own, backlog: numbers.getUint32(INFO.backlog, true), options: yield* askOptions(fd) };
  },
  *restore({ domain, address, backlog, options }, { flags }): Conversation<number> {
    const [fd = -1] = yield [call('socket', domain, STREAM | OPEN.closeOnExec, 0)];
    yield* setOptions(fd, options);
    // A connection of an earlier visit that is still winding up does not keep the port.
    const mayReuse = int(1);
    yield [call('setsockopt', fd, SOCKET, OPTION.reuseAddress, mayReuse, mayReuse.length)];
    const [bound = 0, opened = 0] = yield [attempt('bind', fd, address, address.length), attempt('listen', fd, backlog)];
    if (bound < 0 || opened < 0) {
      yield [call('close', fd)];
      throw new Refusal('socket.tcp', `the port of ${describe(domain, address)} is not free on the target node`);
    }
    const reuse = options.filter(({ level, option: number }) => level === SOCKET && number === OPTION.reuseAddress);
    yield [
      ...reuse.map(({ level, option: number, value }) => call('setsockopt', fd, level, number, value, value.length)),
      call('fcntl', fd, FCNTL.setFlags, flags & OPEN.nonBlocking),
    ];
    return fd;
  },
});

function* askNumber(fd: number, number: number): Conversation<number> {
  const value = new Int32Array(1);
  yield [call('getsockopt', fd, SOCKET, number, new Uint8Array(value.buffer), Uint8Array.of(4, 0, 0, 0))];
  return value[0] ?? 0;
}

function* askOptions(fd: number): Conversation<Option[]> {
  const asked = PLAIN_OPTIONS.flatMap(([level, options]) =>
    options.map((number) => ({
      level,
      option: number,
      value: new Uint8Array(OPTION_SIZE),
      length: Uint8Array.of(OPTION_SIZE, 0, 0, 0),
    })),
  );
  const results = yield asked.map((one) => attempt('getsockopt', fd, one.level, one.option, one.value, one.length));
  return asked.flatMap(({ level, option: number, value, length }, n) =>
    results[n] === 0 ? [{ level, option: number, value: value.slice(0, length[0]) }] : [],
  );
}

/** Sets those that a new socket does not have. @throws Refusal when this node cannot */
function* setOptions(fd: number, options: readonly Option[]): Conversation<void> {
  const present = new Map((yield* askOptions(fd)).map((one) => [`${one.level} ${one.option}`, one.value]));
  const others = options.filter((one) => Buffer.compare(one.value, present.get(`${one.level} ${one.option}`) ?? new Uint8Array()) !== 0);
  if (others.length === 0) return;
  const results = yield others.map(({ level, option: number, value }) => {
    const force = level === SOCKET ? BUFFERS.get(number) : undefined;
    const given = force === undefined ? value : int(new DataView(value.buffer, value.byteOffset).getInt32(0, true) / 2);
    return attempt('setsockopt', fd, level, force ?? number, given, given.length);
  });
  const failed = others[results.findIndex((result) => result < 0)];
  if (failed !== undefined) {
    yield [call('close', fd)];
    throw new Refusal('socket.tcp', `the target node cannot give a listening socket its option ${failed.option} of level ${failed.level}`);
  }
}

const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
const port = (address: Uint8Array): number => ((address[2] ?? 0) << 8) | (address[3] ?? 0);
/** The bytes of an IPv4 address, also of one that is mapped into IPv6. */
function ipv4Of(domain: number, address: Uint8Array): Uint8Array | undefined {
  if (domain === AF_INET) return address.subarray(4, 8);
  const isMapped = address.subarray(8, 18).every((byte) => byte === 0) && address[18] === 0xff && address[19] === 0xff;
  return domain === AF_INET6 && isMapped ? address.subarray(20, 24) : undefined;
}

/** Whether every node has the address: any (`0.0.0.0`, `::`) or loopback. */
function isEverywhere(domain: number, address: Uint8Array): boolean {
  const ipv4 = ipv4Of(domain, address);
  if (ipv4 !== undefined) return ipv4[0] === 127 || ipv4.every((byte) => byte === 0);
  return address.subarray(8, 23).every((byte) => byte === 0) && (address[23] ?? 0) <= 1;
}

function describe(domain: number, address: Uint8Array): string {
  const ipv4 = ipv4Of(domain, address);
  if (ipv4 !== undefined) return `${ipv4.join('.')}:${port(address)}`;
  const groups = Array.from({ length: 8 }, (_, n) => (((address[8 + 2 * n] ?? 0) << 8) | (address[9 + 2 * n] ?? 0)).toString(16));
  return `[${groups.join(':')}]:${port(address)}`;
}
