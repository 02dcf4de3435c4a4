/**
 * The wire protocol of FUSE (include/uapi/linux/fuse.h, 7.41): what the kernel asks through /dev/fuse, and the answers. Pure. Node ids and handles
 * are 64 bits wide.
 */
import type { FileStatus } from './file-status.ts';

export const FUSE_VERSION = { major: 7, minor: 41 } as const;
/** The oldest minor version whose structures are these. */
export const OLDEST_FUSE_MINOR = 31;
export const FUSE_ROOT_ID = 1n;

export const FUSE_OPERATION = {
  lookup: 1,
  forget: 2,
  getAttributes: 3,
  setAttributes: 4,
  readLink: 5,
  open: 14,
  read: 15,
  write: 16,
  statFileSystem: 17,
  release: 18,
  flush: 25,
  init: 26,
  openDirectory: 27,
  readDirectory: 28,
  releaseDirectory: 29,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
} as const;

/** FUSE_INIT flags. */
export const FUSE_FEATURE = { bigWrites: 1 << 5, parallelDirectoryOperations: 1 << 18, abortError: 1 << 21, maxPages: 1 << 22 } as const;
/** FOPEN_* flags of an answer to an open. */
export const FUSE_OPEN = { directIo: 1, nonSeekable: 4, noFlush: 32 } as const;
/** enum fuse_notify_code */
const NOTIFY_RESEND = 7;
/** Of the unique number of a request that is sent again (FUSE_UNIQUE_RESEND). */
export const FUSE_RESENT = 1n << 63n;

const IN_HEADER_SIZE = 40;
const OUT_HEADER_SIZE = 16;
const ATTRIBUTES_SIZE = 88;
const ENTRY_SIZE = 40 + ATTRIBUTES_SIZE;
/** What a buffer for requests must hold at least (FUSE_MIN_READ_BUFFER). */
export const FUSE_REQUEST_SIZE = 8192;
/** Of an answer to a read. */
export const FUSE_MAX_PAGES = 256;

/** What every request begins with. */
export interface FuseRequest {
  readonly operation: number;
  readonly unique: bigint;
  readonly node: bigint;
  /** Of the caller: its file system ids. */
  readonly uid: number;
  readonly gid: number;
  /** The thread that asks, in the pid namespace of whoever mounted; 0 when it is not in there. */
  readonly thread: number;
  /** The arguments of the operation. */
  readonly body: Uint8Array;
}

/** @param bytes one read from /dev/fuse; the body is a part of it */
export function decodeFuseRequest(bytes: Uint8Array): FuseRequest {
  const view = viewOf(bytes);
  if (bytes.length < IN_HEADER_SIZE || view.getUint32(0, true) !== bytes.length)
    throw new RangeError(`${bytes.length} bytes are not a request of FUSE`);
  return {
    operation: view.getUint32(4, true),
    unique: view.getBigUint64(8, true),
    node: view.getBigUint64(16, true),
    uid: view.getUint32(24, true),
    gid: view.getUint32(28, true),
    thread: view.getUint32(32, true),
    body: bytes.subarray(IN_HEADER_SIZE),
  };
}

export function decodeFuseName(body: Uint8Array): string {
  const end = body.indexOf(0);
  return Buffer.from(body.buffer, body.byteOffset, end < 0 ? body.length : end).toString('utf8');
}

export function decodeFuseInit(body: Uint8Array): { major: number; minor: number; maxReadAhead: number; flags: number } {
  const view = viewOf(body);
  return {
    major: view.getUint32(0, true),
    minor: view.getUint32(4, true),
    maxReadAhead: view.getUint32(8, true),
    flags: view.getUint32(12, true),
  };
}

/** Of FUSE_READ and FUSE_READDIR. */
export function decodeFuseRead(body: Uint8Array): { handle: bigint; offset: number; size: number } {
  const view = viewOf(body);
  return { handle: view.getBigUint64(0, true), offset: Number(view.getBigUint64(8, true)), size: view.getUint32(16, true) };
}

/** The flags of open(2). */
export function decodeFuseOpen(body: Uint8Array): number {
  return viewOf(body).getUint32(0, true);
}

/** Of FUSE_RELEASE and FUSE_RELEASEDIR. */
export function decodeFuseRelease(body: Uint8Array): bigint {
  return viewOf(body).getBigUint64(0, true);
}

/** An answer. @param unique of the request */
export function encodeFuseAnswer(unique: bigint, body: Uint8Array = new Uint8Array()): Uint8Array {
  return message(unique, 0, body);
}

/** @param errno positive */
export function encodeFuseError(unique: bigint, errno: number): Uint8Array {
  return message(unique, -errno, new Uint8Array());
}

