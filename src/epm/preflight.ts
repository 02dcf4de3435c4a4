/** What is examined of a family before a move: whatever cannot move is named before anything is touched. */
import type { Container } from '../container/index.ts';
import { examineProcess } from '../ghost/index.ts';
import { isErrno, KorriganError, readProcessLink, readStat, shareMemory } from '../linux/index.ts';
import type { MovingPid } from './parts.ts';
import { childrenOf, processesOfContainer, traceeOf } from './relations.ts';

/** State of a process that no signal wakes: proc_pid_stat(5). */
const UNINTERRUPTIBLE = 'D';
/** Of the flags of a process: it is past the beginning of its exit (include/linux/sched.h). */
const PF_EXITING = 0x4;
/** Those that a process of the container shares with its pid 1. */
const NAMESPACES = ['mnt', 'uts', 'ipc', 'net', 'user', 'pid', 'time'] as const;

/**
 * @throws KorriganError KRG_NOT_MOVABLE, or KRG_PROCESS_BUSY for what may be over in a moment; nothing has been touched
 */
export function preflight(family: readonly MovingPid[], container: Container): void {
  const own = (name: string): string | undefined => readProcessLink(container.initPid, `ns/${name}`);
  const tracing = traceeOf(family, processesOfContainer(container.cgroup));
  if (tracing !== undefined) {
    const { tracer, tracee } = tracing;
    const reason = `it traces process ${container.containerPidOf(tracee) ?? tracee}; end that first`;
    throw new KorriganError('KRG_NOT_MOVABLE', `process ${tracer.pid} cannot move: tracing: ${reason}`);
  }
  for (const { pid: examined, hostPid } of family) {
    const state = readStat(hostPid)?.state;
    if (state === undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${examined} has just ended`);
    if (state === UNINTERRUPTIBLE) {
      throw new KorriganError('KRG_PROCESS_BUSY', `process ${examined} waits in the kernel (a disk, a vfork) and cannot be stopped now`);
    }
    const mate = [readStat(hostPid)?.parent ?? 0, ...childrenOf(hostPid)].find(
      (relative) => relative > 0 && sharesMemory(hostPid, relative),
    );
    if (mate !== undefined) {
      // A vfork ends in a moment; a shared address space that stays is refused after the last attempt.
      throw new KorriganError(
        'KRG_PROCESS_BUSY',
        `process ${examined} cannot move: it shares its address space with another process (vfork or CLONE_VM)`,
      );
    }
    const obstacle = examineProcess(hostPid).find(({ verdict }) => verdict === 'refused');
    if (obstacle !== undefined) {
      if (isJustEnding(hostPid)) throw new KorriganError('KRG_PROCESS_BUSY', `process ${examined} is just ending`);
      throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: ${obstacle.resource}: ${obstacle.reason}`);
    }
    const foreign = NAMESPACES.find((name) => (readProcessLink(hostPid, `ns/${name}`) ?? own(name)) !== own(name));
    if (foreign !== undefined) {
      throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: it has a ${foreign} namespace of its own`);
    }
  }
}

/** Its memory goes before it is a zombie. */
function isJustEnding(hostPid: number): boolean {
  const stat = readStat(hostPid);
  return stat === undefined || (stat.state !== 'Z' && (stat.flags & PF_EXITING) !== 0);
}

function sharesMemory(one: number, other: number): boolean {
  try {
    return shareMemory(one, other);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false; // it ended meanwhile
    throw error;
  }
}
