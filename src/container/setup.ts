/** What pid 1 does once after its birth: mounts, host name, pid range, descriptors to keep. Conversations for a lane. */
import { attempt, call, INIT_PROCFS_FD, MOUNT, one, type Call, type Conversation } from '../linux/index.ts';
import type { PidRange } from './pid-range.ts';

const O_CLOEXEC = 0o2000000;
const O_RDWR = 2;
const O_WRONLY = 1;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
/** The group `tty`, which owns the slaves of devpts on every distribution. */
const TTY_GROUP = 5;

/** Descriptors of pid 1 that live as long as it does. */
export interface KeptDescriptors {
  readonly lastPid: number;
}

/** Everything before the first process is launched. */
export function* setUp(hostName: string, range: PidRange): Conversation<KeptDescriptors> {
  yield [call('mount', 'none', '/', 0, MOUNT.recursive + MOUNT.slave, 0), call('sethostname', hostName, Buffer.byteLength(hostName))];
  yield mounts();
  yield* keepProcfs();
  const lastPid = yield* one('openat', INIT_PROCFS_FD, 'sys/kernel/ns_last_pid', O_RDWR | O_CLOEXEC);
  yield* writeProcfs('sys/kernel/pid_max', String(range.high));
  const start = String(range.low - 1);
  yield [call('pwrite64', lastPid, Buffer.from(start), start.length, 0)];
  return { lastPid };
}

/** Over the host's tree, which stays visible: what must be the container's own. The kernel finds /dev/pts beside /dev/ptmx by itself. */
function mounts(): Call[] {
  const guarded = MOUNT.noSetuid + MOUNT.noExecution;
  return [
    call('mount', 'proc', '/proc', 'proc', guarded + MOUNT.noDevices, 0),
    call('mount', 'devpts', '/dev/pts', 'devpts', guarded, `newinstance,ptmxmode=0666,mode=620,gid=${TTY_GROUP}`),
    call('mount', 'shm', '/dev/shm', 'tmpfs', MOUNT.noSetuid + MOUNT.noDevices, 'mode=1777'),
    // Hosts without the directory have no message queues as files; the system calls for them work without.
    attempt('mount', 'mqueue', '/dev/mqueue', 'mqueue', guarded + MOUNT.noDevices, 0),
  ];
}

function* keepProcfs(): Conversation<void> {
  const context = yield* one('fsopen', 'proc', FSOPEN_CLOEXEC);
  yield [call('fsconfig', context, FSCONFIG_CMD_CREATE, 0, 0, 0)];
  const mount = yield* one('fsmount', context, FSMOUNT_CLOEXEC, MOUNT.noSetuid + MOUNT.noDevices + MOUNT.noExecution);
  yield [call('dup3', mount, INIT_PROCFS_FD, O_CLOEXEC), call('close', mount), call('close', context)];
}

/** Writes a file of the container's own procfs. @param path from there */
export function* writeProcfs(path: string, text: string): Conversation<void> {
  const fd = yield* one('openat', INIT_PROCFS_FD, path, O_WRONLY | O_CLOEXEC);
  yield [call('write', fd, Buffer.from(text), Buffer.byteLength(text))];
  yield [call('close', fd)];
}
