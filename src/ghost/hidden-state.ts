/**
 * State that neither /proc nor a question inside the process tells, found in the kernel's own structures, and compared with that of the container's
 * pid 1, which has none of it. What is found here cannot be carried.
 */
import { type Oddity, readKernelTasks, readProcessFile, readStat, readStatus, whyNoKernelTasks } from '../linux/index.ts';
import { hasUnreadableWait } from './waits.ts';

/** A resource that keeps its process where it is, and why. */
export interface Obstacle {
  readonly resource: string;
  readonly reason: string;
}

const ODDITIES: Readonly<Record<Oddity, Obstacle>> = {
  'no-write-execute': { resource: 'memory', reason: 'it has forbidden itself memory that is both writable and executable (PR_SET_MDWE)' },
  'semaphore-undo': {
    resource: 'System V semaphores',
    reason: 'it has adjustments for its end (SEM_UNDO), which belong to the semaphores of this node',
  },
  'port-permissions': { resource: 'I/O ports', reason: 'it may use I/O ports of this machine (ioperm)' },
  'segment-table': { resource: 'segments', reason: 'it has a local descriptor table (modify_ldt)' },
  'thread-segments': { resource: 'segments', reason: 'it has segments for thread-local data (set_thread_area)' },
};
const KEYRINGS = ['session', 'process', 'thread'] as const;

/** @param pid in the caller's pid namespace */
export function examineHiddenState(pid: number, tids: readonly number[]): Obstacle[] {
  const tasks = readKernelTasks(pid);
  const [reference] = readKernelTasks(initOf(pid)) ?? [];
  if (tasks === undefined || reference === undefined) return examineBlindly(pid, tids);
  const found = new Map<string, Obstacle>();
  const add = (obstacle: Obstacle): void => void found.set(obstacle.resource + obstacle.reason, obstacle);
  for (const task of tasks) {
    for (const oddity of task.oddities) add(ODDITIES[oddity]);
    for (const keyring of KEYRINGS) {
      if (task.keyrings[keyring] !== reference.keyrings[keyring])
        add({ resource: 'keys', reason: `it has a ${keyring} keyring of its own, which belongs to this node's kernel` });
    }
    if (task.landlockDomain !== reference.landlockDomain)
      add({ resource: 'Landlock', reason: 'it has restricted itself with Landlock; a domain cannot be read back' });
  }
  return [...found.values()];
}

/** Without a look into the kernel, whatever might have such state stays. */
function examineBlindly(pid: number, tids: readonly number[]): Obstacle[] {
  const obstacles: Obstacle[] = [];
  const why = `this kernel does not tell (${whyNoKernelTasks() ?? 'it has ended'})`;
  const status = readStatus(pid);
  if (hasUnreadableWait(pid, tids)) obstacles.push({ resource: 'system call', reason: `a thread waits for a time that ${why}` });
  if (status?.get('NoNewPrivs') === '1')
    obstacles.push({ resource: 'Landlock', reason: `whether it has restricted itself with Landlock ${why}` });
  if (!(status?.get('VmLck') ?? '0 ').startsWith('0 '))
    obstacles.push({ resource: 'memory', reason: `whether it locks memory that is still to come (mlockall) ${why}` });
  return obstacles;
}

/** Pid 1 of the pid namespace in which a process lives, in the caller's numbers. */
export function initOf(pid: number): number {
  for (let at = pid; at > 0; at = readStat(at)?.parent ?? 0) {
    if (/NSpid:.*\t1$/m.test(readProcessFile(at, 'status') ?? '')) return at;
  }
  return pid;
}
