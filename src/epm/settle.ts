/**
 * What is left to do for a move when its decision is known and nobody holds its processes any more: they are frozen, wait in our code, or have gone
 * on by themselves. Used when the link was lost at the wrong moment, and by a daemon that finds the move in its journal. Every step
 * may have been done before. Runs in a ghost worker.
 */
import {
  inProcess,
  isDeath,
  isErrno,
  pidfdGetfd,
  pidfdOpen,
  type ProgramRunner,
  readMaps,
  REGION_ADDRESS,
  REGION_LIMIT,
  RemoteProcess,
  syscall,
  converse,
  one,
  onThisThread,
  type Conversation,
  sleepMicroseconds,
} from '../linux/index.ts';
import { takeLock } from '../fs/index.ts';
import { continueLeftBehind, discardSignals } from '../ghost/index.ts';
import { deflate, DEFLATE_REGION_SIZE, isHusk, resumeHusk, HUSK_ADDRESS, HUSK_LOOP, HUSK_SIZE } from '../proc/index.ts';
import { thawGroup } from './hold.ts';
import { isAlive, type MoveRecord, type SourceRecord, type TargetRecord } from './journal.ts';

/** What becomes of the processes here. */
export type Settlement = 'resume' | 'deflate' | 'run' | 'discard';

export interface SettleOptions {
  readonly sendRecordPipe: (pid: number, socket: number) => void;
}

/** What a process has left here. */
interface HeldRemains {
  readonly pid: number;
  readonly remote: RemoteProcess;
}

const REGION_SIZE = 1 << 16;
const HEALING_ATTEMPTS = 2000;
const HEALING_MICROSECONDS = 500;

export function settle(record: MoveRecord, settlement: Settlement, options: SettleOptions): void {
  if (record.role === 'source') {
    if (settlement === 'resume') resumeSource(record);
    else deflateSource(record, options);
  } else if (settlement === 'run') {
    thawGroup(record.cgroup);
  } else {
    discardTarget(record, options);
  }
}

/** They go on as if nothing had been, with the locks that were theirs and without our memory. */
function resumeSource(record: SourceRecord): void {
  const living = record.processes.filter(isAlive);
  for (const { pid, hostPid } of living) {
    const locks = record.locks.filter((lock) => lock.pid === pid);
    if (locks.length === 0) continue;
    ignoreEnded(() => {
      const remote = RemoteProcess.stop(hostPid);
      try {
        thawGroup(record.cgroup);
        takeLocks(remote, locks);
      } finally {
        remote.release();
      }
    });
  }
  thawGroup(record.cgroup);
  for (const { hostPid } of living) ignoreEnded(() => removeRegion(hostPid));
}

function takeLocks(remote: RemoteProcess, locks: SourceRecord['locks']): void {
  const pidfd = pidfdOpen(remote.pid);
  remote.takeOverRegion();
  remote.openRegion(REGION_SIZE);
  const inside = inProcess(remote);
  try {
    for (const { fd, lock } of locks) {
      const { name, args } = takeLock(fd, lock);
      if (lock.type === 'posix') {
        retake(inside, one(name, ...args));
        continue;
      }
      const here = pidfdGetfd(pidfd, fd);
      retake(onThisThread(), one(name, here, ...args.slice(1)));
      syscall('close', here);
    }
  } finally {
    syscall('close', pidfd);
  }
}

/** A lock that somebody has taken meanwhile is lost: with the daemon away nothing could guard it. */
function retake(runner: ProgramRunner, taking: Conversation<number>): void {
  try {
    converse(runner, taking);
  } catch (error) {
    if (!isErrno(error, 'EAGAIN', 'EBADF')) throw error;
  }
}

