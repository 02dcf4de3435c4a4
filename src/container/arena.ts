/**
 * The arena: the memory that pid 1 of a container and the daemon share, and the state that outlives the daemon. One memfd, descriptor 3 of
 * pid 1, mapped there at {@link ARENA_ADDRESS} and here wherever it lands: programs name addresses of pid 1, this file translates.
 *
 * | offset | what |
 * |---|---|
 * | 0 | superblock |
 * | 0x2000 | programs of the threads (boot, reaper, keeper) |
 * | 0x10000 | journal: small words of those who join the modules (src/node) |
 * | 0x20000 | slots of trapped calls in flight |
 * | 0x40000 | ring of the reaper |
 * | 0x100000 | lanes: a control page, then the area for programs |
 * | 0x3000000 | records of moves (record-slots.ts) |
 */
import { INIT_AREA_FD, NativeMemory, stealDescriptor, syscall } from '../linux/index.ts';

/** Where pid 1, and every process it clones that has not executed anything, sees the arena. */
export const ARENA_ADDRESS = 0x2b0000000000;
export const ARENA_SIZE = 0x4000000;
/** Where pid 1, once asked, sees the memory of its streams (src/streams/store.ts). */
export const STREAM_MEMORY_ADDRESS = 0x2b1000000000;
/** Where pid 1's code lies. */
export const INIT_CODE_ADDRESS = ARENA_ADDRESS - 0x10000;

/** Lanes that anyone may be given; each is a thread of pid 1 without a filter. */
export const LANES = 8;
/** The lane whose thread has the seccomp filter: processes are cloned there. */
export const LAUNCHER_LANE = LANES;
export const LANE_SIZE = 0x400000;

export const BOOT_OFFSET = 0x2000;
export const REAPER_OFFSET = 0x4000;
export const KEEPER_OFFSET = 0x5000;
const THREAD_PROGRAMS_END = 0x6000;

export const JOURNAL = { offset: 0x10000, size: 0x10000 } as const;
/** Each begins with a struct seccomp_notif; its id is 0 when the slot is free. */
export const SECCOMP_SLOTS = { offset: 0x20000, count: 256, size: 256 } as const;
/** Entries: u64 sequence, i64 pid, u32 wait status (pad to 8), struct rusage (144 bytes). */
export const REAPER_RING = { offset: 0x40000, count: 2048, size: 256 } as const;
const LANES_OFFSET = 0x100000;
/** Moves that are under way or not settled. */
export const RECORD_SLOTS = { offset: 0x3000000, count: 16, size: 0x80000 } as const;

/** Fields of the superblock. Those marked futex are waited on. */
export const SUPERBLOCK = {
  magic: 0,
  version: 8,
  /** u32 futex, one of {@link STATE}. */
  state: 12,
  /** 16 random bytes: this container and no other. */
  identity: 16,
  /** u32 futex: changes whenever a child was made that the reaper may not know of. */
  children: 32,
  /** u32 futex: pid 1's descriptor of ns_last_pid; 0 until the keeper may begin. */
  lastPidFd: 40,
  /** u64: how often the keeper has set the allocator back. */
  keeperResets: 48,
  /** u64: children reaped so far; the next one gets this sequence number. */
  reaped: 56,
  /** i64: the reaper waits while `reaped` is not below. */
  reapLimit: 64,
  /** i32 descriptors of pid 1. */
  reaperEventfd: 72,
  listenerFd: 76,
  /** /dev/fuse; 0 until the cluster's file system was mounted over /proc. */
  fuseFd: 80,
  pidLow: 84,
  pidHigh: 88,
  /** i32 descriptor of pid 1: the memory of its streams; 0 until there is one. */
  streamMemoryFd: 92,
} as const;

/** Life of a container. `failed`: pid 1 could not make its threads. */
export const STATE = { made: 0, up: 1, ready: 2, failed: 3 } as const;

/** "KORRIGAN", little endian. */
const MAGIC = 0x4e414749_52524f4bn;
const VERSION = 3;
const MFD_CLOEXEC = 1;

export function laneOffset(index: number): number {
  return LANES_OFFSET + index * LANE_SIZE;
}

if (laneOffset(LAUNCHER_LANE + 1) > RECORD_SLOTS.offset) throw new RangeError('the lanes exceed the arena');
if (RECORD_SLOTS.offset + RECORD_SLOTS.count * RECORD_SLOTS.size > ARENA_SIZE) throw new RangeError('the records exceed the arena');
if (THREAD_PROGRAMS_END > JOURNAL.offset) throw new RangeError('the programs of the threads exceed their place');

export class Arena {
  /** The descriptor here; close-on-exec. */
  readonly fd: number;
  readonly memory: NativeMemory;
  readonly view: DataView;
  /** 32-bit words, for Atomics. */
  readonly words: Int32Array;

  private constructor(fd: number) {
    this.fd = fd;
    this.memory = NativeMemory.mapShared(fd, ARENA_SIZE);
    this.view = this.memory.view;
    this.words = new Int32Array(this.memory.view.buffer);
  }

  /** A new arena, zero but for the head of its superblock. */
  static create(): Arena {
    const fd = syscall('memfd_create', Buffer.from('korrigan-arena\0'), MFD_CLOEXEC);
    syscall('ftruncate', fd, ARENA_SIZE);
    const arena = new Arena(fd);
    arena.view.setBigUint64(SUPERBLOCK.magic, MAGIC, true);
    arena.view.setUint32(SUPERBLOCK.version, VERSION, true);
    arena.memory.bytes.set(crypto.getRandomValues(new Uint8Array(16)), SUPERBLOCK.identity);
    arena.view.setBigInt64(SUPERBLOCK.reapLimit, BigInt(REAPER_RING.count), true);
    return arena;
  }

  /** The arena of a container. @param pid host pid of its pid 1 @returns undefined when the process has no arena of this version */
  static open(pid: number): Arena | undefined {
    const fd = stealDescriptor(pid, INIT_AREA_FD);
    const head = new Uint8Array(16);
    const view = new DataView(head.buffer);
    const length = syscall('pread64', fd, head, head.length, 0);
    if (
      length === head.length &&
      view.getBigUint64(SUPERBLOCK.magic, true) === MAGIC &&
      view.getUint32(SUPERBLOCK.version, true) === VERSION
    )
      return new Arena(fd);
    syscall('close', fd);
    return undefined;
  }

  get identity(): string {
    return Buffer.from(this.memory.bytes.subarray(SUPERBLOCK.identity, SUPERBLOCK.identity + 16)).toString('hex');
  }

  /** Reads a 32-bit word that another thread may change. */
  load(offset: number): number {
    return Atomics.load(this.words, offset / 4);
  }

  store(offset: number, value: number): void {
    Atomics.store(this.words, offset / 4, value);
  }

  /** Reads a counter that only grows. */
  loadCounter(offset: number): number {
    return Number(this.view.getBigInt64(offset, true));
  }

  /** The address here of an offset, for system calls of this process. */
  addressHere(offset: number): number {
    return this.memory.address + offset;
  }

  /** Puts a piece of pid 1's memory (a program) in place. @param address in pid 1 */
  place(address: number, bytes: Uint8Array): void {
    this.memory.bytes.set(bytes, address - ARENA_ADDRESS);
  }

  close(): void {
    this.memory.free();
    syscall('close', this.fd);
  }
}
