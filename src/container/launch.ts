/** The program with which the launcher makes a process: clone, and what the child does until it executes its file. */
import { type Given, groupNameFor } from '../capability/index.ts';
import {
  CLONE,
  cloneArguments,
  CLONE_ARGUMENTS_CGROUP,
  CLONE_ARGUMENTS_SIZE,
  ERRNO,
  errnoName,
  KorriganError,
  SyscallError,
  syscall,
  type CloneOptions,
  type ControlGroup,
  type Program,
} from '../linux/index.ts';

/** Who a process is. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** What a process gets as its standard streams. */
export type StandardStreams =
  /** A terminal of the container's devpts, which becomes its controlling terminal. */
  | { readonly kind: 'terminal'; readonly number: number }
  /** Descriptors of pid 1, for standard input, output and error. */
  | { readonly kind: 'descriptors'; readonly fds: readonly [input: number, output: number, error: number] };

export interface LaunchOptions {
  readonly arguments: readonly string[];
  /** The file to execute, looked up along PATH of `environment` when it has no slash; `arguments[0]` when none is given. */
  readonly file?: string;
  /** Its nice value. */
  readonly nice?: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly credentials: Credentials;
  readonly umask: number;
  readonly streams: StandardStreams;
  /** Where the process is born. */
  readonly cgroup: ControlGroup;
  /** What it may do that takes a capability; what the configuration says when undefined. */
  readonly capabilities?: Given;
  /**
   * Address in pid 1 of an i64, zero before, where pid 1 itself notes what became of the launch, so that it is known even if the daemon dies
   * over it: the pid once the program runs, -1 when nothing could be executed.
   */
  readonly noteAt?: number;
}

const SIGCHLD = 17;
const O_RDWR = 2;
const O_PATH_DIRECTORY_CLOEXEC = 0o12200000;
const RLIMIT_NOFILE = 7;
/** What programs expect; the daemon's own soft limit is the hard one. */
const SOFT_DESCRIPTOR_LIMIT = 1024;
const EXIT_NOT_EXECUTED = 127;
/** As execvp(3) without PATH. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** A process with capabilities of its own is born in the group for them. */
export function inOwnGroup(options: LaunchOptions): LaunchOptions {
  const { cgroup, capabilities } = options;
  if (capabilities === undefined) return options;
  return { ...options, cgroup: cgroup.child(groupNameFor(capabilities, { pid: 0, startTime: 0 })).create() };
}

/** Room that {@link buildLaunch} needs. */
export function launchCapacity(options: LaunchOptions): { records: number; data: number } {
  const files = executableFiles(options);
  const strings = [
    ...options.arguments,
    ...files,
    ...Object.entries(options.environment).map(([name, value]) => `${name}=${value}`),
    options.workingDirectory,
  ];
  const bytes = strings.reduce((sum, text) => sum + Buffer.byteLength(text) + 9, 0);
  return { records: 37 + files.length, data: bytes + 8 * options.credentials.groups.length + 1024 };
}

/** Records whose results tell what became of a launch. */
export interface LaunchProgram {
  readonly program: Program;
  /** Result: descriptor of the cgroup in pid 1, open while the program runs. */
  readonly openCgroup: number;
  /** Result: pid of the new process, in the container. */
  readonly clone: number;
  /** Records of the child; all but the last are its preparation. */
  readonly preparation: readonly number[];
  readonly executions: readonly number[];
  /** First record that the child runs. */
  readonly childStart: number;
}

/**
 * @param program an empty program of at least {@link launchCapacity}
 * @param childrenWord address of the futex word that tells the reaper of a new child
 */
export function buildLaunch(program: Program, options: LaunchOptions, childrenWord: number): LaunchProgram {
  const flags = CLONE.vfork + CLONE.intoCgroup;
  const { openCgroup, clone, childTarget } = cloneIntoCgroup(program, options.cgroup, { flags, exitSignal: SIGCHLD });
  program.operation('incrementAndWake', childrenWord);
  if (options.noteAt !== undefined) {
    program.operation('jumpIfLess', options.noteAt, 0, program.addressOfRecord(program.length + 2));
    program.operation('copy', options.noteAt, program.addressOfResult(clone), 8);
  }
  program.forwardResult(openCgroup, program.length + 1, 0);
  program.call('close', 0);
  const jumpToEnd = program.operation('jump', 0);

  const childStart = program.length;
  childTarget(program.addressOfRecord(childStart));
  const onFailure = program.operation('onFailure', 0);
  const preparation = prepareChild(program, options);
  const argv = program.strings(options.arguments);
  const environment = program.strings(Object.entries(options.environment).map(([name, value]) => `${name}=${value}`));
  const executions = executableFiles(options).map((file) => program.tryCall('execve', program.string(file), argv, environment));
  program.patch(onFailure, 0, program.addressOfRecord(program.length));
  // The arena and the memory of streams are shared mappings: pid 1 sees what its child notes.
  if (options.noteAt !== undefined) program.operation('store', options.noteAt, -1);
  program.tryCall('exit_group', EXIT_NOT_EXECUTED);
  program.patch(jumpToEnd, 0, program.addressOfRecord(program.length));
  return { program, openCgroup, clone, preparation, executions, childStart };
}

