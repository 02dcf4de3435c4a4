/** What Korrigan asks of the machine, checked: `krg doctor`. */
import { existsSync, readFileSync } from 'node:fs';
import { cgroupMountPoint } from '../linux/index.ts';
import type { DoctorCheck } from './api/types.ts';

interface Check {
  readonly name: string;
  readonly essential: boolean;
  /** What was found; throws, with the reason, when it is missing. */
  readonly find: () => string;
  readonly cost: string;
}

const CHECKS: readonly Check[] = [
  {
    name: 'root',
    essential: true,
    find: () => {
      if (process.getuid?.() !== 0) throw new Error(`this is uid ${process.getuid?.()}`);
      return 'uid 0';
    },
    cost: 'the daemon needs root; run it as root',
  },
  {
    name: 'cgroup v2',
    essential: true,
    find: () => cgroupMountPoint(),
    cost: 'applications could not be frozen and ended as a whole; mount -t cgroup2 none /sys/fs/cgroup',
  },
  { name: 'pid namespaces', essential: true, find: () => namespace('pid'), cost: 'no container; use a kernel with CONFIG_PID_NS' },
  {
    name: 'time namespaces',
    essential: true,
    find: () => namespace('time'),
    cost: 'clocks of moved processes would jump; use a kernel with CONFIG_TIME_NS',
  },
  {
    name: 'seccomp notification',
    essential: true,
    find: () => {
      const actions = readFileSync('/proc/sys/kernel/seccomp/actions_avail', 'utf8');
      if (!actions.includes('user_notif')) throw new Error(`the kernel knows only ${actions.trim()}`);
      return 'user_notif';
    },
    cost: 'calls to processes on other nodes could not be answered; use Linux 5.0 or later',
  },
];

function namespace(name: string): string {
  const path = `/proc/self/ns/${name}`;
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  return path;
}

/** All checks, in the order in which they are shown. */
export async function examineMachine(): Promise<DoctorCheck[]> {
  return CHECKS.map(({ name, essential, find, cost }) => {
    try {
      return { name, essential, ok: true, detail: find(), cost: '' };
    } catch (error) {
      return { name, essential, ok: false, detail: error instanceof Error ? error.message : String(error), cost };
    }
  });
}
