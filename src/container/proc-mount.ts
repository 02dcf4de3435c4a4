/**
 * The file system of the daemon over /proc of the container, and the container's own procfs below it. Pid 1 mounts both: the kernel then tells the daemon the pids of callers
 * as the container has them; and it holds /dev/fuse, so that whoever waits for an answer of a daemon that dies gets it from the next one.
 */
import { converse, INIT_PROCFS_FD, isErrno, KorriganError, MOUNT, one, readMountTable, stealDescriptor } from '../linux/index.ts';
import { Arena, ARENA_ADDRESS, LANES, SUPERBLOCK } from './arena.ts';
import { Lane } from './lane.ts';

const O_RDWR_NONBLOCK_CLOEXEC = 0o2004002;
const AT_FDCWD = -100;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
/** Its programs wait for the daemon's answers: nobody else's may wait behind them. */
const MOUNT_LANE = LANES - 1;
const PROC = '/proc';

/**
 * Mounts the file system of the daemon, once in the life of a container. From then on whatever looks below /proc waits until it is served.
 * @returns a descriptor here of its /dev/fuse
 * @throws KorriganError KRG_NOT_SUPPORTED
 */
export function mountOverProc(initPid: number): number {
  const arena = openArena(initPid);
  const lane = Lane.attach(initPid, MOUNT_LANE);
  try {
    if (arena.load(SUPERBLOCK.fuseFd) === 0) openFuse(lane);
    const fd = arena.load(SUPERBLOCK.fuseFd);
    // One program makes the mount or does not; a daemon may have died between the two.
    if (!readMountTable(initPid).some(({ mountPoint, fileSystem }) => mountPoint === PROC && fileSystem.startsWith('fuse'))) {
      const options = `fd=${fd},rootmode=40555,user_id=0,group_id=0,allow_other,default_permissions`;
      const flags = MOUNT.noSetuid + MOUNT.noDevices + MOUNT.noExecution;
      converse(lane, one('mount', 'proc', PROC, 'fuse.korrigan', flags, options));
    }
    return stealDescriptor(initPid, fd);
  } finally {
    lane.detach();
    arena.close();
  }
}

/** The descriptor here of /dev/fuse of a container that has the mount; undefined when it has not. */
export function fuseOf(initPid: number, arena: Arena): number | undefined {
  const fd = arena.load(SUPERBLOCK.fuseFd);
  return fd === 0 ? undefined : stealDescriptor(initPid, fd);
}

/**
 * Mounts the container's own procfs on a directory of the daemon's file system, which must be served meanwhile.
 * @param directory path in the container
 */
export async function mountProcfsBelow(initPid: number, directory: string): Promise<void> {
  if (readMountTable(initPid).some(({ mountPoint }) => mountPoint === directory)) return;
  const lane = Lane.attach(initPid, MOUNT_LANE);
  try {
    const program = lane.newProgram({ records: 2, data: 256 });
    program.call('move_mount', INIT_PROCFS_FD, program.string(''), AT_FDCWD, program.string(directory), MOVE_MOUNT_F_EMPTY_PATH);
    await lane.runWithoutBlocking(program);
  } finally {
    lane.detach();
  }
}

function openFuse(lane: Lane): void {
  const program = lane.newProgram({ records: 4, data: 64 });
  const fd = program.call('open', program.string('/dev/fuse'), O_RDWR_NONBLOCK_CLOEXEC, 0);
  program.operation('copy', ARENA_ADDRESS + SUPERBLOCK.fuseFd, program.addressOfResult(fd), 4);
  try {
    lane.run(program);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENODEV', 'ENXIO', 'EACCES', 'EPERM')) throw cause;
    throw new KorriganError(
      'KRG_NOT_SUPPORTED',
      '/dev/fuse cannot be opened: /proc shows the processes of this node only (modprobe fuse)',
      { cause },
    );
  }
}

function openArena(initPid: number): Arena {
  const arena = Arena.open(initPid);
  if (arena === undefined) throw new KorriganError('KRG_INTERNAL', `process ${initPid} is not the pid 1 of a container of this version`);
  return arena;
}
