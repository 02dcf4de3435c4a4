/** clone3(2) and unshare(2): flags and the argument structure. */
import { setWord, type Word } from './program.ts';

/** include/uapi/linux/sched.h */
export const CLONE = {
  newTime: 0x80,
  vm: 0x100,
  fs: 0x200,
  files: 0x400,
  signalHandlers: 0x800,
  vfork: 0x4000,
  parent: 0x8000,
  thread: 0x10000,
  newMounts: 0x20000,
  systemVSemaphores: 0x40000,
  childClearTid: 0x200000,
  newUts: 0x4000000,
  newIpc: 0x8000000,
  newPids: 0x20000000,
  newNet: 0x40000000,
  intoCgroup: 0x200000000,
} as const;

/** What makes a clone a thread of its maker. The stack stays the maker's: for code that uses none. */
export const CLONE_THREAD_FLAGS = CLONE.vm + CLONE.fs + CLONE.files + CLONE.signalHandlers + CLONE.thread + CLONE.systemVSemaphores;

/** sizeof(struct clone_args), version 3 (with `cgroup`). */
export const CLONE_ARGUMENTS_SIZE = 88;

/** Offset of the member `cgroup`. */
export const CLONE_ARGUMENTS_CGROUP = 80;

export interface CloneOptions {
  /** Sum of {@link CLONE} members. */
  readonly flags: number;
  /** Signal for the parent when the child ends; 0: none, and the parent must wait with __WALL. */
  readonly exitSignal: number;
  /** Address of an i32 array with the wanted pid in the innermost pid namespace first. */
  readonly setTid?: { readonly address: Word; readonly count: number };
  /** Descriptor of a cgroup v2 directory; goes with {@link CLONE.intoCgroup}. */
  readonly cgroup?: number;
  /** Address for CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID. */
  readonly childTid?: Word;
  readonly threadPointer?: Word;
}

/** struct clone_args. */
export function cloneArguments(options: CloneOptions): Uint8Array {
  const bytes = new Uint8Array(CLONE_ARGUMENTS_SIZE);
  const view = new DataView(bytes.buffer);
  setWord(view, 0, options.flags);
  setWord(view, 16, options.childTid ?? 0);
  setWord(view, 32, options.exitSignal);
  setWord(view, 56, options.threadPointer ?? 0);
  setWord(view, 64, options.setTid?.address ?? 0);
  setWord(view, 72, options.setTid?.count ?? 0);
  setWord(view, CLONE_ARGUMENTS_CGROUP, options.cgroup ?? 0);
  return bytes;
}
