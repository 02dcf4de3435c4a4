/**
 * The hold that survives this daemon: a control group with exactly the moving processes, frozen from the moment when they are complete on the one
 * side or the other until the decision. Whoever is in it does not run, traced or not; SIGKILL ends it all the same.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMountPoint, ControlGroup, readProcessFile } from '../linux/index.ts';
import { HUSK_GROUP } from '../proc/index.ts';

const ATTEMPTS = 100;

/** The group of a move, when it is not the processes' own. @param processes the container's group of groups */
export function moveGroup(processes: ControlGroup, migration: string): ControlGroup {
  return processes.child(`m${migration}`);
}

export class Hold implements Disposable {
  readonly group: ControlGroup;
  private readonly file: number;
  private frozen = false;

  private constructor(group: ControlGroup) {
    this.group = group;
    this.file = openSync(join(group.path, 'cgroup.freeze'), 'w');
  }

  /**
   * Puts processes into a group of their own. One that holds them and nobody else is taken as it is: moving the first process takes
   * the kernel several milliseconds (an RCU grace period). That of the husks is never taken: more of them may be made at any time.
   * @param otherwise a group for them alone
   * @param announce told the group's path before anything is moved
   */
  static gather(otherwise: ControlGroup, hostPids: readonly number[], announce: (path: string) => void): Hold {
    const present = groupOf(hostPids[0] ?? 0);
    if (present !== undefined && present.name !== HUSK_GROUP && isExactly(present, hostPids)) {
      announce(present.path);
      return new Hold(present);
    }
    announce(otherwise.path);
    // An empty group may be tidied up at any moment.
    for (let attempt = 1; ; attempt++) {
      try {
        otherwise.create();
        for (const hostPid of hostPids) otherwise.attach(hostPid);
        return new Hold(otherwise);
      } catch (error) {
        if (!isRemoval(error) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  freeze(): void {
    writeSync(this.file, '1');
    this.frozen = true;
  }

  thaw(): void {
    if (this.frozen) unlessRemoved(() => writeSync(this.file, '0'));
    this.frozen = false;
  }

  [Symbol.dispose](): void {
    closeSync(this.file);
  }
}

/** Thaws the group of a record, if it is still there: one that is empty is tidied up at any moment. */
export function thawGroup(path: string | undefined): void {
  if (path !== undefined) unlessRemoved(() => new ControlGroup(path).thaw());
}

function unlessRemoved(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isRemoval(error)) throw error;
  }
}

/** The group of a process, in the version-2 hierarchy as this process sees it. */
function groupOf(hostPid: number): ControlGroup | undefined {
  const path = /^0::(\/.*)$/m.exec(readProcessFile(hostPid, 'cgroup') ?? '')?.[1];
  return path === undefined ? undefined : new ControlGroup(join(cgroupMountPoint(), path));
}

function isExactly(group: ControlGroup, hostPids: readonly number[]): boolean {
  if (group.children().length > 0) return false;
  const present = group.processes();
  return present.length === hostPids.length && present.every((hostPid) => hostPids.includes(hostPid));
}

/** A group without processes may be tidied up at any moment: its files are gone then, or answer ENODEV (fs/kernfs/file.c). */
function isRemoval(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
