/** What the source finds out about a family before a move: from /proc, by cluster-wide pids. */
import { type ControlGroup, KorriganError, readProcessFile, readStat, readStatus } from '../linux/index.ts';
import type { Relations } from '../proc/index.ts';
import type { MovingPid } from './parts.ts';

/** A process with its number here and its relations. */
export interface Relative extends MovingPid {
  relations: Relations;
}

function innermost(status: ReadonlyMap<string, string> | undefined, key: string): number {
  return Number(status?.get(key)?.split(/\s+/).at(-1) ?? 0);
}

/** Children of all its threads, as host pids. */
export function childrenOf(hostPid: number): number[] {
  return (readProcessFile(hostPid, `task/${hostPid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

/** The process and, if asked for, everything below it; parents before children. @throws KorriganError KRG_NO_SUCH_PROCESS */
export function familyOf(root: MovingPid, withTree: boolean): Relative[] {
  const hostPids = [root.hostPid];
  if (withTree) for (const hostPid of hostPids) hostPids.push(...childrenOf(hostPid));
  const moving = new Set(hostPids);
  return hostPids.map((hostPid) => {
    const status = readStatus(hostPid);
    const stat = readStat(hostPid);
    if (status === undefined || stat === undefined) {
      throw hostPid === root.hostPid
        ? new KorriganError('KRG_NO_SUCH_PROCESS', `process ${root.pid} has just ended`)
        : new KorriganError('KRG_PROCESS_BUSY', `a process below ${root.pid} has just ended; try again`);
    }
    const pid = innermost(status, 'NSpid');
    const childrenLeft = childrenOf(hostPid).filter((child) => !moving.has(child));
    return {
      pid,
      hostPid,
      relations: {
        pid,
        parent: innermost(readStatus(stat.parent), 'NSpid'),
        group: innermost(status, 'NSpgid'),
        session: innermost(status, 'NSsid'),
        exitSignal: stat.exitSignal,
        childrenLeft: childrenLeft.map((child) => innermost(readStatus(child), 'NSpid')),
      },
    };
  });
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
