/** Processes and their control groups: what stands there, and putting one where it belongs. By host pids. */
import { join } from 'node:path';
import { cgroupMountPoint, ControlGroup, readProcessFile, readStat } from '../linux/index.ts';
import { type Given, givenIn, groupNameFor, splitPath } from './group-name.ts';

/** Removals of empty groups that may come between making one and entering it. */
const ATTEMPTS = 100;

/** Path in the version-2 hierarchy; undefined when there is no such process. */
export function groupPathOf(hostPid: number): string | undefined {
  return /^0::(\/.*)$/m.exec(readProcessFile(hostPid, 'cgroup') ?? '')?.[1];
}

/** The group without the part that is about capabilities. */
export function baseGroupOf(hostPid: number): ControlGroup | undefined {
  const path = groupPathOf(hostPid);
  return path === undefined ? undefined : new ControlGroup(join(cgroupMountPoint(), splitPath(path).base));
}

/** What a process was given; undefined: nothing, or there is no such process. */
export function givenTo(pid: number, hostPid: number): Given | undefined {
  const path = groupPathOf(hostPid);
  if (path === undefined || splitPath(path).name === undefined) return undefined;
  return givenIn(path, { pid, startTime: readStat(hostPid)?.startTime ?? 0 });
}

/** The name of its group below the base, of what it is given or has; undefined: it has none. */
export function groupNameOf(pid: number, hostPid: number, given: Given | undefined): string | undefined {
  return given === undefined ? undefined : groupNameFor(given, { pid, startTime: readStat(hostPid)?.startTime ?? 0 });
}

/** Puts a process into a group, which is made where it is missing; one that is in it stays. @throws of the file system; ESRCH when it has ended */
export function place(hostPid: number, group: ControlGroup): void {
  const path = groupPathOf(hostPid);
  if (path !== undefined && join(cgroupMountPoint(), path) === group.path) return;
  // An empty group may be tidied up at any moment.
  for (let attempt = 1; ; attempt++) {
    try {
      group.create().attach(hostPid);
      return;
    } catch (error) {
      if (!isRemoval(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** A group without processes may be tidied up at any moment: its files are gone then, or answer ENODEV (fs/kernfs/file.c). */
export function isRemoval(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
