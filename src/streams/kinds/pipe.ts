/**
 * Pipes and FIFOs. A pipe is an object with any number of read and write ends; it moves with its contents when all its ends move.
 * A FIFO is found again by its name; on the same kernel it is the very same pipe.
 */
import { z } from 'zod';
import {
  checkIdentity,
  defineKind,
  fileIdentitySchema,
  identify,
  kernelIdentity,
  pathOf,
  Refusal,
  REOPEN_THROUGH_LINK_FLAGS,
  type CaptureContext,
  type ObjectKind,
  type OpenFile,
} from '../../fs/index.ts';
import {
  AT_FDCWD,
  attempt,
  call,
  type Conversation,
  ERRNO,
  FCNTL,
  FILE_TYPE,
  INIT_PROCFS_FD,
  OPEN,
  SyscallError,
} from '../../linux/index.ts';

const FIONREAD = 0x541b;
const SPLICE_F_NONBLOCK = 2;
const SETTABLE_FLAGS = OPEN.append | OPEN.nonBlocking | OPEN.direct;

const objectState = z.object({
  /** Of a FIFO: the file that names it. */
  identity: fileIdentitySchema.optional(),
  /** F_GETPIPE_SZ, bytes. */
  capacity: z.number(),
  /** Contents in order; several when packets (O_DIRECT) were written. */
  packets: z.array(z.custom<Uint8Array>((value) => value instanceof Uint8Array)),
  /** Of a FIFO: true when processes that stay have it open. */
  sharedByName: z.boolean(),
});
type ObjectState = z.infer<typeof objectState>;

export const isReadable = ({ flags }: OpenFile): boolean => (flags & OPEN.accessMode) !== OPEN.writeOnly && (flags & OPEN.path) === 0;
export const isNamed = ({ link }: OpenFile): boolean => link.startsWith('/');

const object: ObjectKind<ObjectState> = {
  schema: objectState,
  key: ({ status }) => `${status.device}:${status.inode}`,
  *capture(files, context) {
    const [file] = files;
    if (file === undefined) throw new RangeError('an object without descriptions');
    const sharedByName = isNamed(file) && files.some((each) => context.outside(each).target.length > 0);
    if (!isNamed(file)) refuseOutside(files, context);
    const identity = isNamed(file) ? yield* identify(file, context) : undefined;
    const [capacity = -1] = yield [attempt('fcntl', file.fd, FCNTL.getPipeSize)];
    if (capacity < 0) throw new Refusal('pipe.notifications', `${file.link} is a queue of kernel notifications`);
    const reader = files.find(isReadable);
    const packets = reader === undefined || !context.contents ? [] : yield* copyContents(reader.fd, capacity);
    return { ...(identity === undefined ? {} : { identity }), capacity, packets, sharedByName };
  },
  *restore(state): Conversation<readonly number[]> {
    const [reader, writer] = state.identity === undefined ? yield* makePipe(state) : yield* openFifo(state, state.identity);
    yield [call('fcntl', writer, FCNTL.setPipeSize, state.capacity)];
    const isThere = state.identity?.kernel === kernelIdentity() && (yield* hasContents(writer));
    if (!isThere) {
      const results = yield state.packets.map((packet) => call('write', writer, packet, packet.length));
      if (results.some((written, n) => written !== state.packets[n]?.length)) throw new SyscallError('write to a pipe', ERRNO.ENOSPC);
    }
    return [reader, writer];
  },
};

