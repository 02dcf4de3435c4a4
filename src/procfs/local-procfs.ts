/** The container's own procfs as the serving thread needs it: who is here, who asks, what else there is. */
import {
  AT_SYMLINK_NOFOLLOW,
  type FileStatus,
  type FuseRequest,
  NativeMemory,
  parseIdentity,
  parseStatus,
  STAT_SIZE,
  trySyscall,
} from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { digestOf } from './listing.ts';
import { ProcessReader } from './process-reader.ts';
import type { Caller } from './server-protocol.ts';

const ROOT = 0;
const NO_CAPABILITIES = 0n;
const ALL_CAPABILITIES = (1n << 41n) - 1n;

export class LocalProcfs {
  readonly reader: ProcessReader;
  private readonly procfs: number;
  private readonly memory = NativeMemory.allocate(STAT_SIZE);
  private names = new Map<bigint, string>();

  /** @param procfs a descriptor of it */
  constructor(procfs: number, node: NodeId) {
    this.procfs = procfs;
    this.reader = new ProcessReader({ procfs, node, startTicks: 0 });
  }

  /** Of a name in its root; undefined when it is not there. */
  status(name: string): FileStatus | undefined {
    const path = Buffer.from(`${name}\0`);
    if (trySyscall('newfstatat', this.procfs, path, this.memory.address, AT_SYMLINK_NOFOLLOW) < 0) return undefined;
    return parseStatus(this.memory.bytes);
  }

  /** Names in its root that are no processes. */
  rootNames(): { name: string; type: number }[] {
    const names = this.reader.rootNames();
    this.names = new Map(names.map(({ name }) => [digestOf(name), name]));
    return names;
  }

  /** The name in its root with this digest. */
  nameOf(digest: bigint): string | undefined {
    if (!this.names.has(digest)) this.rootNames();
    return this.names.get(digest);
  }

  /** Who sends a request. One whom the kernel does not name is outside the container. */
  callerOf({ thread, uid, gid }: FuseRequest): Caller {
    const status = thread === 0 ? undefined : this.reader.text(`${thread}/status`);
    if (status === undefined) return { pid: 0, uid, gid, groups: [], capabilities: uid === ROOT ? ALL_CAPABILITIES : NO_CAPABILITIES };
    return { ...parseIdentity(status), uid, gid, pid: threadGroupOf(status) };
  }

  /** The process of a thread; undefined when there is none. */
  processOf(thread: number): number | undefined {
    const status = thread === 0 ? undefined : this.reader.text(`${thread}/status`);
    return status === undefined ? undefined : threadGroupOf(status);
  }
}

function threadGroupOf(status: string): number {
  return Number(/^Tgid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
}
