/** Open flags, fcntl commands and the structures that describe a file: man 2 open, fcntl, stat, statx, statfs. */

/** open(2) flags of x86-64. */
export const OPEN = {
  accessMode: 3,
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  noControllingTerminal: 0o400,
  append: 0o2000,
  nonBlocking: 0o4000,
  dataSync: 0o10000,
  async: 0o20000,
  direct: 0o40000,
  largeFile: 0o100000,
  directory: 0o200000,
  noFollow: 0o400000,
  noAccessTime: 0o1000000,
  closeOnExec: 0o2000000,
  sync: 0o4010000,
  path: 0o10000000,
  temporaryFile: 0o20200000,
} as const;

/** fcntl(2) commands. */
export const FCNTL = {
  duplicate: 0,
  getDescriptorFlags: 1,
  setDescriptorFlags: 2,
  getFlags: 3,
  setFlags: 4,
  setSignal: 10,
  getSignal: 11,
  setOwnerEx: 15,
  getOwnerEx: 16,
  setLock: 6,
  setOpenFileLock: 37,
  getLease: 1025,
  duplicateCloseOnExec: 1030,
  setPipeSize: 1031,
  getPipeSize: 1032,
  addSeals: 1033,
  getSeals: 1034,
} as const;

/** No lease, no lock: l_type and the answer of F_GETLEASE. */
export const LOCK_TYPE = { read: 0, write: 1, unlock: 2 } as const;
export const SEEK = { set: 0, current: 1, end: 2, data: 3, hole: 4 } as const;
export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const FD_CLOEXEC = 1;

/** File types of st_mode. */
export const FILE_TYPE = {
  mask: 0o170000,
  socket: 0o140000,
  symbolicLink: 0o120000,
  regular: 0o100000,
  blockDevice: 0o060000,
  directory: 0o040000,
  characterDevice: 0o020000,
  pipe: 0o010000,
} as const;

/** What fstat(2) tells. */
export interface FileStatus {
  /** Device number as major << 20 | minor; see {@link deviceNumber}. */
  readonly device: number;
  readonly inode: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Number of a device file itself, 0 for others. */
  readonly specialDevice: number;
  /** Bytes. */
  readonly size: number;
}

/** sizeof(struct stat) on x86-64. */
export const STAT_SIZE = 144;

export function parseStatus(bytes: Uint8Array): FileStatus {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    device: decodeDevice(view.getBigUint64(0, true)),
    inode: Number(view.getBigUint64(8, true)),
    links: Number(view.getBigUint64(16, true)),
    mode: view.getUint32(24, true),
    uid: view.getUint32(28, true),
    gid: view.getUint32(32, true),
    specialDevice: decodeDevice(view.getBigUint64(40, true)),
    size: Number(view.getBigInt64(48, true)),
  };
}

export const deviceNumber = (major: number, minor: number): number => major * 2 ** 20 + minor;
export const deviceMajor = (device: number): number => Math.floor(device / 2 ** 20);
export const deviceMinor = (device: number): number => device % 2 ** 20;

/** glibc's dev_t: minor in bits 0-7 and 20-43, major in bits 8-19 and 44-63. */
function decodeDevice(encoded: bigint): number {
  const minor = Number((encoded & 0xffn) | ((encoded >> 12n) & 0xffffff00n));
  const major = Number(((encoded >> 8n) & 0xfffn) | ((encoded >> 32n) & 0xfffff000n));
  return deviceNumber(major, minor);
}

/** What statx(2) tells beyond stat. */
export interface ExtendedStatus {
  readonly device: number;
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  /** Nanoseconds since 1970 at which the inode was made; undefined where the file system does not know. */
  readonly born: bigint | undefined;
  /** Nanoseconds since 1970 of the last change of the contents. */
  readonly modified: bigint;
}

/** sizeof(struct statx) */
export const STATX_SIZE = 256;
/** STATX_BASIC_STATS | STATX_BTIME */
export const STATX_MASK = 0xfff;
const STATX_BTIME = 0x800;

export function parseExtendedStatus(bytes: Uint8Array): ExtendedStatus {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const time = (offset: number): bigint => view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
  return {
    links: view.getUint32(16, true),
    mode: view.getUint16(28, true),
    inode: Number(view.getBigUint64(32, true)),
    size: Number(view.getBigUint64(40, true)),
    born: (view.getUint32(0, true) & STATX_BTIME) === 0 ? undefined : time(80),
    modified: time(112),
    device: deviceNumber(view.getUint32(136, true), view.getUint32(140, true)),
  };
}

/** sizeof(struct statfs); its first long is the type. */
export const STATFS_SIZE = 120;

export function fileSystemType(statfs: Uint8Array): number {
  return new DataView(statfs.buffer, statfs.byteOffset, statfs.byteLength).getUint32(0, true);
}

/** File-system types (include/uapi/linux/magic.h) whose files are made by the kernel of the node itself. */
export const NODE_LOCAL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
  [0xcafe4a11, 'bpf'],
  [0x6165676c, 'pstore'],
  [0x62656570, 'configfs'],
]);
export const HUGETLBFS = 0x958458f6;
export const MQUEUE = 0x19800202;
export const SECRETMEM = 0x5345434d;
