/**
 * The birth of a container: pid 1 in its namespaces, as a child of the host's init from the start, so that the death of the daemon changes
 * nothing for it. A throw-away process between, made with vfork, makes it and ends.
 */
import {
  buildInitImage,
  CLONE,
  cloneArguments,
  CLONE_ARGUMENTS_SIZE,
  formatClockOffsets,
  INIT_AREA_FD,
  interpretLocally,
  KorriganError,
  NativeMemory,
  Program,
  syscall,
  type ClockOffsets,
  type ControlGroup,
} from '../linux/index.ts';
import { ARENA_ADDRESS, ARENA_SIZE, BOOT_OFFSET, INIT_CODE_ADDRESS, type Arena } from './arena.ts';

export interface BirthOptions {
  readonly arena: Arena;
  /** Where pid 1 is born. */
  readonly cgroup: ControlGroup;
  readonly clockOffsets: ClockOffsets;
  /** Arguments of pid 1, for those who look at it with ps. */
  readonly arguments: readonly string[];
}

const MFD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const O_CLOEXEC = 0o2000000;
const O_RDWR = 2;
const O_WRONLY = 1;
const SIG_SETMASK = 2;
const SIGNALS = 64;
const WALL = 0x40000000;
const AT_EMPTY_PATH = 0x1000;
/** Descriptors above those that the new process renumbers. */
const HIGH_FD = 16;
const IMAGE_FD = INIT_AREA_FD + 1;

/** Makes pid 1. It boots on its own; the arena's state word tells when its threads run. @returns its host pid */
export function giveBirth(options: BirthOptions): number {
  const opened: number[] = [];
  const open = (fd: number): number => {
    const high = syscall('fcntl', fd, F_DUPFD_CLOEXEC, HIGH_FD);
    opened.push(high);
    return high;
  };
  const image = syscall('memfd_create', Buffer.from('korrigan-init\0'), MFD_CLOEXEC);
  const nothing = syscall('open', Buffer.from('/dev/null\0'), O_RDWR | O_CLOEXEC);
  const cgroup = options.cgroup.open();
  const memory = NativeMemory.allocate(64 * 1024);
  try {
    const bytes = buildInitImage({
      codeAddress: INIT_CODE_ADDRESS,
      areaAddress: ARENA_ADDRESS,
      areaSize: ARENA_SIZE,
      programAddress: ARENA_ADDRESS + BOOT_OFFSET,
    });
    syscall('write', image, bytes, bytes.length);
    return run(memory, { ...options, areaFd: open(options.arena.fd), imageFd: open(image), nullFd: open(nothing), cgroupFd: open(cgroup) });
  } finally {
    memory.free();
    options.cgroup.close(cgroup);
    for (const fd of [image, nothing, ...opened]) syscall('close', fd);
  }
}

interface Descriptors {
  readonly areaFd: number;
  readonly imageFd: number;
  readonly nullFd: number;
  readonly cgroupFd: number;
}

function run(memory: NativeMemory, options: BirthOptions & Descriptors): number {
  const program = new Program(memory.address, { records: 160, data: 16 * 1024 });
  const allSignals = program.data(new Uint8Array(8).fill(0xff));
  const savedMask = program.data(8);
  const between = program.data(cloneArguments({ flags: CLONE.vm + CLONE.vfork, exitSignal: 0 }));
  const namespaces = CLONE.newPids + CLONE.newMounts + CLONE.newIpc + CLONE.newUts;
  const init = program.data(
    cloneArguments({ flags: CLONE.vm + CLONE.vfork + CLONE.intoCgroup + namespaces, exitSignal: 0, cgroup: options.cgroupFd }),
  );

  // This thread. All signals are blocked so that no handler of the daemon runs in a process that shares its memory.
  const handler = program.operation('onFailure', 0);
  program.tryCall('rt_sigprocmask', SIG_SETMASK, allSignals, savedMask, 8);
  const spawnBetween = program.operation('spawn', between, CLONE_ARGUMENTS_SIZE, 0);
  const jumpOver = program.operation('jump', 0);
  const patchTarget = (record: number, argument: number): void => program.patch(record, argument, program.addressOfRecord(program.length));
  patchTarget(handler, 0);
  patchTarget(jumpOver, 0);
  program.tryCall('rt_sigprocmask', SIG_SETMASK, savedMask, 0, 8);
  program.operation('return');

  // The process between.
  patchTarget(spawnBetween, 2);
  const betweenHandler = program.operation('onFailure', 0);
  const calls = [program.call('unshare', CLONE.newTime)];
  const offsets = Buffer.from(formatClockOffsets(options.clockOffsets));
  const file = program.call('open', program.string('/proc/self/timens_offsets'), O_WRONLY | O_CLOEXEC);
  program.forwardResult(file, program.length + 1, 0);
  calls.push(file, program.call('write', 0, program.data(offsets), offsets.length));
  const spawnInit = program.operation('spawn', init, CLONE_ARGUMENTS_SIZE, 0);
  calls.push(spawnInit);
  patchTarget(betweenHandler, 0);
  program.tryCall('exit_group', 0);

  // Pid 1 until it executes its image.
  patchTarget(spawnInit, 2);
  const initHandler = program.operation('onFailure', 0);
  calls.push(program.call('setsid'));
  const defaults = program.data(32);
  for (let signal = 1; signal <= SIGNALS; signal++) program.tryCall('rt_sigaction', signal, defaults, 0, 8);
  for (const fd of [0, 1, 2]) calls.push(program.call('dup3', options.nullFd, fd, 0));
  calls.push(program.call('dup3', options.areaFd, INIT_AREA_FD, 0));
  calls.push(program.call('dup3', options.imageFd, IMAGE_FD, O_CLOEXEC));
  calls.push(program.call('close_range', IMAGE_FD + 1, 0xffffffff, 0));
  calls.push(program.call('rt_sigprocmask', SIG_SETMASK, program.data(8), 0, 8));
  const argv = program.strings(options.arguments);
  const execute = program.call('execveat', IMAGE_FD, program.string(''), argv, program.strings([]), AT_EMPTY_PATH);
  patchTarget(initHandler, 0);
  program.tryCall('exit_group', 1);

  memory.bytes.set(program.image.subarray(0, program.usedSize));
  interpretLocally(memory.address);
  program.load(memory.bytes);
  const betweenPid = program.checkedResult(spawnBetween);
  syscall('wait4', betweenPid, 0, WALL, 0);
  for (const index of [...calls, execute]) program.checkedResult(index);
  const pid = program.result(spawnInit);
  if (pid <= 0) throw new KorriganError('KRG_INTERNAL', 'the process that makes pid 1 ended before it did');
  return pid;
}