/** Ends of a pipe are opened anew through /proc: that works for both ends, any flags and any number of them. */
export const pipeKind = defineKind<null, ObjectState>({
  name: 'pipe',
  schema: z.null(),
  object,
  matches: ({ status, flags }) => (status.mode & FILE_TYPE.mask) === FILE_TYPE.pipe && (flags & OPEN.path) === 0,
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    const [stranger] = context.outside(file).description;
    if (stranger !== undefined && isNamed(file)) {
      throw new Refusal(
        'description.shared',
        `${file.link} is shared with process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
      );
    }
    return null;
  },
  restore: (_state, { flags }, [reader = -1, writer = -1]) => openPipeEnd(flags, reader, writer),
});

/** Opens a description of a pipe by one of its ends in pid 1. */
export function* openPipeEnd(flags: number, reader: number, writer: number): Conversation<number> {
  const end = (flags & OPEN.accessMode) === OPEN.readOnly ? reader : writer;
  // Only the two descriptions that pipe2 makes are without O_LARGEFILE, which open(2) always sets and nothing takes back.
  const isOriginal = (flags & OPEN.largeFile) === 0;
  const reopened = (flags & REOPEN_THROUGH_LINK_FLAGS & ~OPEN.direct) | OPEN.closeOnExec;
  const [fd = -1] = yield [
    isOriginal ? call('fcntl', end, FCNTL.duplicateCloseOnExec, 0) : call('openat', INIT_PROCFS_FD, `self/fd/${end}`, reopened, 0),
  ];
  // A pipe takes O_DIRECT from fcntl only.
  if (isOriginal || (flags & OPEN.direct) !== 0) yield [call('fcntl', fd, FCNTL.setFlags, flags & SETTABLE_FLAGS)];
  return fd;
}

function refuseOutside(files: readonly OpenFile[], context: CaptureContext): void {
  for (const file of files) {
    const [stranger] = context.outside(file).target;
    if (stranger !== undefined) {
      throw new Refusal(
        'pipe.outside',
        `${file.link} is also open in process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
      );
    }
  }
}

/** Copies what is in a pipe without taking it out: tee(2) into a pipe of our own, which is then read. */
export function* copyContents(reader: number, capacity: number): Conversation<Uint8Array[]> {
  const count = new Int32Array(1);
  yield [call('ioctl', reader, FIONREAD, new Uint8Array(count.buffer))];
  let left = count[0] ?? 0;
  if (left === 0) return [];
  const ends = new Int32Array(2);
  yield [call('pipe2', new Uint8Array(ends.buffer), OPEN.nonBlocking | OPEN.closeOnExec)];
  const [from = -1, to = -1] = ends;
  const packets: Uint8Array[] = [];
  try {
    const [, copied = 0] = yield [call('fcntl', to, FCNTL.setPipeSize, capacity), call('tee', reader, to, left, SPLICE_F_NONBLOCK)];
    if (copied !== left) throw new SyscallError('tee', ERRNO.EIO, `${copied} of ${left} bytes`);
    while (left > 0) {
      const bytes = new Uint8Array(left);
      const [length = 0] = yield [call('read', from, bytes, bytes.length)];
      packets.push(bytes.slice(0, length));
      left -= length;
    }
  } finally {
    yield [call('close', from), call('close', to)];
  }
  return packets;
}

function* makePipe({ packets }: ObjectState): Conversation<[number, number]> {
  const ends = new Int32Array(2);
  yield [call('pipe2', new Uint8Array(ends.buffer), OPEN.nonBlocking | OPEN.closeOnExec | (packets.length > 1 ? OPEN.direct : 0))];
  const [reader = -1, writer = -1] = ends;
  return [reader, writer];
}

/** Both ends at once, so that opening waits for nobody. */
function* openFifo({ sharedByName }: ObjectState, identity: NonNullable<ObjectState['identity']>): Conversation<[number, number]> {
  const [fd = -1] = yield [call('openat', AT_FDCWD, pathOf(identity), OPEN.readWrite | OPEN.nonBlocking | OPEN.closeOnExec, 0)];
  yield* checkIdentity(fd, identity);
  if (sharedByName && identity.kernel !== kernelIdentity()) {
    throw new Refusal('pipe.outside', `the FIFO ${identity.path} is also open in processes that stay on another machine`);
  }
  return [fd, fd];
}

/** On the same kernel the source still has the FIFO open, and what it held is here already. */
function* hasContents(fd: number): Conversation<boolean> {
  const count = new Int32Array(1);
  yield [call('ioctl', fd, FIONREAD, new Uint8Array(count.buffer))];
  return count[0] !== 0;
}
