/** mount(2): flags, and the table of mounts in /proc/PID/mountinfo. */
import { readFileSync } from 'node:fs';

/** include/uapi/linux/mount.h */
export const MOUNT = {
  readOnly: 1,
  noSetuid: 2,
  noDevices: 4,
  noExecution: 8,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
} as const;

export interface Mount {
  readonly id: number;
  /** Directory of the file system that is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
}

/** Lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)), in the order in which they were mounted. */
export function parseMountTable(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [id, , , root, mountPoint] = left.split(' ');
    const [fileSystem] = right.split(' ');
    if (id === undefined || root === undefined || mountPoint === undefined || fileSystem === undefined) continue;
    mounts.push({ id: Number(id), root: unescape(root), mountPoint: unescape(mountPoint), fileSystem });
  }
  return mounts;
}

/** The mounts that this process sees, or those of process `pid`. */
export function readMountTable(pid: number | 'self' = 'self'): Mount[] {
  return parseMountTable(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

/** Space, tab, newline and backslash are written as octal. */
function unescape(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
