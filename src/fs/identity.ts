/** Whether a path leads to the same file on another node. */
import { readFileSync } from 'node:fs';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  attempt,
  call,
  fileSystemType,
  FILE_TYPE,
  NODE_LOCAL_FILE_SYSTEMS,
  parseExtendedStatus,
  STATFS_SIZE,
  STATX_MASK,
  STATX_SIZE,
  type Conversation,
  type ExtendedStatus,
} from '../linux/index.ts';
import type { FileIdentity } from './image.ts';
import type { CaptureContext } from './kind.ts';
import type { OpenFile } from './survey.ts';
import { Refusal } from './verdict.ts';

let bootIdentity: string | undefined;

/** statfs f_type, include/uapi/linux/magic.h */
const TMPFS = 0x01021994;
const FUSE = 0x65735546;
const PROCFS = 0x9fa0;
/** Where a node's own procfs is below the /proc of the cluster (src/procfs). */
const OWN_PROCFS = '/proc/.real/';

type Named = Pick<FileIdentity, 'path' | 'rawPath'>;

/** The path for a system call. */
export const pathOf = ({ path, rawPath }: Named): string | Uint8Array =>
  rawPath === undefined ? path : Buffer.concat([rawPath, Uint8Array.of(0)]);

/** boot_id of the running kernel: equal on two nodes of a cluster on one machine. */
export function kernelIdentity(): string {
  bootIdentity ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return bootIdentity;
}

/**
 * The identity of an open file with a name, after checking that the name still leads to it inside the container.
 * @throws Refusal file.hidden
 */
export function* identify(file: OpenFile, context: CaptureContext): Conversation<FileIdentity> {
  const own = new Uint8Array(STATX_SIZE);
  const named = new Uint8Array(STATX_SIZE);
  const system = new Uint8Array(STATFS_SIZE);
  const [, , found = 0] = yield [
    call('statx', file.fd, '', AT_EMPTY_PATH, STATX_MASK, own),
    call('fstatfs', file.fd, system),
    attempt('statx', AT_FDCWD, insideContainer(file, context), AT_SYMLINK_NOFOLLOW, STATX_MASK, named),
  ];
  const status = parseExtendedStatus(own);
  const fileSystem = typeOf(file.link, system);
  if (fileSystem === TMPFS && status.device === (yield* sharedMemoryDevice(context))) {
    throw new Refusal('file.shared-memory', `${file.link} is POSIX shared memory, which is of this node only`);
  }
  if (!NODE_LOCAL_FILE_SYSTEMS.has(fileSystem)) {
    const other = parseExtendedStatus(named);
    if (found < 0 || other.inode !== status.inode || other.device !== status.device) {
      throw new Refusal('file.hidden', `its name ${file.link} no longer leads to it: it was renamed, replaced or covered by a mount`);
    }
  }
  return identityOf(
    { path: pathInCluster(file.link), ...(file.rawLink === undefined ? {} : { rawPath: file.rawLink }) },
    status,
    fileSystem,
  );
}

/** Device of the container's /dev/shm, which each node has for itself. */
function* sharedMemoryDevice({ containerRoot }: CaptureContext): Conversation<number | undefined> {
  const status = new Uint8Array(STATX_SIZE);
  const [found = -1] = yield [attempt('statx', AT_FDCWD, `${containerRoot}/dev/shm`, AT_SYMLINK_NOFOLLOW, STATX_MASK, status)];
  return found < 0 ? undefined : parseExtendedStatus(status).device;
}

function insideContainer({ link, rawLink }: OpenFile, { containerRoot }: CaptureContext): string | Uint8Array {
  return pathOf({
    path: containerRoot + link,
    ...(rawLink === undefined ? {} : { rawPath: Buffer.concat([Buffer.from(containerRoot), rawLink]) }),
  });
}

/** What is a file of the node's own procfs here may be another node's there: by this path it is found on both. */
function pathInCluster(link: string): string {
  return link.startsWith(OWN_PROCFS) ? `/proc/${link.slice(OWN_PROCFS.length)}` : link;
}

/** /proc of a container is the daemon's file system (src/procfs), over a procfs: every node has its own, and both stand for the same. */
function typeOf(path: string, system: Uint8Array): number {
  const type = fileSystemType(system);
  return type === FUSE && path.startsWith('/proc/') ? PROCFS : type;
}

function identityOf({ path, rawPath }: Named, status: ExtendedStatus, fileSystem: number): FileIdentity {
  return {
    path,
    ...(rawPath === undefined ? {} : { rawPath }),
    type: status.mode & FILE_TYPE.mask,
    inode: status.inode,
    device: status.device,
    ...(status.born === undefined ? {} : { born: status.born }),
    size: status.size,
    modified: status.modified,
    fileSystem,
    kernel: kernelIdentity(),
  };
}

/** Compares what a node sees with what another node said. @returns undefined when it is the same file */
export function findDifference(expected: FileIdentity, seen: FileIdentity): string | undefined {
  if (seen.type !== expected.type) return 'it is another type of file';
  if (NODE_LOCAL_FILE_SYSTEMS.has(expected.fileSystem)) {
    return seen.fileSystem === expected.fileSystem ? undefined : 'it lies on another file system';
  }
  if (seen.kernel === expected.kernel) {
    return seen.inode === expected.inode && seen.device === expected.device ? undefined : 'it is another file of the same name';
  }
  if (expected.type === FILE_TYPE.characterDevice) return undefined;
  if (seen.fileSystem !== expected.fileSystem) return 'it lies on another kind of file system';
  if (seen.inode !== expected.inode) return 'it is another file of the same name';
  if (expected.born !== undefined || seen.born !== undefined) {
    return seen.born === expected.born ? undefined : 'it is another file of the same name, made at another time';
  }
  return seen.size === expected.size && seen.modified === expected.modified ? undefined : 'it cannot be told to be the same file';
}

/** Looks at an open descriptor of the running process. */
export function* identifyDescriptor(fd: number, named: Named): Conversation<FileIdentity> {
  const status = new Uint8Array(STATX_SIZE);
  const system = new Uint8Array(STATFS_SIZE);
  yield [call('statx', fd, '', AT_EMPTY_PATH, STATX_MASK, status), call('fstatfs', fd, system)];
  return identityOf(named, parseExtendedStatus(status), typeOf(named.path, system));
}

/** Checks that a descriptor which was just opened by path is the file that was meant. @throws Refusal file.differs */
export function* checkIdentity(fd: number, expected: FileIdentity): Conversation<void> {
  const difference = findDifference(expected, yield* identifyDescriptor(fd, expected));
  if (difference !== undefined) throw new Refusal('file.differs', `${expected.path} is not the same file on this node: ${difference}`);
}

/**
 * Whether the node on which this runs sees the file, without opening it for use. Run by pid 1.
 * @throws Refusal file.not-seen, file.differs
 */
export function* lookFor(expected: FileIdentity): Conversation<void> {
  const status = new Uint8Array(STATX_SIZE);
  const system = new Uint8Array(STATFS_SIZE);
  const [found = 0, onSystem = 0] = yield [
    attempt('statx', AT_FDCWD, pathOf(expected), AT_SYMLINK_NOFOLLOW, STATX_MASK, status),
    attempt('statfs', pathOf(expected), system),
  ];
  if (found < 0 || onSystem < 0) throw new Refusal('file.not-seen', `${expected.path} does not exist on this node`);
  const difference = findDifference(expected, identityOf(expected, parseExtendedStatus(status), typeOf(expected.path, system)));
  if (difference !== undefined) throw new Refusal('file.differs', `${expected.path} is not the same file on this node: ${difference}`);
}
