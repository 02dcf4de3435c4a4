/** Control groups, version 2 (Documentation/admin-guide/cgroup-v2.rst): only the core files, no controllers. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KorriganError } from './errors.ts';
import { readMountTable } from './mounts.ts';

/** Where the version-2 hierarchy is mounted. @throws KorriganError KRG_NOT_SUPPORTED when it is not */
export function cgroupMountPoint(): string {
  const mount = readMountTable().findLast((candidate) => candidate.fileSystem === 'cgroup2');
  if (mount !== undefined) return mount.mountPoint;
  throw new KorriganError('KRG_NOT_SUPPORTED', 'no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup');
}

/** One control group. The object holds only the path. */
export class ControlGroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get name(): string {
    return basename(this.path);
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Makes the group, and those above it, where they are missing. */
  create(): this {
    mkdirSync(this.path, { recursive: true });
    return this;
  }

  get parent(): ControlGroup {
    return new ControlGroup(dirname(this.path));
  }

  child(name: string): ControlGroup {
    return new ControlGroup(join(this.path, name));
  }

  children(): ControlGroup[] {
    return readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => this.child(entry.name));
  }

  /** A descriptor for CLONE_INTO_CGROUP; the caller closes it. */
  open(): number {
    return openSync(this.path, 'r');
  }

  close(fd: number): void {
    closeSync(fd);
  }

  /** Pids, as seen from this pid namespace, of the processes in this group itself. */
  processes(): number[] {
    return this.read('cgroup.procs').split('\n').filter(Boolean).map(Number);
  }

  /** Moves a process, with all its threads, into this group. */
  attach(pid: number): void {
    this.write('cgroup.procs', String(pid));
  }

  /** Begins to stop everything in the group and below; {@link ControlGroup.frozen} tells when it has. */
  freeze(): void {
    this.write('cgroup.freeze', '1');
  }

  thaw(): void {
    this.write('cgroup.freeze', '0');
  }

  /** SIGKILL to everything in the group and below, frozen or not. */
  kill(): void {
    this.write('cgroup.kill', '1');
  }

  get frozen(): boolean {
    return this.event('frozen');
  }

  /** Whether there is a process in the group or below; zombies do not count. */
  get populated(): boolean {
    return this.event('populated');
  }

  /** Processor time that all who are or were in the group and below have used; undefined where the kernel does not count it. */
  get processorMicroseconds(): number | undefined {
    const used = existsSync(join(this.path, 'cpu.stat')) ? /^usage_usec (\d+)$/m.exec(this.read('cpu.stat'))?.[1] : undefined;
    return used === undefined ? undefined : Number(used);
  }

  /** Removes the group and those below. @throws EBUSY while a process is in one of them */
  remove(): void {
    if (!this.exists) return;
    for (const child of this.children()) child.remove();
    rmdirSync(this.path);
  }

  /**
   * Removes the group unless something is in it; a process that ended last may still be on its way out.
   * @param isPart names of groups in it that are removed likewise
   */
  removeIfEmpty(isPart?: (name: string) => boolean): void {
    try {
      // A directory of this file system has a link for each below it.
      if (isPart !== undefined && statSync(this.path).nlink > 2)
        for (const child of this.children()) if (isPart(child.name)) child.removeIfEmpty();
      rmdirSync(this.path);
    } catch (error) {
      if (!['EBUSY', 'ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  private event(name: string): boolean {
    return new RegExp(`^${name} 1$`, 'm').test(this.read('cgroup.events'));
  }

  private read(file: string): string {
    return readFileSync(join(this.path, file), 'utf8');
  }

  private write(file: string, text: string): void {
    writeFileSync(join(this.path, file), text);
  }
}
