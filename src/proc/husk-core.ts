/**
 * The core bit of a wait status: the kernel sets it only for a process that has really written a core (kernel/signal.c, fs/coredump.c), so the husk
 * writes one of its own, a few KiB into a folder that goes at once.
 */
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readStatus, type RemoteProcess, syscall, SyscallError } from '../linux/index.ts';

const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const CORE_LIMIT = 1n << 20n;
const CORE_BIT = 0x80;
const O_PATH_DIRECTORY = 0o12200000;

/** Did a process with this wait status write a core? */
export function hasDumpedCore(status: number): boolean {
  return (status & CORE_BIT) !== 0 && (status & 0x7f) !== 0;
}

/**
 * Lets a held husk write a core when it is killed.
 * @returns what removes it. Nothing is changed where cores go to a program or another folder: the bit is not shown then.
 */
export function allowCore(husk: RemoteProcess): Disposable {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  const folder = `/dev/shm/.korrigan-core-${husk.pid}`;
  const here = `/proc/${husk.pid}/root${folder}`;
  // The husk's own /proc/PID/root is gone with it.
  const root = `/proc/self/fd/${syscall('open', Buffer.from(`/proc/${husk.pid}/root/dev/shm\0`), O_PATH_DIRECTORY)}`;
  const done = { [Symbol.dispose]: () => removeFolder(root, folder) };
  if (pattern.startsWith('|') || pattern.includes('/')) return done;
  try {
    mkdirSync(here, { mode: 0o700 });
    const status = readStatus(husk.pid);
    const owner = (key: string): number => Number(status?.get(key)?.split(/\s+/)[3] ?? 0);
    chownSync(here, owner('Uid'), owner('Gid'));
    const program = husk.newProgram({ records: 4, data: 128 });
    program.call('chdir', program.string(folder));
    program.call('prctl', PR_SET_DUMPABLE, 1, 0, 0, 0);
    husk.run(program);
    writeFileSync(`/proc/${husk.pid}/coredump_filter`, '0');
    syscall('prlimit64', husk.pid, RLIMIT_CORE, new Uint8Array(BigUint64Array.of(CORE_LIMIT, CORE_LIMIT).buffer), 0);
  } catch (error) {
    // A process with a root directory of its own may have no such folder.
    if (!(error instanceof SyscallError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return done;
}

function removeFolder(root: string, folder: string): void {
  rmSync(`${root}/${folder.split('/').at(-1)}`, { recursive: true, force: true });
  syscall('close', Number(root.split('/').at(-1)));
}
