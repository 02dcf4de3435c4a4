/**
 * File locks. flock and open-file locks belong to a description, record locks (fcntl F_SETLK) to a process. All are given up at
 * the source and taken again at the target while the processes are frozen: the same kernel, or the same file server, serves both.
 */
import { readFileSync } from 'node:fs';
import { call, DescriptorInfo, deviceNumber, FCNTL, LOCK_TYPE, type Call, type FileLock } from '../linux/index.ts';
import type { CaptureContext } from './kind.ts';
import type { MovingProcess, OpenFile } from './survey.ts';
import { Refusal } from './verdict.ts';

const LOCK_SHARED_OR_EXCLUSIVE = { read: 1, write: 2 } as const;
const LOCK_NON_BLOCKING = 4;
const LOCK_UNLOCK = 8;
/** sizeof(struct flock): i16 type, i16 whence, i64 start, i64 length, i32 pid */
const FLOCK_SIZE = 32;

/** What /proc/locks shows: which files have locks at all, and which locks somebody waits for. */
export class LockTable {
  private readonly locked: ReadonlySet<string>;
  private readonly awaited: ReadonlySet<string>;

  private constructor(locked: ReadonlySet<string>, awaited: ReadonlySet<string>) {
    this.locked = locked;
    this.awaited = awaited;
  }

  /** @param files those that matter: without a lock on any of them there is nothing to read. */
  static read(files: readonly OpenFile[]): LockTable {
    return files.some(({ hasLock }) => hasLock)
      ? LockTable.parse(readFileSync('/proc/locks', 'latin1'))
      : new LockTable(new Set(), new Set());
  }

  /** Lines such as `1: FLOCK ADVISORY WRITE 4711 fe:00:2146338 0 EOF`; one that waits has `->` after its number. */
  static parse(text: string): LockTable {
    const locked = new Set<string>();
    const awaited = new Set<string>();
    for (const line of text.split('\n')) {
      const match = / ([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line);
      if (match === null) continue;
      const key = `${deviceNumber(Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16))}:${match[3]}`;
      locked.add(key);
      if (line.includes('->')) awaited.add(key);
    }
    return new LockTable(locked, awaited);
  }

  /** flock and open-file locks of a description. */
  ofDescription(file: OpenFile, context: CaptureContext): FileLock[] {
    if (!this.locked.has(keyOf(file))) return [];
    return context.info(file).locks.filter(({ type }) => type === 'flock' || type === 'open-file');
  }

  /** Record locks of a process on the file behind one of its descriptors. */
  ofProcess(process: MovingProcess, fd: number, file: OpenFile): FileLock[] {
    if (!this.locked.has(keyOf(file))) return [];
    const info = new DescriptorInfo(readFileSync(`/proc/${process.hostPid}/fdinfo/${fd}`, 'latin1'));
    return info.locks.filter(({ type }) => type === 'posix');
  }

  /** A record lock shows under each duplicate of the descriptor with which it was taken: once is enough. */
  withoutDoubles(
    locks: readonly { fd: number; lock: FileLock }[],
    entries: readonly { readonly fd: number; readonly file: OpenFile }[],
  ): { fd: number; lock: FileLock }[] {
    const inodes = new Map(entries.map(({ fd, file }) => [fd, keyOf(file)]));
    const seen = new Set<string>();
    return locks.filter(({ fd, lock }) => {
      const key = `${inodes.get(fd)} ${lock.access} ${lock.start} ${lock.end}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  /** Between the two nodes a lock is free for a moment: it must not be snatched by somebody who waits for it already. */
  findAwaited(files: readonly OpenFile[]): Refusal[] {
    return files
      .filter((file) => this.awaited.has(keyOf(file)))
      .map(
        ({ link }) =>
          new Refusal('file.lock-awaited', `another process waits for a lock on ${link}, and could take it during the move; try again`),
      );
  }
}

const keyOf = ({ status }: OpenFile): string => `${status.device}:${status.inode}`;

/** The call that takes a lock, without waiting; for record locks inside the process. */
export function takeLock(fd: number, lock: FileLock): Call {
  if (lock.type === 'flock') return call('flock', fd, LOCK_SHARED_OR_EXCLUSIVE[lock.access] | LOCK_NON_BLOCKING);
  const command = lock.type === 'posix' ? FCNTL.setLock : FCNTL.setOpenFileLock;
  return call('fcntl', fd, command, range(lock, LOCK_TYPE[lock.access]));
}

/** The call that gives a lock up; for record locks inside the process. */
export function giveUpLock(fd: number, lock: FileLock): Call {
  if (lock.type === 'flock') return call('flock', fd, LOCK_UNLOCK);
  const command = lock.type === 'posix' ? FCNTL.setLock : FCNTL.setOpenFileLock;
  return call('fcntl', fd, command, range(lock, LOCK_TYPE.unlock));
}

function range({ start, end }: FileLock, type: number): Uint8Array {
  const bytes = new Uint8Array(FLOCK_SIZE);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, end === undefined ? 0n : BigInt(end - start + 1), true);
  return bytes;
}