/** Once no thread is on its way back through it. */
function removeRegion(hostPid: number): void {
  for (let attempt = 0; attempt < HEALING_ATTEMPTS; attempt++) {
    const region = readMaps(hostPid).filter(({ start }) => start >= REGION_ADDRESS && start < REGION_LIMIT);
    const [first] = region;
    if (first === undefined) return;
    const end = region.at(-1)?.end ?? first.end;
    const remote = RemoteProcess.stop(hostPid);
    const isInside = remote.threads.some(({ registers }) => {
      const rip = registers.getNumber('rip');
      return rip >= first.start && rip < end;
    });
    if (!isInside) remote.stepSystemCall('munmap', first.start, end - first.start);
    remote.leave();
    if (!isInside) return;
    sleepMicroseconds(HEALING_MICROSECONDS);
  }
}

/** Nothing of it runs again, also when this daemon is killed over it. */
function stopForGood(hostPid: number): RemoteProcess {
  const remote = RemoteProcess.stop(hostPid);
  remote.takeOverRegion();
  remote.park();
  return remote;
}

/** They live on the other node: what is left here becomes husks. Nothing of them may run again here. */
function deflateSource(record: SourceRecord, options: SettleOptions): void {
  const held: HeldRemains[] = [];
  for (const { pid, hostPid } of record.processes.filter(isAlive)) {
    ignoreEnded(() => {
      if (isHusk(hostPid)) {
        returnToLoop(hostPid);
        return;
      }
      held.push({ pid, remote: stopForGood(hostPid) });
    });
  }
  thawGroup(record.cgroup);
  // Children before their parents, who would end threads of which they are the children.
  becomeHusks(held.toReversed(), record.pending, options);
}

function becomeHusks(held: readonly HeldRemains[], pending: MoveRecord['pending'], options: SettleOptions): void {
  const living = held.filter(({ remote }) => lives(() => remote.openRegion(Math.max(REGION_SIZE, DEFLATE_REGION_SIZE))));
  continueLeftBehind(living);
  for (const { pid, remote } of living) {
    ignoreEnded(() => {
      discardTravelling(remote, pending, pid);
      deflate(remote, { pid, sendRecordPipe: options.sendRecordPipe });
    });
  }
}

/** Takes signals that travel with a process out of its queues on the node where it is a husk: it has them where it runs. */
function discardTravelling(remote: RemoteProcess, pending: MoveRecord['pending'], pid: number): void {
  for (const thread of remote.threads) {
    const own = pending.filter((entry) => entry.pid === pid && entry.thread === thread.tracee.tid);
    const shared = thread === remote.main ? pending.filter((entry) => entry.pid === pid && entry.thread === 0) : [];
    discardSignals(
      remote,
      thread,
      [...own, ...shared].flatMap(({ signal, count }) => Array.from({ length: count }, () => signal)),
    );
  }
}

/** They go on on the source: what was made here goes, and what was a husk is one again. */
function discardTarget(record: TargetRecord, options: SettleOptions): void {
  const held: HeldRemains[] = [];
  for (const { pid, hostPid, returning } of record.processes.filter(isAlive).toReversed()) {
    ignoreEnded(() => {
      if (isHusk(hostPid)) {
        returnToLoop(hostPid);
        return;
      }
      if (!returning) {
        RemoteProcess.stop(hostPid).kill();
        return;
      }
      held.push({ pid, remote: stopForGood(hostPid) });
    });
  }
  thawGroup(record.cgroup);
  becomeHusks(held, record.pending, options);
}

/** A husk that is in its loop goes on by itself, with the signal that it may have taken; one that was parked is sent there. */
function returnToLoop(hostPid: number): void {
  const husk = RemoteProcess.stop(hostPid);
  const record = husk.main.registers.getNumber('rbx');
  if (record >= HUSK_LOOP && record < HUSK_ADDRESS + HUSK_SIZE) husk.leave();
  else resumeHusk(husk);
}

/** Takes memory of ours away that a killed daemon has left in a process. */
export function tidy(hostPid: number): void {
  ignoreEnded(() => removeRegion(hostPid));
}

function ignoreEnded(action: () => void): void {
  lives(action);
}

/** @returns false when the process that something was done to has ended */
function lives(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (!isDeath(error)) throw error;
    return false;
  }
}
