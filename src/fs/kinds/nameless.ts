/**
 * Files that exist only while they are open: memfds, unlinked files, O_TMPFILE. Their contents travel: small ones in the image,
 * large ones beside it.
 */
import { z } from 'zod';
import {
  AT_FDCWD,
  attempt,
  call,
  type Conversation,
  ERRNO,
  FCNTL,
  FILE_TYPE,
  fileSystemType,
  HUGETLBFS,
  INIT_PROCFS_FD,
  MQUEUE,
  OPEN,
  SECRETMEM,
  SEEK,
  STATFS_SIZE,
  SyscallError,
} from '../../linux/index.ts';
import { contentsSchema, type Contents, type Extent } from '../image.ts';
import { defineKind, type ObjectKind } from '../kind.ts';
import { Refusal } from '../verdict.ts';
import { isDeleted, REOPEN_THROUGH_LINK_FLAGS } from './path.ts';

/** Contents up to this size travel inside the image. */
const INLINE_LIMIT = 256 * 1024;
/** An unlinked file with more data than this does not move. */
const SIZE_LIMIT = 4 * 1024 ** 3;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MEMFD = /^\/memfd:(.*) \(deleted\)$/s;
const ACCESS_BITS = 0o7777;

const objectState = z.object({
  /** Name of a memfd, or the folder in which an unlinked file lay. */
  memfd: z.string().optional(),
  folder: z.string().optional(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  /** F_GET_SEALS of a memfd. */
  seals: z.number(),
  contents: contentsSchema,
});

const object: ObjectKind<z.infer<typeof objectState>> = {
  schema: objectState,
  key: ({ status }) => `${status.device}:${status.inode}`,
  *capture(files, context) {
    const [file] = files;
    if (file === undefined) throw new RangeError('an object without descriptions');
    for (const each of files) {
      const [stranger] = context.outside(each).target;
      if (stranger !== undefined) {
        throw new Refusal(
          'file.deleted-elsewhere',
          `${each.link} has no name and is also open in process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
        );
      }
    }
    // A file that nobody can write any more, as a library that was replaced, may be there twice.
    const canWrite = files.some(({ flags }) => (flags & OPEN.accessMode) !== OPEN.readOnly);
    const mapper = context.whoMappedOutside(file, canWrite);
    if (mapper !== undefined) {
      throw new Refusal(
        'file.deleted-elsewhere',
        `${file.link} has no name and is also mapped by process ${context.pidInside(mapper)}, which stays; move both together (--tree)`,
      );
    }
    const system = new Uint8Array(STATFS_SIZE);
    const [, seals = 0] = yield [call('fstatfs', file.fd, system), attempt('fcntl', file.fd, FCNTL.getSeals)];
    const type = fileSystemType(system);
    if (type === HUGETLBFS) throw new Refusal('file.hugetlb', `${file.link} lies in huge pages (hugetlbfs)`);
    if (type === MQUEUE) throw new Refusal('file.message-queue', `${file.link} is a message queue of this node; close it before the move`);
    if (type === SECRETMEM)
      throw new Refusal('anonymous.secret-memory', 'secret memory (memfd_secret), which nobody but the process can read');
    const memfd = MEMFD.exec(file.link)?.[1];
    const extents = context.contents ? yield* findExtents(file.fd, file.status.size) : [];
    const { mode, uid, gid, size } = file.status;
    const stored = extents.reduce((sum, { length }) => sum + length, 0);
    if (stored > SIZE_LIMIT)
      throw new Refusal('file.too-large', `${file.link} has no name and ${stored} bytes, more than can travel with a process`);
    const contents: Contents = { size, extents };
    if (stored <= INLINE_LIMIT) contents.inline = yield* readExtents(file.fd, extents, stored);
    const place = memfd === undefined ? { folder: file.link.slice(0, file.link.lastIndexOf('/')) || '/' } : { memfd };
    return { ...place, mode: mode & ACCESS_BITS, uid, gid, seals: Math.max(seals, 0), contents };
  },
  *restore(state): Conversation<readonly number[]> {
    const fd = state.memfd === undefined ? yield* createUnlinked(state.folder ?? '/', state.mode) : yield* createMemfd(state.memfd);
    yield [call('fchown', fd, state.uid, state.gid), call('fchmod', fd, state.mode), call('ftruncate', fd, state.contents.size)];
    const { inline, extents } = state.contents;
    if (inline !== undefined) {
      let start = 0;
      for (const { offset, length } of extents) {
        const written = yield [call('pwrite64', fd, inline.slice(start, start + length), length, offset)];
        if (written[0] !== length) throw new SyscallError('pwrite64', ERRNO.ENOSPC);
        start += length;
      }
    }
    return [fd];
  },
  *seal(state, [fd = -1]) {
    if (state.memfd !== undefined && state.seals !== 0) yield [call('fcntl', fd, FCNTL.addSeals, state.seals)];
  },
  bulk: ({ contents }) => (contents.inline === undefined ? contents.extents : []),
};

const descriptionState = z.object({ offset: z.number() });

export const namelessKind = defineKind<z.infer<typeof descriptionState>, z.infer<typeof objectState>>({
  name: 'nameless-file',
  schema: descriptionState,
  object,
  matches: (file) => isDeleted(file) && (file.status.mode & FILE_TYPE.mask) === FILE_TYPE.regular,
  // oxlint-disable-next-line require-yield
  *capture(file) {
    return { offset: file.offset };
  },
  *restore({ offset }, description, [whole = -1]): Conversation<number> {
    const [fd = -1] = yield [
      call('openat', INIT_PROCFS_FD, `self/fd/${whole}`, (description.flags & REOPEN_THROUGH_LINK_FLAGS) | OPEN.closeOnExec, 0),
    ];
    if (offset !== 0) yield [call('lseek', fd, offset, SEEK.set)];
    return fd;
  },
});

/** Runs of data, by SEEK_DATA and SEEK_HOLE. The position of the description is not touched: it is shared with the process. */
function* findExtents(fd: number, size: number): Conversation<Extent[]> {
  const extents: Extent[] = [];
  const [own = -1] = yield [call('openat', AT_FDCWD, `/proc/self/fd/${fd}`, OPEN.readOnly | OPEN.closeOnExec, 0)];
  for (let at = 0; at < size; ) {
    const [start = -1] = yield [attempt('lseek', own, at, SEEK.data)];
    if (start < 0) break; // ENXIO: only a hole follows
    const [end = -1] = yield [attempt('lseek', own, start, SEEK.hole)];
    if (end < 0) break;
    extents.push({ offset: start, length: end - start });
    at = end;
  }
  yield [call('close', own)];
  return extents;
}

function* readExtents(fd: number, extents: readonly Extent[], total: number): Conversation<Uint8Array> {
  const data = new Uint8Array(total);
  if (total === 0) return data;
  const [own = -1] = yield [call('openat', AT_FDCWD, `/proc/self/fd/${fd}`, OPEN.readOnly | OPEN.closeOnExec, 0)];
  const parts: Uint8Array[] = [];
  const calls = extents.map(({ offset, length }) => {
    const part = new Uint8Array(length);
    parts.push(part);
    return call('pread64', own, part, length, offset);
  });
  yield [...calls, call('close', own)];
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function* createMemfd(name: string): Conversation<number> {
  const [fd = -1] = yield [call('memfd_create', name, MFD_CLOEXEC | MFD_ALLOW_SEALING)];
  return fd;
}

/** In the folder where it lay, or where that is gone or cannot hold such files in a temporary folder. */
function* createUnlinked(folder: string, mode: number): Conversation<number> {
  let failure = 0;
  for (const place of [folder, '/tmp', '/dev/shm']) {
    const [fd = -1] = yield [attempt('openat', AT_FDCWD, place, OPEN.temporaryFile | OPEN.readWrite | OPEN.closeOnExec, mode)];
    if (fd >= 0) return fd;
    failure = -fd;
  }
  throw new SyscallError(`open(${folder}, O_TMPFILE)`, failure);
}
