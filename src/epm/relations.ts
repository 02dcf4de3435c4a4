/** What the source finds out about processes before a move, from /proc. */
import { type ControlGroup, readProcessFile, readStatus } from '../linux/index.ts';
import type { MovingPid } from './parts.ts';

/** Children of all its threads, as host pids. */
export function childrenOf(hostPid: number): number[] {
  return (readProcessFile(hostPid, `task/${hostPid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

/** A process that one of the family traces (ptrace(2)), as host pids; tracing ends when either side leaves the node. */
export function traceeOf(family: readonly MovingPid[], processes: readonly number[]): { tracer: MovingPid; tracee: number } | undefined {
  for (const tracee of processes) {
    const thread = readStatus(tracee)?.get('TracerPid') ?? '0';
    const tracer = thread === '0' ? undefined : family.find(({ hostPid }) => readProcessFile(hostPid, `task/${thread}/comm`) !== undefined);
    if (tracer !== undefined) return { tracer, tracee };
  }
  return undefined;
}

/** Host pids of all processes of a container, pid 1 included; the daemon, whose cgroup lies beside theirs, is none of them. */
export function processesOfContainer(cgroup: ControlGroup): number[] {
  return [...cgroup.child('init').processes(), ...processesBelow(cgroup.child('processes'))];
}

function processesBelow(group: ControlGroup): number[] {
  return [...group.processes(), ...group.children().flatMap(processesBelow)];
}
