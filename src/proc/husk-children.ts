/** What a husk can tell and do as the parent of its children: the kernel lets nobody else wait for them. */
import { isErrno, type RemoteProcess } from '../linux/index.ts';

const P_ALL = 0;
const WNOHANG = 1;
const WSTOPPED = 2;
const WCONTINUED = 8;
const WALL = 0x40000000;
const CLD_STOPPED = 5;
const PR_GET_CHILD_SUBREAPER = 37;
const REGION_SIZE = 4096;
const SIGINFO_SIZE = 128;
const AT_ONCE = 4;

/** A child was stopped, or goes on. */
export interface ChildChange {
  readonly pid: number;
  /** The stopping signal; 0: it goes on. */
  readonly stopped: number;
}

/** Takes every stop and continuation of the children of a held husk that was not taken yet, as wait(2) does. */
export function takeChildChanges(parent: RemoteProcess): ChildChange[] {
  const changes: ChildChange[] = [];
  for (;;) {
    const program = parent.newProgram({ records: AT_ONCE + 1, data: AT_ONCE * SIGINFO_SIZE });
    const places = Array.from({ length: AT_ONCE }, () => program.data(SIGINFO_SIZE));
    for (const place of places) program.call('waitid', P_ALL, 0, place, WSTOPPED | WCONTINUED | WNOHANG | WALL, 0);
    try {
      parent.run(program);
    } catch (error) {
      if (isErrno(error, 'ECHILD')) return changes;
      throw error;
    }
    for (const place of places) {
      // siginfo_t: si_code at 8, si_pid at 16, si_status at 24
      const view = program.viewAt(place, SIGINFO_SIZE);
      const pid = view.getInt32(16, true);
      if (pid === 0) return changes;
      changes.push({ pid, stopped: view.getInt32(8, true) === CLD_STOPPED ? view.getInt32(24, true) : 0 });
    }
  }
}

/** A held husk collects the status of a child that has ended, as its process has done elsewhere. @returns false when there is no such child */
export function collectFrom(parent: RemoteProcess, pid: number): boolean {
  const program = parent.newProgram({ records: 2, data: 0 });
  const wait = program.tryCall('wait4', pid, 0, WALL | WNOHANG, 0);
  parent.run(program);
  return program.result(wait) === pid;
}

/** Asks a held process or husk whether it adopts orphans. */
export function isSubreaper(remote: RemoteProcess, letGo: (remote: RemoteProcess) => void): boolean {
  try {
    if (!remote.hasRegion) remote.openRegion(REGION_SIZE);
    const program = remote.newProgram({ records: 2, data: 16 });
    const place = program.data(8);
    program.call('prctl', PR_GET_CHILD_SUBREAPER, place, 0, 0, 0);
    remote.run(program);
    return program.viewAt(place, 4).getInt32(0, true) !== 0;
  } finally {
    letGo(remote);
  }
}
