/**
 * Finds the open file descriptions of a set of processes: which exist, which descriptors refer to the same one, what stat and
 * fcntl say about each. Holds a duplicate of every description until it is closed.
 */
import { isUtf8 } from 'node:buffer';
import { readdirSync } from 'node:fs';
import {
  AT_FDCWD,
  attempt,
  call,
  compareDescriptions,
  converse,
  ERRNO,
  FCNTL,
  OPEN,
  onThisThread,
  parseStatus,
  resultOf,
  shareDescriptorTable,
  shareFileSystemState,
  STAT_SIZE,
  SEEK,
  SyscallError,
  together,
  type Conversation,
  type FileStatus,
  type ProgramRunner,
} from '../linux/index.ts';
import type { SignalOwner } from './image.ts';
import { Refusal } from './verdict.ts';

/** A process whose files are examined or captured. */
export interface MovingProcess {
  /** Pid inside the container. */
  readonly pid: number;
  /** Pid as this process sees it. */
  readonly hostPid: number;
  readonly pidfd: number;
  /** Runs programs inside the process; needed for capture, absent while it is only examined. */
  readonly inside?: ProgramRunner;
}

/** A descriptor of a moving process. */
export interface Holder {
  readonly process: MovingProcess;
  readonly fd: number;
}

/** One open file description. */
export interface OpenFile {
  readonly id: number;
  /** Our duplicate. */
  readonly fd: number;
  /** What /proc/PID/fd shows. */
  readonly link: string;
  /** The same where it is no UTF-8, byte by byte. */
  readonly rawLink?: Uint8Array;
  readonly status: FileStatus;
  /** F_GETFL */
  readonly flags: number;
  /** Position, for files whose offsets are plain byte counts. */
  readonly offset: number;
  readonly owner: SignalOwner | undefined;
  readonly hasLease: boolean;
  /** A lock of any type is held through it, or by the process on its file. */
  hasLock: boolean;
  /** Every descriptor of a moving process that refers to it; empty for working and root directories. */
  readonly holders: Holder[];
}

/** Descriptors of one process. */
export interface DescriptorTable {
  readonly process: MovingProcess;
  /** Sorted by number. */
  readonly entries: readonly { readonly fd: number; readonly file: OpenFile; readonly closeOnExec: boolean }[];
  readonly workingDirectory: OpenFile;
  readonly rootDirectory: OpenFile;
}

export class Survey {
  readonly files: OpenFile[] = [];
  readonly tables: DescriptorTable[] = [];
  private readonly sorted = new Map<string, OpenFile[]>();
  private readonly owned = new Set<number>();

