/**
 * What is asked of a machine before a node runs on it. Each check tries the thing itself, changes nothing that outlives it, and says
 * what its absence costs. The facts: manual pages and kernel versions are named where they are tested.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  cgroupMountPoint,
  ControlGroup,
  ERRNO,
  NativeMemory,
  Pagemap,
  syscall,
  trySyscall,
  USERFAULTFD_FLAGS,
  whyNoKernelTasks,
  WriteTracker,
} from '../linux/index.ts';
import type { DoctorCheck } from './api/types.ts';

interface Check {
  readonly name: string;
  readonly essential: boolean;
  /** What its absence costs and what to do. */
  readonly cost: string;
  /** What was found; throws, or returns `missing(…)`, when it is not there. */
  readonly probe: () => string | Missing;
}

interface Missing {
  readonly missing: string;
}

const missing = (what: string): Missing => ({ missing: what });

/** pid_namespaces: NS_GET_PID_IN_PIDNS, ioctl_nsfs(2). */
const LEAST_KERNEL = [6, 11] as const;

const CAPABILITIES: readonly (readonly [name: string, bit: number])[] = [
  ['CAP_KILL', 5],
  ['CAP_SETUID', 7],
  ['CAP_NET_ADMIN', 12],
  ['CAP_SYS_PTRACE', 19],
  ['CAP_SYS_ADMIN', 21],
  ['CAP_CHECKPOINT_RESTORE', 40],
];
const CAP_SYS_RESOURCE = 24;

const SECCOMP_GET_ACTION_AVAIL = 2;
const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
const PTRACE_SEIZE = 0x4206;
const PR_SET_MM = 35;
const PR_SET_MM_MAP_SIZE = 15;
const PR_TIMER_CREATE_RESTORE_IDS = 77;
const PR_TIMER_CREATE_RESTORE_IDS_GET = 2;
const KCMP_FILE = 0;
const PAGE = 4096;

