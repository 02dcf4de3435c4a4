/** Where the processes of a node that is being emptied go. Pure. */
import type { NodeId } from '../../rpc/index.ts';
import type { ProcessEntry } from '../api/types.ts';

export type Resident = Pick<ProcessEntry, 'pid' | 'ppid' | 'command'>;

/** How busy a node is. */
export interface NodeLoad {
  readonly id: NodeId;
  /** Processes that run or wait for a disk. */
  readonly busy: number;
  readonly processes: number;
}

/** A process with all that descend from it on its node. */
export interface Tree {
  readonly root: number;
  readonly members: readonly number[];
}

/** What has to go: zombies have ended, and go with their parents. */
export function residentsOf(processes: readonly ProcessEntry[]): ProcessEntry[] {
  return processes.filter(({ kind, state }) => kind === 'process' && state !== 'Z' && state !== 'X');
}

export function loadOf(id: NodeId, processes: readonly ProcessEntry[]): NodeLoad {
  const running = residentsOf(processes);
  return { id, busy: running.filter(({ state }) => state === 'R' || state === 'D').length, processes: running.length };
}

/** Whole trees, so that nothing within one is cut. The root of one has its parent elsewhere, or none. */
export function treesOf(residents: readonly Resident[]): Tree[] {
  const here = new Set(residents.map(({ pid }) => pid));
  const children = Map.groupBy(residents, ({ ppid }) => ppid);
  const membersBelow = (root: number): number[] => [root, ...(children.get(root) ?? []).flatMap(({ pid }) => membersBelow(pid))];
  return residents.filter(({ ppid }) => !here.has(ppid)).map(({ pid }) => ({ root: pid, members: membersBelow(pid) }));
}

/** The least loaded node, when `coming` processes are on their way to each already. */
export function targetFor(loads: readonly NodeLoad[], coming: ReadonlyMap<NodeId, number>): NodeId | undefined {
  const busy = ({ id, busy: now }: NodeLoad): number => now + (coming.get(id) ?? 0);
  return loads.toSorted((one, other) => busy(one) - busy(other) || one.processes - other.processes || one.id - other.id)[0]?.id;
}
