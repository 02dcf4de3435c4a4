/** Credentials of a single thread of this process: the kernel keeps them per thread, only libc pretends otherwise (credentials(7), nptl(7)). */
import { NativeMemory, syscall, trySyscall } from './native.ts';

/** Who asks: what the kernel looks at when it decides who may see what of a process (fsuid, fsgid, groups, effective capabilities). */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Bits of capabilities(7). */
  readonly capabilities: bigint;
}

/** _LINUX_CAPABILITY_VERSION_3 */
const CAPABILITY_VERSION = 0x20080522;
const PR_SET_DUMPABLE = 4;
const LARGEST_GROUPS = 65_536;
const WORD = 0xffffffffn;

/** Lets one thread, which must be root's, act for others. Belongs to that thread. */
export class ThreadCredentials {
  private readonly memory = NativeMemory.allocate(4096 + 4 * LARGEST_GROUPS);
  private readonly own: Identity;
  private readonly permitted: bigint;

  constructor() {
    const { view } = this.memory;
    view.setUint32(0, CAPABILITY_VERSION, true);
    syscall('capget', this.memory.address, this.memory.address + 16);
    const both = (low: number): bigint => BigInt(view.getUint32(low, true)) | (BigInt(view.getUint32(low + 12, true)) << 32n);
    this.permitted = both(20);
    const count = syscall('getgroups', LARGEST_GROUPS, this.memory.address + 4096);
    const groups = Array.from({ length: count }, (_, n) => view.getUint32(4096 + 4 * n, true));
    this.own = { uid: syscall('geteuid'), gid: syscall('getegid'), groups, capabilities: both(16) };
  }

  /** Runs `action` with the rights of somebody else, as far as this thread has them. */
  as<T>(identity: Identity, action: () => T): T {
    const capabilities = identity.capabilities & this.permitted;
    const { own } = this;
    if (identity.uid === own.uid && identity.gid === own.gid && capabilities === own.capabilities) return action();
    this.setGroups(identity.groups);
    // These return the id before, and no error.
    trySyscall('setfsgid', identity.gid);
    trySyscall('setfsuid', identity.uid);
    this.setEffective(capabilities);
    try {
      return action();
    } finally {
      this.setEffective(own.capabilities);
      trySyscall('setfsuid', own.uid);
      trySyscall('setfsgid', own.gid);
      this.setGroups(own.groups);
      // Another fsuid has made this process one that nobody may look at (kernel/cred.c, commit_creds).
      trySyscall('prctl', PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
  }

  private setGroups(groups: readonly number[]): void {
    for (const [n, group] of groups.entries()) this.memory.view.setUint32(4096 + 4 * n, group, true);
    syscall('setgroups', groups.length, this.memory.address + 4096);
  }

  private setEffective(capabilities: bigint): void {
    const { view, address } = this.memory;
    view.setUint32(0, CAPABILITY_VERSION, true);
    view.setUint32(4, 0, true);
    const sets = [capabilities, this.permitted, 0n];
    for (const [n, set] of sets.entries()) {
      view.setUint32(16 + 4 * n, Number(set & WORD), true);
      view.setUint32(28 + 4 * n, Number(set >> 32n), true);
    }
    syscall('capset', address, address + 16);
  }
}

/** The identity of a thread, from its status in some procfs (proc_pid_status(5)). */
export function parseIdentity(status: string): Identity {
  const line = (key: string): string[] => (new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/).filter(Boolean);
  const [, , , uid = 65534] = line('Uid').map(Number);
  const [, , , gid = 65534] = line('Gid').map(Number);
  const [capabilities = '0'] = line('CapEff');
  return { uid, gid, groups: line('Groups').map(Number), capabilities: BigInt(`0x${capabilities}`) };
}
