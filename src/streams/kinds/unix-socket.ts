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
  type: 3,
  sendBuffer: 7,
  receiveBuffer: 8,
  passCredentials: 16,
  receiveLowWater: 18,
  receiveTimeout: 20,
  sendTimeout: 21,
  domain: 39,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  peekOffset: 42,
} as const;
const MSG = { peek: 2, controlTruncated: 8, truncate: 0x20, dontWait: 0x40, noSignal: 0x4000 } as const;
const POLLERR = 8;
const SHUT = { receive: 0, send: 1 } as const;
/** Largest datagram that is taken into account: the largest send buffer. */
const MESSAGE_LIMIT = 4 * 1024 * 1024;
const FIONREAD = 0x541b;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const endState = z.object({
  /** Messages that wait to be received at this end; for a stream one run of bytes. */
  queue: z.array(bytes),
  shutdown: z.number(),
  sendBuffer: z.number(),
  receiveBuffer: z.number(),
  passCredentials: z.boolean(),
  receiveLowWater: z.number(),
  /** struct timeval */
  receiveTimeout: bytes,
  sendTimeout: bytes,
});
type EndState = z.infer<typeof endState>;

const objectState = z.object({
  type: z.number(),
  /** Ends by their inodes; of a pair whose second end was closed only one, of a socket that was never connected `paired` is false. */
  ends: z.array(z.object({ inode: z.number(), state: endState })),
  paired: z.boolean(),
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
    return { type: first.socket.type, ends, paired: first.socket.peer !== undefined };
  },
  *restore({ type, ends, paired }): Conversation<readonly number[]> {
    const fds = new Int32Array(2).fill(-1);
    if (paired) yield [call('socketpair', AF_UNIX, type | OPEN.closeOnExec, 0, new Uint8Array(fds.buffer))];
    else fds[0] = (yield [call('socket', AF_UNIX, type | OPEN.closeOnExec, 0)])[0] ?? -1;
    for (const [n, { state }] of ends.entries()) yield* fill(state, fds[n] ?? -1, fds[1 - n] ?? -1);
    for (const [n, { state }] of ends.entries()) yield* shutDown(state, fds[n] ?? -1);
    for (const [n, { state }] of ends.entries()) yield setOptions(state, fds[n] ?? -1);
    // The end that was closed is closed here too, with its queue empty, so that the other sees an end and not a reset.
    if (paired && ends.length === 1) yield [call('close', fds[1] ?? -1)];
    return [...fds.subarray(0, ends.length)];
  },
};

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
  const number = (option: number): { value: Int32Array; ask: Call } => {
    const value = new Int32Array(1);
    return { value, ask: call('getsockopt', fd, SOL_SOCKET, option, new Uint8Array(value.buffer), Uint8Array.of(4, 0, 0, 0)) };
  };
  const time = (option: number): { value: Uint8Array; ask: Call } => {
    const value = new Uint8Array(16);
    return { value, ask: call('getsockopt', fd, SOL_SOCKET, option, value, Uint8Array.of(16, 0, 0, 0)) };
  };
  const [send, receive, credentials, lowWater] = [
    OPTION.sendBuffer,
    OPTION.receiveBuffer,
    OPTION.passCredentials,
    OPTION.receiveLowWater,
  ].map(number);
  const [receiveTimeout, sendTimeout] = [OPTION.receiveTimeout, OPTION.sendTimeout].map(time);
  if (send === undefined || receive === undefined || credentials === undefined || lowWater === undefined) throw new RangeError('options');
  if (receiveTimeout === undefined || sendTimeout === undefined) throw new RangeError('options');
  const poll = new Uint8Array(8);
  new DataView(poll.buffer).setInt32(0, fd, true);
  yield [send.ask, receive.ask, credentials.ask, lowWater.ask, receiveTimeout.ask, sendTimeout.ask, call('poll', poll, 1, 0)];
  if ((new DataView(poll.buffer).getInt16(6, true) & POLLERR) !== 0) {
    throw new Refusal(
      'socket.error-pending',
      `${file.link} has an error that was not read yet (its peer was closed with unread data); try again`,
    );
  }
  const passCredentials = credentials.value[0] !== 0;
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
    sendBuffer: send.value[0] ?? 0,
    receiveBuffer: receive.value[0] ?? 0,
    passCredentials,
    receiveLowWater: lowWater.value[0] ?? 1,
    receiveTimeout: receiveTimeout.value,
    sendTimeout: sendTimeout.value,
  };
}

/** Reads the receive queue without taking anything out: SO_PEEK_OFF advances with each MSG_PEEK. */
function* peekQueue({ fd, link }: OpenFile, { type, shutdown }: UnixSocket): Conversation<Uint8Array[]> {
  const count = new Int32Array(1);
  const [, offset = 0] = yield [
    call('ioctl', fd, FIONREAD, new Uint8Array(count.buffer)),
    call('setsockopt', fd, SOL_SOCKET, OPTION.peekOffset, new Uint8Array(4), 4),
  ];
  void offset;
  const queue: Uint8Array[] = [];
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
      if (length > room) {
        // A datagram longer than the room: the offset now stands behind what was seen of it. Start again with more.
        if (length > MESSAGE_LIMIT) throw new Refusal('file.too-large', `${link} has a message of ${length} bytes`);
        room = Math.max(length, room * 2);
        queue.length = 0;
        yield [call('setsockopt', fd, SOL_SOCKET, OPTION.peekOffset, new Uint8Array(4), 4)];
        continue;
      }
      queue.push(message.payload.slice(0, length));
    }
  } finally {
    yield [call('setsockopt', fd, SOL_SOCKET, OPTION.peekOffset, new Uint8Array(Int32Array.of(-1).buffer), 4)];
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

function setOptions(state: EndState, fd: number): Call[] {
  const set = (option: number, value: Uint8Array): Call => call('setsockopt', fd, SOL_SOCKET, option, value, value.length);
  return [
    // The kernel doubles what it is told.
    set(OPTION.sendBufferForce, int(state.sendBuffer / 2)),
    set(OPTION.receiveBufferForce, int(state.receiveBuffer / 2)),
    set(OPTION.passCredentials, int(state.passCredentials ? 1 : 0)),
    set(OPTION.receiveLowWater, int(state.receiveLowWater)),
    set(OPTION.receiveTimeout, state.receiveTimeout),
    set(OPTION.sendTimeout, state.sendTimeout),
  ];
}

const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
