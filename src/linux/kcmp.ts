/** kcmp(2): whether two processes share something in the kernel. Needs the rights of PTRACE_MODE_READ on both. */
import { SyscallError } from './errno.ts';
import { trySyscall } from './native.ts';

const KCMP = { file: 0, memory: 1, files: 2, fileSystem: 3, epollTarget: 7 } as const;

/**
 * Orders open file descriptions: 0 when descriptor `fd1` of process `pid1` and `fd2` of `pid2` refer to the same one, else −1
 * or 1 in an order that is stable while both are open.
 */
export function compareDescriptions(pid1: number, fd1: number, pid2: number, fd2: number): number {
  return order(trySyscall('kcmp', pid1, pid2, KCMP.file, fd1, fd2));
}

/** True when two tasks share one file descriptor table (CLONE_FILES). */
export function shareDescriptorTable(pid1: number, pid2: number): boolean {
  return order(trySyscall('kcmp', pid1, pid2, KCMP.files, 0, 0)) === 0;
}

/** True when two tasks share cwd, root and umask (CLONE_FS). */
export function shareFileSystemState(pid1: number, pid2: number): boolean {
  return order(trySyscall('kcmp', pid1, pid2, KCMP.fileSystem, 0, 0)) === 0;
}

/**
 * Orders descriptor `fd` of process `pid1` against the file that the epoll instance `epoll` of `pid2` watches under the
 * number `target`; `nth` counts entries of the same number. 0 when it is that file; undefined when there is no such entry.
 */
export function compareWithEpollTarget(
  pid1: number,
  fd: number,
  pid2: number,
  epoll: number,
  target: number,
  nth: number,
): number | undefined {
  const slot = new Uint8Array(Uint32Array.of(epoll, target, nth).buffer);
  const result = trySyscall('kcmp', pid1, pid2, KCMP.epollTarget, fd, slot);
  return result === -2 ? undefined : order(result);
}

/** kcmp answers 0 equal, 1 less, 2 greater, 3 not equal without order. */
function order(result: number): number {
  if (result < 0) throw new SyscallError('kcmp', -result);
  return result === 0 ? 0 : result === 1 ? -1 : 1;
}

/** Whether two processes share one address space (CLONE_VM without CLONE_THREAD, or vfork). */
export function shareMemory(pid1: number, pid2: number): boolean {
  return order(trySyscall('kcmp', pid1, pid2, KCMP.memory, 0, 0)) === 0;
}