/**
 * Appends a clone into a cgroup.
 * @returns the records of the open and of the clone, and how to say where the child goes on
 */
export function cloneIntoCgroup(
  program: Program,
  cgroup: ControlGroup,
  options: CloneOptions,
): { openCgroup: number; clone: number; childTarget: (address: number) => void } {
  const openCgroup = program.call('open', program.string(cgroup.path), O_PATH_DIRECTORY_CLOEXEC);
  const args = program.data(cloneArguments(options));
  program.operation('copy', args + CLONE_ARGUMENTS_CGROUP, program.addressOfResult(openCgroup), 8);
  const clone = program.operation('spawn', args, CLONE_ARGUMENTS_SIZE, 0);
  return { openCgroup, clone, childTarget: (address) => program.patch(clone, 2, address) };
}

function prepareChild(program: Program, options: LaunchOptions): number[] {
  const { uid, gid, groups } = options.credentials;
  const calls = [program.call('setsid')];
  if (options.streams.kind === 'terminal') {
    calls.push(program.call('close', 0), program.call('open', program.string(`/dev/pts/${options.streams.number}`), O_RDWR));
    calls.push(program.call('dup3', 0, 1, 0), program.call('dup3', 0, 2, 0));
  } else {
    for (const [target, fd] of options.streams.fds.entries()) if (fd !== target) calls.push(program.call('dup3', fd, target, 0));
  }
  calls.push(program.call('close_range', 3, 0xffffffff, 0));
  const limit = new BigUint64Array(2);
  syscall('prlimit64', 0, RLIMIT_NOFILE, 0, new Uint8Array(limit.buffer));
  const hard = limit[1] ?? 0n;
  const soft = hard < SOFT_DESCRIPTOR_LIMIT ? hard : BigInt(SOFT_DESCRIPTOR_LIMIT);
  calls.push(program.call('prlimit64', 0, RLIMIT_NOFILE, program.data(new Uint8Array(BigUint64Array.of(soft, hard).buffer)), 0));
  calls.push(program.call('umask', options.umask));
  calls.push(program.call('setgroups', groups.length, program.data(new Uint8Array(Uint32Array.from(groups).buffer))));
  calls.push(program.call('setresgid', gid, gid, gid), program.call('setresuid', uid, uid, uid));
  // With the rights of its user.
  if (options.nice !== undefined) calls.push(program.call('setpriority', 0, 0, options.nice));
  calls.push(program.call('chdir', program.string(options.workingDirectory)));
  return calls;
}

/** The files to try, in order, as execvp(3). */
export function executableFiles(options: Pick<LaunchOptions, 'arguments' | 'environment' | 'file'>): string[] {
  const name = fileOf(options);
  if (name.includes('/')) return [name];
  return (options.environment['PATH'] ?? DEFAULT_PATH).split(':').map((directory) => (directory === '' ? name : `${directory}/${name}`));
}

function fileOf({ file, arguments: [name = ''] }: Pick<LaunchOptions, 'arguments' | 'file'>): string {
  return file ?? name;
}

function notSoNice({ nice = 0 }: LaunchOptions): KorriganError {
  return new KorriganError('KRG_PERMISSION', `you may not start programs with a nice value of ${nice}; root may (EACCES)`);
}

/** What became of a launch, read from the results. @returns the pid @throws KorriganError or SyscallError when nothing was executed */
export function launchedPid({ program, clone, preparation, executions }: LaunchProgram, options: LaunchOptions): number {
  const pid = program.checkedResult(clone);
  for (const index of preparation) {
    if (program.describe(index) === 'setpriority' && program.result(index) === -ERRNO.EACCES) throw notSoNice(options);
    if (program.describe(index) === 'chdir' && program.result(index) < 0) throw noDirectory(options, -program.result(index));
    program.checkedResult(index);
  }
  const failures = executions.map((index) => -program.result(index));
  if (failures.includes(0)) return pid;
  throw notExecuted(options, failures);
}

/** As a shell: the first error that is more than "not here" wins, then "not allowed". */
function notExecuted(options: LaunchOptions, failures: readonly number[]): Error {
  const name = fileOf(options);
  const [absent, forbidden]: number[][] = [[ERRNO.ENOENT, ERRNO.ENOTDIR], [ERRNO.EACCES]];
  const errno =
    failures.find((failure) => !absent?.includes(failure) && !forbidden?.includes(failure)) ??
    failures.find((failure) => forbidden?.includes(failure));
  if (errno === undefined) {
    const where = name.includes('/') ? '' : ' along PATH';
    return new KorriganError('KRG_COMMAND_NOT_FOUND', `${name}: not found${where} (give the path of a program that exists on the node)`, {
      cause: new SyscallError('execve', ERRNO.ENOENT, name),
    });
  }
  return new KorriganError('KRG_COMMAND_NOT_EXECUTABLE', `${name}: cannot be executed: ${errnoName(errno)}`, {
    cause: new SyscallError('execve', errno, name),
  });
}

function noDirectory(options: LaunchOptions, errno: number): KorriganError {
  return new KorriganError(
    'KRG_BAD_REQUEST',
    `the working directory ${options.workingDirectory} cannot be entered on the node: ${errnoName(errno)}`,
    {
      cause: new SyscallError('chdir', errno, options.workingDirectory),
    },
  );
}
