/**
 * Children among the processes that move, all of them held.
 *
 * The kernel keeps which thread of its parent has made a child. Where a family is made anew all children are the first thread's. Two can see that: who waits
 * for the children of its own thread (__WNOTHREAD), and a child that gets a signal when the thread ends that made it (PR_SET_PDEATHSIG).
 */
import { KorriganError, readProcessFile, readStat, type RemoteProcess, SYS } from '../linux/index.ts';
import type { MovingChild, ProcessImage } from '../ghost/index.ts';
import type { FrozenPid } from './parts.ts';

const WAIT_FOR_OWN_CHILDREN = 0x20000000; // __WNOTHREAD

/** Children that move along, by the host pid of their parent. */
export function childrenByParent(frozen: readonly FrozenPid[]): Map<number, MovingChild[]> {
  if (frozen.length < 2) return new Map();
  const parentOf = ({ remote }: FrozenPid): number => readStat(remote.pid)?.parent ?? 0;
  return new Map(
    [...Map.groupBy(frozen, parentOf)].map(([parent, children]) => [
      parent,
      children.map(({ pid, remote }) => ({ pid, isStopped: remote.main.groupStop !== 0 })),
    ]),
  );
}

/**
 * To be asked of each process that moves.
 * @throws KorriganError KRG_NOT_MOVABLE for a process that would see that its children, or it itself, belong to another thread than before
 */
export function refuseBondsToThreads(process: FrozenPid, { threads }: ProcessImage, frozen: readonly FrozenPid[]): void {
  const { pid, remote } = process;
  if (remote.threads.some(waitsForOwnChildren) && remote.threads.slice(1).some((thread) => childrenOf(remote, thread).length > 0)) {
    const reason = 'a thread waits for children that it made itself (__WNOTHREAD), and they would be those of the first thread';
    throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot move: ${reason}`);
  }
  if (threads.every(({ parentDeathSignal }) => parentDeathSignal === 0)) return;
  const parentPid = readStat(remote.pid)?.parent;
  const parent = frozen.find((other) => other.remote.pid === parentPid)?.remote;
  if (parent?.threads.slice(1).some((thread) => childrenOf(parent, thread).includes(remote.pid)) !== true) return;
  const reason = 'it gets a signal at the end of the thread that made it (PR_SET_PDEATHSIG), which is not the first of its parent';
  throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot move with its parent: ${reason}`);
}

type Thread = RemoteProcess['main'];

function waitsForOwnChildren({ registers }: Thread): boolean {
  const call = registers.getNumber('originalRax');
  if (call !== SYS.wait4 && call !== SYS.waitid) return false;
  const options = registers.getNumber(call === SYS.wait4 ? 'rdx' : 'r10');
  return (options & WAIT_FOR_OWN_CHILDREN) !== 0;
}

function childrenOf({ pid }: RemoteProcess, { tracee }: Thread): number[] {
  return (readProcessFile(pid, `task/${tracee.tid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}