const CHECKS: readonly Check[] = [
  {
    name: 'kernel',
    essential: true,
    cost: `a node needs Linux ${LEAST_KERNEL.join('.')} or newer on x86-64: install a newer kernel`,
    probe: () => {
      const [major = 0, minor = 0] = release().split('.').map(Number);
      const found = `Linux ${release()} on ${process.arch}`;
      const recent = major > LEAST_KERNEL[0] || (major === LEAST_KERNEL[0] && minor >= LEAST_KERNEL[1]);
      return recent && process.arch === 'x64' ? found : missing(found);
    },
  },
  {
    name: 'capabilities',
    essential: true,
    cost: 'a node cannot make its container or trace processes: start the cluster as root',
    probe: () => {
      const absent = CAPABILITIES.filter(([, bit]) => !hasCapability(bit)).map(([name]) => name);
      return absent.length === 0 ? 'all that a node needs' : missing(`without ${absent.join(', ')}`);
    },
  },
  {
    name: 'resource capability',
    essential: false,
    cost: 'CAP_SYS_RESOURCE is missing: pid 1 of a container cannot be spared by the out-of-memory killer, limits cannot be raised for a program that arrives with higher ones',
    probe: () => (hasCapability(CAP_SYS_RESOURCE) ? 'CAP_SYS_RESOURCE' : missing('none')),
  },
  {
    name: 'pid namespaces',
    essential: true,
    cost: 'pids cannot be cluster-wide: the kernel needs CONFIG_PID_NS',
    probe: () => present('/proc/self/ns/pid'),
  },
  {
    name: 'chosen pids',
    essential: true,
    cost: 'a process cannot arrive under its own pid: the kernel needs CONFIG_CHECKPOINT_RESTORE (ns_last_pid, clone3 with set_tid)',
    probe: () => {
      const refused = trySyscall('clone3', 0, 0);
      return refused === -ERRNO.ENOSYS ? missing('clone3(2) is missing') : present('/proc/sys/kernel/ns_last_pid');
    },
  },
  {
    name: 'ptrace',
    essential: true,
    cost: 'processes cannot be stopped and read: lower /proc/sys/kernel/yama/ptrace_scope below 3, or start the cluster as root',
    probe: () => {
      const scope = readOptional('/proc/sys/kernel/yama/ptrace_scope');
      if (scope === '3') return missing('ptrace(2) is locked by ptrace_scope 3 until the next boot');
      // No process has this pid, so only a kernel that allows tracing says ESRCH.
      const refused = trySyscall('ptrace', PTRACE_SEIZE, 0x7ffffffe, 0, 0);
      return refused === -ERRNO.ESRCH
        ? `ptrace(2)${scope === undefined ? '' : `, ptrace_scope ${scope}`}`
        : missing(`ptrace(2) fails with errno ${-refused}`);
    },
  },
  {
    name: 'seccomp notification',
    essential: true,
    cost: 'calls that concern processes of other nodes cannot be answered: the kernel needs CONFIG_SECCOMP_FILTER',
    probe: () => {
      const action = new Uint8Array(Uint32Array.of(SECCOMP_RET_USER_NOTIF).buffer);
      syscall('seccomp', SECCOMP_GET_ACTION_AVAIL, 0, action);
      return 'SECCOMP_RET_USER_NOTIF';
    },
  },
  {
    name: 'control groups',
    essential: true,
    cost: 'applications cannot be frozen atomically: mount the version-2 hierarchy (mount -t cgroup2 none /sys/fs/cgroup) and give krgd the right to write there',
    probe: probeControlGroup,
  },
  {
    name: 'memory maps by range',
    essential: true,
    cost: 'mapped files cannot be identified: /proc/PID/map_files needs CONFIG_CHECKPOINT_RESTORE and CAP_CHECKPOINT_RESTORE',
    probe: () => {
      const [first] = readdirSync('/proc/self/map_files');
      if (first === undefined) return missing('/proc/self/map_files is empty');
      closeSync(openSync(join('/proc/self/map_files', first), 'r'));
      return '/proc/PID/map_files';
    },
  },
  {
    name: 'memory layout',
    essential: true,
    cost: "a process's break, stack and arguments cannot be restored: PR_SET_MM_MAP needs CONFIG_CHECKPOINT_RESTORE",
    probe: () => {
      const size = new Uint8Array(4);
      syscall('prctl', PR_SET_MM, PR_SET_MM_MAP_SIZE, size, 0, 0);
      return `PR_SET_MM_MAP, ${new DataView(size.buffer).getUint32(0, true)} bytes`;
    },
  },
  {
    name: 'description comparison',
    essential: true,
    cost: 'it cannot be known which descriptors share an open file: kcmp(2) needs CONFIG_KCMP',
    probe: () => {
      syscall('kcmp', process.pid, process.pid, KCMP_FILE, 0, 0);
      return 'kcmp(2)';
    },
  },
  {
    name: 'dirty-page tracking',
    essential: false,
    cost: 'large processes are stopped while all their memory is copied, there is no pre-copy: needs userfaultfd(2) with UFFD_FEATURE_WP_ASYNC (Linux 6.7)',
    probe: () => {
      using tracker = new WriteTracker(syscall('userfaultfd', USERFAULTFD_FLAGS));
      const tracks = withPage((address) => tracker.register(address, PAGE));
      return tracks ? 'userfaultfd(2) with UFFD_FEATURE_WP_ASYNC' : missing('private memory cannot be registered');
    },
  },
  {
    name: 'sleeping processes',
    essential: false,
    cost: 'processes that wait for a time, or that might have restricted themselves with Landlock, stay where they are: needs BPF iterators with type information (CONFIG_DEBUG_INFO_BTF, Linux 6.1), CAP_BPF and CAP_PERFMON',
    probe: () => {
      const why = whyNoKernelTasks();
      return why === undefined ? 'bpf(2) tells how long they still wait' : missing(why);
    },
  },
  {
    name: 'page scan',
    essential: true,
    cost: 'it cannot be known which pages of a process exist: PAGEMAP_SCAN came with Linux 6.7',
    probe: () => {
      using pagemap = new Pagemap(process.pid);
      withPage((address) => pagemap.scan(address, address + PAGE, {}));
      return 'PAGEMAP_SCAN';
    },
  },
  {
    name: 'time namespaces',
    essential: true,
    cost: 'clocks of a process would jump when it moves between machines that booted at different times: the kernel needs CONFIG_TIME_NS',
    probe: () => present('/proc/self/timens_offsets'),
  },
  {
    name: 'chosen timer ids',
    essential: false,
    cost: 'a POSIX timer whose id is high takes long to restore: PR_TIMER_CREATE_RESTORE_IDS came with Linux 6.15',
    probe: () => {
      syscall('prctl', PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_GET, 0, 0, 0);
      return 'PR_TIMER_CREATE_RESTORE_IDS';
    },
  },
  {
    name: 'FUSE',
    essential: false,
    cost: "the container shows the node's /proc only, not the cluster's: load the module fuse, and let krgd open /dev/fuse",
    probe: () => {
      accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
      return '/dev/fuse';
    },
  },
  {
    name: 'virtual network',
    essential: false,
    cost: 'no cluster of several nodes on one machine (krg up, krg demo, the tests): needs iproute2, util-linux, and the modules veth and bridge',
    probe: probeNetwork,
  },
  {
    name: 'C compiler',
    essential: false,
    cost: 'the tests cannot build their programs; nodes do not need it: apt-get install gcc libc6-dev',
    probe: () => onPath('gcc'),
  },
];

