/**
 * Unix sockets: pairs whose ends all move, ends whose peer is gone, and sockets that were never connected. Queued messages travel
 * with their boundaries.
 */
import { z } from 'zod';
import { defineKind, Refusal, type CaptureContext, type ObjectKind, type OpenFile } from '../../fs/index.ts';
import {
  attempt,
  call,
  ERRNO,
  FCNTL,
  FILE_TYPE,
  listUnixSockets,
  makeMessage,
  messageFlags,
  OPEN,
  SHUTDOWN,
  SOCKET_TYPE,
  SyscallError,
  UNIX_STATE,
  type Call,
  type Conversation,
  type UnixSocket,
} from '../../linux/index.ts';

const AF_UNIX = 1;
const SOL_SOCKET = 1;
const OPTION = {
  sendBuffer: 7,
  receiveBuffer: 8,
  passCredentials: 16,
  peerCredentials: 17,
  filter: 26,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  peekOffset: 42,
} as const;
/**
 * Those that getsockopt and setsockopt know alike (include/uapi/asm-generic/socket.h, in its order): debug, reuseaddr, dontroute, broadcast, keepalive,
 * oobinline, no_check, priority, linger, passcred, rcvlowat, rcvtimeo, sndtimeo, timestamp, passsec, timestampns, mark, timestamping,
 * wifi_status, lock_filter, busy_poll, max_pacing_rate, timestamp_new, timestampns_new, timestamping_new, buf_lock, passpidfd, rcvpriority, passrights;
 * the peek offset last, because filling the queue does not heed it.
 */
const PLAIN_OPTIONS = [
  1,
  2,
  5,
  6,
  9,
  10,
  11,
  12,
  13,
  16,
  18,
  20,
  21,
  29,
  34,
  35,
  36,
  37,
  41,
  44,
  46,
  47,
  63,
  64,
  65,
  72,
  76,
  82,
  83,
  OPTION.peekOffset,
];
const OPTION_SIZE = 16;
const MSG = { peek: 2, controlTruncated: 8, truncate: 0x20, dontWait: 0x40, noSignal: 0x4000 } as const;
const POLLERR = 8;
const SHUT = { receive: 0, send: 1 } as const;
/** Largest datagram that is taken into account: the largest send buffer. */
const MESSAGE_LIMIT = 4 * 1024 * 1024;
/** Bytes at which a look for the next message begins. */
const MESSAGE_ROOM = 4096;
const FIONREAD = 0x541b;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const endState = z.object({
  /** Messages that wait to be received at this end; for a stream one run of bytes. */
  queue: z.array(bytes),
  shutdown: z.number(),
  sendBuffer: z.number(),
  receiveBuffer: z.number(),
  /** Of {@link PLAIN_OPTIONS}, those that the kernel knows. */
  options: z.array(z.object({ option: z.number(), value: bytes })),
});
type EndState = z.infer<typeof endState>;

const objectState = z.object({
  type: z.number(),
  /** Ends by their inodes; of a pair whose second end was closed only one, of a socket that was never connected `paired` is false. */
  ends: z.array(z.object({ inode: z.number(), state: endState })),
  paired: z.boolean(),
  /** SO_PEERCRED of a pair: who made it, with effective ids; pid 0 when that process is no more. */
  maker: z.object({ pid: z.number(), uid: z.number(), gid: z.number() }),
});

const inodeOf = ({ status }: OpenFile): number => status.inode;
const tables = new WeakMap<CaptureContext, Map<number, UnixSocket>>();

/** What the kernel says about the socket; undefined when it is not a unix socket. */
function lookUp(file: OpenFile, context: CaptureContext): UnixSocket | undefined {
  let table = tables.get(context);
  if (table === undefined) tables.set(context, (table = listUnixSockets(context.processes[0]?.hostPid ?? process.pid)));
  return table.get(inodeOf(file));
}

