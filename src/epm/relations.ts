/** What the source finds out about processes before a move, from /proc. */
import { type ControlGroup, readProcessFile } from '../linux/index.ts';

/** Children of all its threads, as host pids. */
export function childrenOf(hostPid: number): number[] {
  return (readProcessFile(hostPid, `task/${hostPid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

/** Host pids of all processes of a container, pid 1 included; the daemon, whose cgroup lies beside theirs, is none of them. */
export function processesOfContainer(cgroup: ControlGroup): number[] {
  return [...cgroup.child('init').processes(), ...processesBelow(cgroup.child('processes'))];
}

function processesBelow(group: ControlGroup): number[] {
  return [...group.processes(), ...group.children().flatMap(processesBelow)];
}