/** Tries everything, in the order in which it is shown. Never rejects: a check that fails says how. */
export function examineMachine(): Promise<DoctorCheck[]> {
  const checks = CHECKS.map(({ name, essential, cost, probe }) => {
    const found = tryProbe(probe);
    return typeof found === 'string'
      ? { name, ok: true, essential, detail: found, cost: '' }
      : { name, ok: false, essential, detail: found.missing, cost };
  });
  return Promise.resolve(checks);
}

function tryProbe(probe: Check['probe']): string | Missing {
  try {
    return probe();
  } catch (error) {
    return missing(error instanceof Error ? error.message : String(error));
  }
}

function withPage<Result>(use: (address: number) => Result): Result {
  const memory = NativeMemory.allocate(PAGE);
  try {
    return use(memory.address);
  } finally {
    memory.free();
  }
}

function probeControlGroup(): string | Missing {
  const mountPoint = cgroupMountPoint();
  const group = new ControlGroup(mountPoint).child(`korrigan-doctor-${process.pid}`).create();
  try {
    return existsSync(join(group.path, 'cgroup.freeze')) ? `version 2 at ${mountPoint}` : missing(`${mountPoint} has no cgroup.freeze`);
  } finally {
    group.remove();
  }
}

/** In a network namespace that ends with the command. */
function probeNetwork(): string {
  const commands = 'ip link add krgdoctor0 type veth peer name krgdoctor1 && ip link add krgdoctor2 type bridge';
  execFileSync('unshare', ['--net', 'sh', '-c', commands], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
  return 'veth and bridge';
}

function hasCapability(bit: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return ((BigInt(`0x${effective ?? '0'}`) >> BigInt(bit)) & 1n) === 1n;
}

function present(path: string): string | Missing {
  return existsSync(path) ? path : missing(`${path} does not exist`);
}

function readOptional(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

function onPath(command: string): string | Missing {
  const folder = (process.env['PATH'] ?? '').split(delimiter).find((each) => existsSync(join(each, command)));
  return folder === undefined ? missing(`no ${command} on the PATH`) : join(folder, command);
}