const object: ObjectKind<z.infer<typeof objectState>> = {
  schema: objectState,
  key(file, context) {
    const peer = lookUp(file, context)?.peer;
    const own = inodeOf(file);
    return peer === undefined || peer === 0 ? String(own) : [own, peer].toSorted((a, b) => a - b).join('-');
  },
  *capture(files, context) {
    const sockets = files.map((file) => ({ file, socket: lookUp(file, context) as UnixSocket }));
    const [first] = sockets;
    if (first === undefined) throw new RangeError('an object without descriptions');
    for (const { file, socket } of sockets) refuseUnlessWhole(file, socket, sockets.length, context);
    const ends: { inode: number; state: EndState }[] = [];
    for (const { file, socket } of sockets) ends.push({ inode: socket.inode, state: yield* captureEnd(file, socket, context) });
    return { type: first.socket.type, ends, paired: first.socket.peer !== undefined, maker: yield* askMaker(first.file, context) };
  },
  make: {
    by: ({ maker }) => maker.pid,
    run: makePair,
  },
  *restore({ type, ends, paired }, _context, made): Conversation<readonly number[]> {
    const fds = Int32Array.of(made[0] ?? -1, made[1] ?? -1);
    if (paired && made.length === 0) yield [call('socketpair', AF_UNIX, type | OPEN.closeOnExec, 0, new Uint8Array(fds.buffer))];
    else if (!paired) fds[0] = (yield [call('socket', AF_UNIX, type | OPEN.closeOnExec, 0)])[0] ?? -1;
    for (const [n, { state }] of ends.entries()) yield* fill(state, fds[n] ?? -1, fds[1 - n] ?? -1);
    for (const [n, { state }] of ends.entries()) yield* shutDown(state, fds[n] ?? -1);
    for (const [n, { state }] of ends.entries()) yield* setOptions(state, fds[n] ?? -1);
    // The end that was closed is closed here too, with its queue empty, so that the other sees an end and not a reset.
    if (paired && ends.length === 1) yield [call('close', fds[1] ?? -1)];
    return [...fds.subarray(0, ends.length)];
  },
};

function* askMaker({ fd }: OpenFile, context: CaptureContext): Conversation<z.infer<typeof objectState>['maker']> {
  const credentials = new Int32Array(3);
  yield [call('getsockopt', fd, SOL_SOCKET, OPTION.peerCredentials, new Uint8Array(credentials.buffer), Uint8Array.of(12, 0, 0, 0))];
  const [pid = 0, uid = 0, gid = 0] = credentials;
  return { pid: pid === 0 ? 0 : context.pidInside(pid), uid, gid };
}

/** A pair remembers pid and effective ids of its maker for good (SO_PEERCRED in unix(7)). Ids of -1 stay as they are. */
function* makePair({ type, paired, maker: { uid, gid } }: z.infer<typeof objectState>): Conversation<readonly number[]> {
  if (!paired) return [];
  const fds = new Int32Array(2);
  const make = call('socketpair', AF_UNIX, type | OPEN.closeOnExec, 0, new Uint8Array(fds.buffer));
  if (uid === 0 && gid === 0) yield [make];
  else {
    const become = [call('setresgid', -1, gid, -1), call('setresuid', -1, uid, -1)];
    yield [...become, make, call('setresuid', -1, 0, -1), call('setresgid', -1, 0, -1)];
  }
  return [...fds];
}

const descriptionState = z.object({ inode: z.number(), end: z.number() });

export const unixSocketKind = defineKind<z.infer<typeof descriptionState>, z.infer<typeof objectState>>({
  name: 'unix-socket',
  schema: descriptionState,
  object,
  matches: (file, context) => (file.status.mode & FILE_TYPE.mask) === FILE_TYPE.socket && lookUp(file, context) !== undefined,
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    const own = lookUp(file, context) as UnixSocket;
    const group = context.files.filter((other) => isOtherEnd(other, own, context));
    // Ends stand in the object in the order of the survey.
    return { inode: own.inode, end: group.some((other) => other.id < file.id) ? 1 : 0 };
  },
  *restore({ end }, { flags }, objects): Conversation<number> {
    // A socket cannot be opened anew: the description is the one that the object has.
    const [fd = -1] = yield [call('fcntl', objects[end] ?? -1, FCNTL.duplicateCloseOnExec, 0)];
    yield [call('fcntl', fd, FCNTL.setFlags, flags & OPEN.nonBlocking)];
    return fd;
  },
});

