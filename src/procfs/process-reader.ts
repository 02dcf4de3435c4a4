/**
 * Looks at the processes of this node's container with the rights of somebody else, so that the kernel decides what he may see. Blocks its thread: some files take
 * long, such as smaps. Belongs to one thread.
 */
import {
  AT_SYMLINK_NOFOLLOW,
  type Identity,
  NativeMemory,
  OPEN,
  parseMaps,
  parseStatus,
  STAT_SIZE,
  ThreadCredentials,
  trySyscall,
} from '../linux/index.ts';
import { isMemoryOfHusk } from '../proc/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { withClusterProcessor, withStartShifted } from './cluster-files.ts';
import { type Operation, PIECE_BYTES, type Result, RESULTS_BYTES } from './messages.ts';
import { pathOf } from './places.ts';

const PATH_SIZE = 256;
const BUFFER = PIECE_BYTES;
/** A husk has two pages; who has more than this is none, and its areas need not be read. */
const PAGES_OF_HUSK = 8;
const INIT = 1;

export interface ProcessReaderOptions {
  /** A descriptor of the container's procfs. */
  readonly procfs: number;
  readonly node: NodeId;
  /** By which the clock of the container is ahead of this thread's. */
  readonly startTicks: number;
}

export class ProcessReader {
  private readonly options: ProcessReaderOptions;
  private readonly memory = NativeMemory.allocate(PATH_SIZE + STAT_SIZE + BUFFER);
  private readonly path: Buffer;
  private readonly buffer: Buffer;
  private credentials: ThreadCredentials | undefined;

  constructor(options: ProcessReaderOptions) {
    this.options = options;
    const { bytes } = this.memory;
    this.path = Buffer.from(bytes.buffer, bytes.byteOffset, PATH_SIZE);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset + PATH_SIZE + STAT_SIZE, BUFFER);
  }

  /** Pids of all processes that run here, without pid 1 and without husks. */
  list(): number[] {
    const found = this.names('.');
    if (typeof found === 'number') return [];
    return found.map(({ name }) => Number(name)).filter((pid) => pid > INIT && !this.isHusk(pid));
  }

  /** Names in the root that are no processes. */
  rootNames(): { name: string; type: number }[] {
    const found = this.names('.');
    return typeof found === 'number' ? [] : found.filter(({ name }) => !/^\d/.test(name));
  }

  /** A file with the rights of this thread; undefined when it cannot be read. */
  text(path: string): string | undefined {
    const length = this.readInto(path, 0);
    return length < 0 ? undefined : this.buffer.toString('latin1', 0, length);
  }

  /** Is there a process or thread with this id that is no husk? */
  runsHere(pid: number): boolean {
    return (
      trySyscall('newfstatat', this.options.procfs, this.at(String(pid)), this.statAddress, AT_SYMLINK_NOFOLLOW) === 0 && !this.isHusk(pid)
    );
  }

  /** @param caller whose rights decide @returns undefined when the process of the first operation is not here */
  look(caller: Identity, operations: readonly Operation[]): Result[] | undefined {
    const here = new Map<number, boolean>();
    for (const { pid } of operations) if (!here.has(pid)) here.set(pid, this.runsHere(pid));
    if (here.get(operations[0]?.pid ?? 0) !== true) return undefined;
    this.credentials ??= new ThreadCredentials();
    let size = 0;
    const result = (operation: Operation): Result => {
      if (here.get(operation.pid) !== true || size > RESULTS_BYTES) return { isElsewhere: true };
      const found = this.one(operation);
      if ('bytes' in found) size += found.bytes.length;
      return found;
    };
    return this.credentials.as(caller, () => operations.map(result));
  }

  private one(operation: Operation): Result {
    const path = pathOf(operation);
    switch (operation.kind) {
      case 'read':
        return this.read(path, operation);
      case 'list': {
        const found = this.names(path);
        if (typeof found === 'number') return { errno: found };
        return { names: found.map(({ name }) => name), types: Uint8Array.from(found, ({ type }) => type) };
      }
      case 'link': {
        const length = trySyscall('readlinkat', this.options.procfs, this.at(path), this.bufferAddress, BUFFER);
        return length < 0 ? { errno: -length } : { link: this.buffer.toString('utf8', 0, length) };
      }
      case 'attributes': {
        const result = trySyscall('newfstatat', this.options.procfs, this.at(path), this.statAddress, AT_SYMLINK_NOFOLLOW);
        if (result < 0) return { errno: -result };
        const { mode, uid, gid, size, links } = parseStatus(this.memory.bytes.slice(PATH_SIZE, PATH_SIZE + STAT_SIZE));
        return { mode, uid, gid, size, links };
      }
    }
  }

  private read(path: string, { entry, offset = 0 }: Operation): Result {
    const length = this.readInto(path, offset);
    if (length < 0) return { errno: -length };
    if (entry !== 'stat') return { bytes: Uint8Array.from(this.buffer.subarray(0, length)) };
    const { node, startTicks } = this.options;
    const stat = withClusterProcessor(withStartShifted(this.buffer.toString('latin1', 0, length), startTicks), node);
    return { bytes: Buffer.from(stat, 'latin1') };
  }

  /** Reads up to a buffer's length. @returns the number of bytes, or the negated errno */
  private readInto(path: string, offset: number): number {
    const fd = trySyscall('openat', this.options.procfs, this.at(path), OPEN.closeOnExec | OPEN.noFollow | OPEN.nonBlocking, 0);
    if (fd < 0) return fd;
    let used = 0;
    while (used < BUFFER) {
      const count = trySyscall('pread64', fd, this.bufferAddress + used, BUFFER - used, offset + used);
      if (count < 0) used = count;
      if (count <= 0) break;
      used += count;
    }
    trySyscall('close', fd);
    return used;
  }

  isHusk(pid: number): boolean {
    const length = this.readInto(`${pid}/statm`, 0);
    const pages = Number.parseInt(this.buffer.toString('latin1', 0, Math.max(length, 0)), 10);
    if (!(pages > 0 && pages <= PAGES_OF_HUSK)) return false;
    const areas = this.readInto(`${pid}/maps`, 0);
    return areas > 0 && isMemoryOfHusk(parseMaps(this.buffer.toString('latin1', 0, areas)));
  }

  /** @returns a positive errno when it cannot be listed */
  private names(path: string): { name: string; type: number }[] | number {
    const fd = trySyscall('openat', this.options.procfs, this.at(path), OPEN.directory | OPEN.closeOnExec | OPEN.noFollow, 0);
    if (fd < 0) return -fd;
    const found: { name: string; type: number }[] = [];
    try {
      for (;;) {
        const length = trySyscall('getdents64', fd, this.bufferAddress, BUFFER);
        if (length < 0) return -length;
        if (length === 0) return found;
        for (let at = 0; at < length; at += this.buffer.readUInt16LE(at + 16)) {
          const name = this.buffer.toString('utf8', at + 19, this.buffer.indexOf(0, at + 19));
          if (name !== '.' && name !== '..') found.push({ name, type: this.buffer.readUInt8(at + 18) });
        }
      }
    } finally {
      trySyscall('close', fd);
    }
  }

  private at(path: string): number {
    const length = this.path.write(path, 0, PATH_SIZE - 1);
    this.path[length] = 0;
    return this.memory.address;
  }

  private get statAddress(): number {
    return this.memory.address + PATH_SIZE;
  }

  private get bufferAddress(): number {
    return this.memory.address + PATH_SIZE + STAT_SIZE;
  }
}