/** Asks the kernel for all requests that were read and not answered, Linux 6.9. */
export function encodeFuseResend(): Uint8Array {
  return message(0n, NOTIFY_RESEND, new Uint8Array());
}

function message(unique: bigint, error: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(OUT_HEADER_SIZE + body.length);
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setInt32(4, error, true);
  view.setBigUint64(8, unique, true);
  bytes.set(body, OUT_HEADER_SIZE);
  return bytes;
}

/** struct fuse_init_out */
export function encodeFuseInit(options: {
  readonly minor: number;
  readonly maxReadAhead: number;
  readonly flags: number;
  readonly maxWrite: number;
}): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = viewOf(bytes);
  view.setUint32(0, FUSE_VERSION.major, true);
  view.setUint32(4, Math.min(options.minor, FUSE_VERSION.minor), true);
  view.setUint32(8, options.maxReadAhead, true);
  view.setUint32(12, options.flags, true);
  view.setUint32(20, options.maxWrite, true);
  view.setUint32(24, 1, true); // time granularity, ns
  view.setUint16(28, FUSE_MAX_PAGES, true);
  return bytes;
}

/** What a file system tells of a file. Times are in milliseconds since 1970. */
export interface FuseAttributes extends Pick<FileStatus, 'mode' | 'uid' | 'gid' | 'size' | 'links'> {
  readonly inode: bigint;
  readonly time: number;
}

function writeAttributes(view: DataView, at: number, { inode, mode, uid, gid, size, links, time }: FuseAttributes): void {
  view.setBigUint64(at, inode, true);
  view.setBigUint64(at + 8, BigInt(size), true);
  const seconds = BigInt(Math.floor(time / 1000));
  for (const n of [24, 32, 40]) view.setBigUint64(at + n, seconds, true);
  for (const n of [48, 52, 56]) view.setUint32(at + n, Math.floor((time % 1000) * 1e6), true);
  view.setUint32(at + 60, mode, true);
  view.setUint32(at + 64, links, true);
  view.setUint32(at + 68, uid, true);
  view.setUint32(at + 72, gid, true);
  view.setUint32(at + 80, 4096, true);
}

/** How long the kernel may believe an answer, in milliseconds. */
export interface FuseValidity {
  readonly entry: number;
  readonly attributes: number;
}

function writeTime(view: DataView, secondsAt: number, nanosecondsAt: number, milliseconds: number): void {
  view.setBigUint64(secondsAt, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setUint32(nanosecondsAt, (milliseconds % 1000) * 1e6, true);
}

/** struct fuse_entry_out */
export function encodeFuseEntry(node: bigint, attributes: FuseAttributes, validity: FuseValidity): Uint8Array {
  const bytes = new Uint8Array(ENTRY_SIZE);
  const view = viewOf(bytes);
  view.setBigUint64(0, node, true);
  writeTime(view, 16, 32, validity.entry);
  writeTime(view, 24, 36, validity.attributes);
  writeAttributes(view, 40, attributes);
  return bytes;
}

/** struct fuse_attr_out */
export function encodeFuseAttributes(attributes: FuseAttributes, validityMilliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16 + ATTRIBUTES_SIZE);
  const view = viewOf(bytes);
  writeTime(view, 0, 8, validityMilliseconds);
  writeAttributes(view, 16, attributes);
  return bytes;
}

/** struct fuse_open_out @param flags of {@link FUSE_OPEN} */
export function encodeFuseOpen(handle: bigint, flags: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = viewOf(bytes);
  view.setBigUint64(0, handle, true);
  view.setUint32(8, flags, true);
  return bytes;
}

/** struct fuse_statfs_out of a file system without blocks */
export function encodeFuseFileSystem(): Uint8Array {
  const bytes = new Uint8Array(80);
  const view = viewOf(bytes);
  view.setUint32(40, 4096, true);
  view.setUint32(44, 255, true);
  view.setUint32(48, 4096, true);
  return bytes;
}

/** A line of a directory. */
export interface FuseDirectoryEntry {
  readonly inode: bigint;
  /** Where a reader goes on that has read this one. Ascending within a directory. */
  readonly offset: number;
  /** DT_*: the type bits of st_mode, shifted right by 12. */
  readonly type: number;
  readonly name: string;
}

/** As many entries as fit (struct fuse_dirent). */
export function encodeFuseDirectory(entries: Iterable<FuseDirectoryEntry>, size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  const view = viewOf(bytes);
  let at = 0;
  for (const { inode, offset, type, name } of entries) {
    const length = Buffer.byteLength(name);
    const end = at + Math.ceil((24 + length) / 8) * 8;
    if (end > size) break;
    view.setBigUint64(at, inode, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setUint32(at + 16, length, true);
    view.setUint32(at + 20, type, true);
    bytes.write(name, at + 24);
    at = end;
  }
  return bytes.subarray(0, at);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
