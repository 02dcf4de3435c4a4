/** A husk under our hand: stopped at the start of its loop, ready to run programs or to be inflated. */
import {
  ERRNO,
  isErrno,
  KorriganError,
  type MemoryArea,
  readMaps,
  readProcessLink,
  RemoteProcess,
  SYS,
  tolerateDeath,
} from '../linux/index.ts';
import { describeHusk, HUSK_ADDRESS, HUSK_ENTRY, HUSK_LOOP, HUSK_REGION_SIZE, HUSK_SIZE } from './husk-body.ts';

const SIGSTOP = 19;
const ALL_SIGNALS = 0xffffffffffffffffn;
/** Calls that a husk makes in one turn of its loop, twice each, and many more. */
const TURN_LIMIT = 1000;

/** The memory of a husk itself. */
export const HUSK_MEMORY = { start: HUSK_ADDRESS, end: HUSK_ADDRESS + HUSK_SIZE } as const;

/** Whether a process is a husk, by its memory. */
export function isHusk(hostPid: number): boolean {
  return isMemoryOfHusk(readMaps(hostPid));
}

/** Whether memory is that of a husk and nothing else. */
export function isMemoryOfHusk(memory: readonly MemoryArea[]): boolean {
  const areas = memory.filter((area) => area.name !== '[vsyscall]');
  return areas.length > 0 && areas.every((area) => area.start >= HUSK_MEMORY.start && area.end <= HUSK_MEMORY.end);
}

/**
 * What a husk is. `unfinished`: still what its creator is, because who made it was killed before it became one of its own. `template`: it
 * stands for nobody.
 */
export function kindOfHusk(hostPid: number, pid: number): 'husk' | 'template' | 'unfinished' {
  try {
    const described = describeHusk(hostPid);
    if (described.pid !== pid) return 'unfinished';
    return described.standsForNobody ? 'template' : 'husk';
  } catch (error) {
    if (isErrno(error, 'ESRCH', 'EFAULT')) return 'unfinished'; // it has ended
    throw error;
  }
}

/** Whether a husk has been its process on this node. One that was made for another node's process has the executable of pid 1 until then. */
export function wasProcess(hostPid: number, initPid: number): boolean {
  return readProcessLink(hostPid, 'exe') !== readProcessLink(initPid, 'exe');
}

/**
 * Stops a husk between two signals: one that it has taken already is written to the record pipe first, so somebody must be reading it.
 * @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_TRACED, KRG_CANNOT_STOP, KRG_PROCESS_BUSY when it is no husk; nothing is held then
 */
export function holdHusk(hostPid: number): RemoteProcess {
  const remote = holdIf(hostPid, true);
  try {
    finishTurn(remote);
  } catch (error) {
    remote.leave();
    throw error;
  }
  remote.useRegion(HUSK_ADDRESS, HUSK_REGION_SIZE);
  return remote;
}

/** Stops a process that is no husk. @throws KorriganError as {@link holdHusk}, KRG_PROCESS_BUSY when it is one */
export function holdProcess(hostPid: number): RemoteProcess {
  return holdIf(hostPid, false);
}

/** Another thread may have held it until now, and made the one of the other. */
function holdIf(hostPid: number, husk: boolean): RemoteProcess {
  const isIt = (): boolean => isHusk(hostPid) === husk;
  const busy = (): KorriganError =>
    new KorriganError('KRG_PROCESS_BUSY', `process ${hostPid} is just becoming a husk or a process, or has just ended; try again`);
  if (!isIt()) throw busy();
  const remote = RemoteProcess.stop(hostPid);
  if (isIt()) return remote;
  remote.leave();
  throw busy();
}

/**
 * Sends a held or deflated husk into its loop and lets go of it. One that is stopped stays so (kernel/ptrace.c, __ptrace_unlink). Nothing happens to one
 * that was killed meanwhile.
 */
export function resumeHusk(remote: RemoteProcess): void {
  const { tracee, registers } = remote.main;
  tolerateDeath(tracee, () => {
    tracee.setRegisters(registers.copy().set('rip', HUSK_ENTRY).set('rbx', HUSK_LOOP).set('r12', 0).set('originalRax', -1));
    tracee.setSignalMask(ALL_SIGNALS);
    // Without a signal: at the begin of a system call the husk would be sent it, and it would count as the process's.
    tracee.detach();
  });
}

/** What the husk goes on with is the start of its loop from here on, also when the one who holds it dies. */
function finishTurn(remote: RemoteProcess): void {
  const { tracee, registers } = remote.main;
  const isAtStart = isWaiting(registers.getNumber('rbx'), registers.getNumber('rip'), registers.getNumber('rax'));
  registers.set('rip', HUSK_ENTRY).set('rbx', HUSK_LOOP).set('r12', 0).set('originalRax', -1);
  if (isAtStart) return;
  for (let turn = 0; turn < TURN_LIMIT; turn++) {
    tracee.resumeToSystemCall();
    const status = tracee.wait();
    if (status.kind === 'exited' || status.kind === 'killed')
      throw new KorriganError('KRG_NO_SUCH_PROCESS', `husk ${tracee.tid} has ended`);
    if (status.kind === 'signal' && status.signal === SIGSTOP) {
      remote.stopArrived = true;
      continue;
    }
    if (status.kind === 'signal') throw new KorriganError('KRG_INTERNAL', `husk ${tracee.tid} got signal ${status.signal}`);
    const at = tracee.registers();
    // As a call begins its result is ENOSYS; this one is not made.
    if (at.getNumber('originalRax') !== SYS.rt_sigtimedwait || at.getNumber('rax') !== -ERRNO.ENOSYS) continue;
    tracee.setRegisters(registers);
    return;
  }
  throw new KorriganError('KRG_INTERNAL', `husk ${tracee.tid} does not come to the start of its loop`);
}

/** About to wait for a signal, or waiting for one: `stop` shows an interrupted wait as one that is about to begin. */
function isWaiting(rbx: number, rip: number, rax: number): boolean {
  if (rbx !== HUSK_LOOP) return false;
  return rip === HUSK_ENTRY || (rax === SYS.rt_sigtimedwait && rip > HUSK_ENTRY);
}
