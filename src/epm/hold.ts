/**
 * The hold that survives this daemon: a control group with exactly the moving processes, frozen from the moment when they are complete on the one
 * side or the other until the decision. Whoever is in it does not run, traced or not; SIGKILL ends it all the same.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { baseGroupOf, isGroupName, isRemoval, place } from '../capability/index.ts';
import { ControlGroup } from '../linux/index.ts';
import { HUSK_GROUP } from '../proc/index.ts';

const ATTEMPTS = 100;

/** A process to hold. */
export interface HeldProcess {
  readonly hostPid: number;
  /** Name of the group in the hold's that says what it was given (src/capability). */
  readonly capabilities?: string | undefined;
}

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
  static gather(otherwise: ControlGroup, processes: readonly HeldProcess[], announce: (path: string) => void): Hold {
    const present = baseGroupOf(processes[0]?.hostPid ?? 0);
    const isOwn = present !== undefined && present.name !== HUSK_GROUP && isExactly(present, processes);
    const group = isOwn ? present : otherwise;
    announce(group.path);
    // An empty group may be tidied up at any moment.
    for (let attempt = 1; ; attempt++) {
      try {
        for (const { hostPid, capabilities } of processes) place(hostPid, capabilities === undefined ? group : group.child(capabilities));
        return new Hold(group);
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

function isExactly(group: ControlGroup, processes: readonly HeldProcess[]): boolean {
  const children = group.children();
  if (!children.every(({ name }) => isGroupName(name))) return false;
  const present = [group, ...children].flatMap((each) => each.processes());
  return present.length === processes.length && present.every((hostPid) => processes.some((process) => process.hostPid === hostPid));
}
