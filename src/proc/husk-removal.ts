/** Husks that nobody needs any more go without a trace: their parents, husks too, collect them at once. */
import { holdHusk, resumeHusk } from './held-husk.ts';
import { endHusk } from './husk-end.ts';
import { INIT_PID, type ProcessTable } from './relatives.ts';

const WNOHANG = 1;
const WALL = 0x40000000;

/** Lets a husk collect the status of a child that has ended, as its process has done elsewhere. Nothing happens when there is no such child. */
export function collectChild(parentHostPid: number, pid: number): void {
  const parent = holdHusk(parentHostPid);
  try {
    const program = parent.newProgram({ records: 2, data: 0 });
    program.tryCall('wait4', pid, 0, WALL | WNOHANG, 0);
    parent.run(program);
  } finally {
    resumeHusk(parent);
  }
}

/**
 * Ends husks.
 * @param pids children before parents, see `superfluousHusks`
 */
export function removeHusks(pids: readonly number[], table: ProcessTable, hostPidOf: (pid: number) => number | undefined): void {
  for (const pid of pids) {
    const hostPid = hostPidOf(pid);
    const parent = table.find(pid)?.parent;
    if (hostPid === undefined || parent === undefined) continue;
    endHusk(hostPid, 0);
    const parentHostPid = hostPidOf(parent);
    if (parent !== INIT_PID && parentHostPid !== undefined) collectChild(parentHostPid, pid);
  }
}