function isOtherEnd(file: OpenFile, own: UnixSocket, context: CaptureContext): boolean {
  return inodeOf(file) === own.peer && (file.status.mode & FILE_TYPE.mask) === FILE_TYPE.socket && lookUp(file, context) !== undefined;
}

function refuseUnlessWhole(file: OpenFile, socket: UnixSocket, ends: number, context: CaptureContext): void {
  const [stranger] = context.outside(file).description;
  if (stranger !== undefined) {
    throw new Refusal(
      'description.shared',
      `${file.link} is shared with process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
    );
  }
  const name = socket.name?.replace('\0', '@');
  if (socket.state === UNIX_STATE.listening)
    throw new Refusal('socket.unix-listening', `${file.link} listens on ${name ?? 'an unnamed address'} of this node`);
  if (name !== undefined && name !== '') throw new Refusal('socket.unix-bound', `${file.link} is bound to ${name} on this node`);
  if (socket.peer !== undefined && socket.peer !== 0 && ends !== 2) {
    throw new Refusal('socket.unix-outside', `${file.link} is connected to a process that stays; move both together (--tree)`);
  }
}

function* captureEnd(file: OpenFile, socket: UnixSocket, context: CaptureContext): Conversation<EndState> {
  const { fd } = file;
  const [send, receive] = [new Int32Array(1), new Int32Array(1)];
  const size = (): Uint8Array => Uint8Array.of(4, 0, 0, 0);
  const poll = new Uint8Array(8);
  new DataView(poll.buffer).setInt32(0, fd, true);
  const filterLength = new Uint8Array(4);
  yield [
    call('getsockopt', fd, SOL_SOCKET, OPTION.sendBuffer, new Uint8Array(send.buffer), size()),
    call('getsockopt', fd, SOL_SOCKET, OPTION.receiveBuffer, new Uint8Array(receive.buffer), size()),
    call('poll', poll, 1, 0),
  ];
  // Without room the kernel says how many instructions the filter has; one of the newer kind it does not show at all.
  const [filter = 0] = yield [attempt('getsockopt', fd, SOL_SOCKET, OPTION.filter, 0, filterLength)];
  if (filter < 0 || filterLength.some((byte) => byte !== 0)) {
    throw new Refusal('socket.filter', `${file.link} has a filter (SO_ATTACH_FILTER); detach it before the move`);
  }
  const options = yield* askOptions(fd);
  if ((new DataView(poll.buffer).getInt16(6, true) & POLLERR) !== 0) {
    throw new Refusal(
      'socket.error-pending',
      `${file.link} has an error that was not read yet (its peer was closed with unread data); try again`,
    );
  }
  const passCredentials = options.some(({ option, value }) => option === OPTION.passCredentials && value[0] !== 0);
  const queue = context.contents ? yield* peekQueue(file, socket) : [];
  if (passCredentials && queue.length > 0) {
    throw new Refusal(
      'socket.credentials-in-flight',
      `${file.link} has messages with their sender's credentials (SO_PASSCRED) that were not read yet; try again`,
    );
  }
  return {
    queue,
    shutdown: socket.shutdown,
    sendBuffer: send[0] ?? 0,
    receiveBuffer: receive[0] ?? 0,
    options,
  };
}

function* askOptions(fd: number): Conversation<EndState['options']> {
  const values = PLAIN_OPTIONS.map((option) => ({
    option,
    value: new Uint8Array(OPTION_SIZE),
    length: Uint8Array.of(OPTION_SIZE, 0, 0, 0),
  }));
  const results = yield values.map(({ option, value, length }) => attempt('getsockopt', fd, SOL_SOCKET, option, value, length));
  return values.flatMap(({ option, value, length }, n) => (results[n] === 0 ? [{ option, value: value.slice(0, length[0]) }] : []));
}

