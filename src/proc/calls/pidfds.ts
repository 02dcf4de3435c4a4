/** Who has descriptors of which processes: pidfd_open(2). */
import { readdirSync } from 'node:fs';
import { KeyValues, readProcessFile, readProcessLink } from '../../linux/index.ts';

const PIDFD = 'anon_inode:[pidfd]';

/** Of some processes, those of which another one has a pidfd. @param holders, and those that are asked for: by their pids here */
export function heldByPidfd(wanted: Pick<ReadonlySet<number>, 'has'>, holders: Iterable<number>): Set<number> {
  const held = new Set<number>();
  for (const holder of holders) for (const pid of pidfdsOf(holder)) if (wanted.has(pid)) held.add(pid);
  return held;
}

function pidfdsOf(holder: number): number[] {
  return descriptorsOf(holder)
    .filter((fd) => readProcessLink(holder, `fd/${fd}`) === PIDFD)
    .map((fd) => Number(new KeyValues(readProcessFile(holder, `fdinfo/${fd}`) ?? '').get('Pid') ?? 0));
}

function descriptorsOf(holder: number): string[] {
  try {
    return readdirSync(`/proc/${holder}/fd`);
  } catch {
    return []; // it has ended
  }
}