  /** @throws SyscallError EMFILE when this process cannot hold as many descriptors */
  constructor(processes: readonly MovingProcess[]) {
    try {
      for (const process of processes) this.tables.push(this.readTable(process));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Gives all duplicates back. */
  close(): void {
    const fds = [...this.owned];
    this.owned.clear();
    converse(onThisThread(), closeAll(fds));
  }

  /** Takes a duplicate out of the survey's hands: the caller closes it. */
  release(file: OpenFile): number {
    this.owned.delete(file.fd);
    return file.fd;
  }

  /** These are closed with the survey. */
  takeOver(fds: readonly number[]): void {
    for (const fd of fds) this.owned.add(fd);
  }

  /** Adds a description that no descriptor refers to, e.g. of a mapped file; `fd` was taken over. */
  add(fd: number): OpenFile {
    const [facts] = converse(onThisThread(), together([describe(fd)]));
    if (facts === undefined) throw new RangeError('no facts');
    return this.register(facts, `extra:${fd}`);
  }

  private readTable(process: MovingProcess): DescriptorTable {
    const numbers = readdirSync(`/proc/${process.hostPid}/fd`)
      .map(Number)
      .toSorted((a, b) => a - b);
    const runner = onThisThread();
    const [duplicates, [cwd, root]] = [
      converse(runner, duplicateAll(process.pidfd, numbers)),
      converse(runner, together(['cwd', 'root'].map((name) => openPath(`/proc/${process.hostPid}/${name}`)))),
    ];
    for (const { duplicate } of duplicates) this.owned.add(duplicate);
    if (cwd === undefined || root === undefined) throw new RangeError('a process has a working and a root directory');
    this.owned.add(cwd).add(root);
    const facts = converse(runner, together([...duplicates.map(({ duplicate }) => describe(duplicate)), describe(cwd), describe(root)]));
    const shown = converse(runner, together(duplicates.map(({ fd }) => look(`/proc/${process.hostPid}/fdinfo/${fd}`))));
    const entries = duplicates.map(({ fd }, n) => {
      const found = facts[n];
      if (found === undefined) throw new RangeError('a description without facts');
      const { hasLock = false, closeOnExec = false } = shown[n] ?? {};
      const file = this.register({ ...found, hasLock });
      // Record locks show in the descriptors of their own process only.
      if (hasLock) file.hasLock = true;
      file.holders.push({ process, fd });
      return { fd, file, closeOnExec };
    });
    const [workingDirectory, rootDirectory] = facts.slice(duplicates.length).map((found) => this.register(found, 'path'));
    if (workingDirectory === undefined || rootDirectory === undefined) throw new RangeError('a directory without facts');
    return { process, entries, workingDirectory, rootDirectory };
  }

  /** Finds the description among those of the same look by kcmp's order, or makes it known. `uniqueness` compares without kcmp. */
  private register(facts: Omit<OpenFile, 'id' | 'holders'>, uniqueness?: string): OpenFile {
    const { device, inode } = facts.status;
    const link = facts.rawLink === undefined ? facts.link : Buffer.from(facts.rawLink).toString('latin1');
    const key = `${device}:${inode}:${facts.flags}:${link}:${uniqueness ?? ''}`;
    let group = this.sorted.get(key);
    if (group === undefined) this.sorted.set(key, (group = []));
    let low = 0;
    let high = group.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const known = group[middle] as OpenFile;
      const order = uniqueness === undefined ? compareDescriptions(globalThis.process.pid, facts.fd, globalThis.process.pid, known.fd) : 0;
      if (order === 0) {
        this.drop(facts.fd);
        return known;
      }
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    const file: OpenFile = { ...facts, id: this.files.length, holders: [] };
    group.splice(low, 0, file);
    this.files.push(file);
    return file;
  }

  private drop(fd: number): void {
    this.owned.delete(fd);
    converse(onThisThread(), closeAll([fd]));
  }
}

export function* closeAll(fds: readonly number[]): Conversation<void> {
  if (fds.length > 0) yield fds.map((fd) => attempt('close', fd));
}

/** Descriptors that were closed since they were listed are left out: a running process goes on meanwhile. */
function* duplicateAll(pidfd: number, numbers: readonly number[]): Conversation<{ fd: number; duplicate: number }[]> {
  const results = yield numbers.map((fd) => attempt('pidfd_getfd', pidfd, fd, 0));
  const found: { fd: number; duplicate: number }[] = [];
  for (const [n, fd] of numbers.entries()) {
    const duplicate = results[n] ?? -1;
    if (duplicate >= 0) found.push({ fd, duplicate });
    else if (duplicate !== -ERRNO.EBADF) {
      yield found.map((entry) => attempt('close', entry.duplicate));
      throw new SyscallError('pidfd_getfd', -duplicate);
    }
  }
  return found;
}

function* openPath(path: string): Conversation<number> {
  const [fd = -1] = yield [call('openat', AT_FDCWD, path, OPEN.path | OPEN.closeOnExec, 0)];
  return fd;
}

const OWNER_TYPES = ['thread', 'process', 'group'] as const;
/** Long enough for almost all links; PATH_MAX and ' (deleted)' for the others. */
const LINK_LENGTH = 200;
const LINK_LIMIT = 4200;

function* describe(fd: number): Conversation<Omit<OpenFile, 'id' | 'holders'>> {
  const status = new Uint8Array(STAT_SIZE);
  const link = new Uint8Array(LINK_LENGTH);
  const owner = new Int32Array(2);
  const [, flags = 0, offset = 0, length = 0, owned = -1, signal = 0, lease = 0] = yield [
    call('fstat', fd, status),
    call('fcntl', fd, FCNTL.getFlags),
    attempt('lseek', fd, 0, SEEK.current),
    call('readlink', `/proc/self/fd/${fd}`, link, link.length),
    attempt('fcntl', fd, FCNTL.getOwnerEx, new Uint8Array(owner.buffer)),
    attempt('fcntl', fd, FCNTL.getSignal),
    attempt('fcntl', fd, FCNTL.getLease),
  ];
  const name = length < link.length ? link.slice(0, length) : yield* readLongLink(fd);
  const [type = 0, pid = 0] = owner;
  const ownerType = OWNER_TYPES[type];
  return {
    fd,
    link: Buffer.from(name).toString(),
    ...(isUtf8(name) ? {} : { rawLink: name }),
    status: parseStatus(status),
    flags,
    offset: Math.max(offset, 0),
    owner: owned < 0 || pid === 0 || ownerType === undefined ? undefined : { type: ownerType, pid, signal: Math.max(signal, 0) },
    hasLease: lease === 0 || lease === 1,
    hasLock: false,
  };
}

/** Locks follow pos, flags, mnt_id and ino in fdinfo (fs/proc/fd.c), so that a first look needs no more. */
export const FIRST_LOOK = 256;

/**
 * What only fdinfo shows: FD_CLOEXEC, which belongs to the descriptor, and whether there are locks: all of a process's own, unlike
 * /proc/locks, whose reader waits for an RCU grace period (fs/locks.c).
 */
function* look(path: string): Conversation<Look> {
  const text = new Uint8Array(FIRST_LOOK);
  const [opened = -1, length = 0] = yield [
    attempt('openat', AT_FDCWD, path, OPEN.closeOnExec, 0),
    attempt('read', resultOf(0), text, text.length),
    attempt('close', resultOf(0)),
  ];
  if (opened < 0 || length < 0) return { hasLock: false, closeOnExec: false }; // closed meanwhile
  return parseLook(Buffer.from(text.buffer, 0, length).toString('latin1'));
}

interface Look {
  hasLock: boolean;
  closeOnExec: boolean;
}

/** @param text the first {@link FIRST_LOOK} bytes of fdinfo */
export function parseLook(text: string): Look {
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? '0';
  return { hasLock: text.includes('\nlock:'), closeOnExec: (Number.parseInt(flags, 8) & OPEN.closeOnExec) !== 0 };
}

function* readLongLink(fd: number): Conversation<Uint8Array> {
  const link = new Uint8Array(LINK_LIMIT);
  const [length = 0] = yield [call('readlink', `/proc/self/fd/${fd}`, link, link.length)];
  return link.slice(0, length);
}

/** Refuses processes and threads that share a table or cwd with another: each moving process must have its own. */
export function findSharedTables(processes: readonly MovingProcess[], others: readonly number[]): Refusal | undefined {
  for (const [n, { pid, hostPid }] of processes.entries()) {
    for (const tid of readdirSync(`/proc/${hostPid}/task`).map(Number)) {
      if (tid !== hostPid && hasItsOwn(hostPid, tid)) {
        return new Refusal(
          'table.shared-threads',
          `a thread of process ${pid} has a descriptor table or working directory of its own (unshare)`,
        );
      }
    }
    for (const other of [...processes.slice(n + 1).map((mate) => mate.hostPid), ...others]) {
      if (sharesWith(hostPid, other)) {
        return new Refusal(
          'table.shared',
          `process ${pid} shares its descriptor table or working directory with another process (CLONE_FILES, CLONE_FS or vfork)`,
        );
      }
    }
  }
  return undefined;
}

function hasItsOwn(pid: number, tid: number): boolean {
  return !unlessEnded(true, () => shareDescriptorTable(pid, tid) && shareFileSystemState(pid, tid));
}

function sharesWith(pid: number, other: number): boolean {
  return unlessEnded(false, () => shareDescriptorTable(pid, other) || shareFileSystemState(pid, other));
}

/** The processes and threads that are compared may run, and end. */
function unlessEnded(otherwise: boolean, compare: () => boolean): boolean {
  try {
    return compare();
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ERRNO.ESRCH) return otherwise;
    throw error;
  }
}