/** Reads the receive queue without taking anything out: SO_PEEK_OFF advances with each MSG_PEEK. */
function* peekQueue({ fd, link }: OpenFile, { type, shutdown }: UnixSocket): Conversation<Uint8Array[]> {
  const count = new Int32Array(1);
  const before = new Uint8Array(4);
  yield [
    call('getsockopt', fd, SOL_SOCKET, OPTION.peekOffset, before, Uint8Array.of(4, 0, 0, 0)),
    call('ioctl', fd, FIONREAD, new Uint8Array(count.buffer)),
    call('setsockopt', fd, SOL_SOCKET, OPTION.peekOffset, new Uint8Array(4), 4),
  ];
  const queue: Uint8Array[] = [];
  let begun = new Uint8Array(0);
  try {
    let room = Math.max(count[0] ?? 0, 1);
    for (;;) {
      const message = makeMessage(new Uint8Array(room), new Uint8Array(0));
      const [length = 0] = yield [attempt('recvmsg', fd, message.header, MSG.peek | MSG.dontWait | MSG.truncate)];
      if (length === -ERRNO.EAGAIN || (length === 0 && (type === SOCKET_TYPE.stream || (shutdown & SHUTDOWN.receive) !== 0))) return queue;
      if (length < 0) {
        if (length === -ERRNO.EINVAL || length === -ERRNO.ENOTCONN) return queue; // never connected
        throw new SyscallError('recvmsg', -length);
      }
      if ((messageFlags(message) & MSG.controlTruncated) !== 0) {
        throw new Refusal(
          'socket.descriptors-in-flight',
          `${link} has messages with descriptors or credentials that were not received yet; try again`,
        );
      }
      begun = Buffer.concat([begun, message.payload.subarray(0, Math.min(length, room))]);
      if (length > room) {
        // A datagram longer than the room: its rest comes next. Starting again would lose the empty ones, which are shown once.
        if (begun.length + length > MESSAGE_LIMIT) throw new Refusal('file.too-large', `${link} has a message of ${length} bytes`);
        room = length - room;
        continue;
      }
      queue.push(new Uint8Array(begun));
      begun = new Uint8Array(0);
      room = Math.max(room, MESSAGE_ROOM);
    }
  } finally {
    yield [call('setsockopt', fd, SOL_SOCKET, OPTION.peekOffset, before, 4)];
  }
}

/** Puts the messages into the receive queue of `end` by sending them from the other end. */
function* fill({ queue }: EndState, end: number, other: number): Conversation<void> {
  if (queue.length === 0) return;
  const room = queue.reduce((sum, { length }) => sum + length * 2 + 4096, 0);
  const results = yield [
    call('setsockopt', other, SOL_SOCKET, OPTION.sendBufferForce, int(room), 4),
    ...queue.map((message) => call('sendto', other, message, message.length, MSG.dontWait | MSG.noSignal, 0, 0)),
  ];
  if (results.slice(1).some((sent, n) => sent !== queue[n]?.length)) throw new SyscallError(`refilling socket ${end}`, ERRNO.ENOBUFS);
}

function* shutDown({ shutdown }: EndState, fd: number): Conversation<void> {
  const calls = [];
  if ((shutdown & SHUTDOWN.send) !== 0) calls.push(attempt('shutdown', fd, SHUT.send));
  if ((shutdown & SHUTDOWN.receive) !== 0) calls.push(attempt('shutdown', fd, SHUT.receive));
  if (calls.length > 0) yield calls;
}

function* setOptions({ sendBuffer, receiveBuffer, options }: EndState, fd: number): Conversation<void> {
  const set = (option: number, value: Uint8Array): Call => call('setsockopt', fd, SOL_SOCKET, option, value, value.length);
  // The kernel doubles what it is told.
  yield [set(OPTION.sendBufferForce, int(sendBuffer / 2)), set(OPTION.receiveBufferForce, int(receiveBuffer / 2))];
  const present = new Map((yield* askOptions(fd)).map(({ option, value }) => [option, value]));
  const others = options.filter(({ option, value }) => Buffer.compare(value, present.get(option) ?? new Uint8Array()) !== 0);
  if (others.length > 0) yield others.map(({ option, value }) => set(option, value));
}

const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
