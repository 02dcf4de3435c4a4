/**
 * State that is read and set from outside the process, by its number in our pid namespace: scheduling, and files of /proc.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { isErrno, NativeMemory, readProcessFile, syscall, trySyscall } from '../linux/index.ts';
import type { Scheduling } from './image.ts';

const IOPRIO_WHO_PROCESS = 1;
const PRIO_PROCESS = 0;
const SCHED_OTHER = 0;
const SCHED_BATCH = 3;
const SCHED_ATTR_SIZE = 48;
const SCHED_FLAGS_KEPT = 0x7n;
const AFFINITY_SIZE = 128;

/** Asked once: it costs as much as capturing a thread. */
const PROCESSORS = cpus().length;

const memory = NativeMemory.allocate(256);

export function captureScheduling(tid: number): Scheduling {
  syscall('sched_getattr', tid, memory.address, SCHED_ATTR_SIZE, 0);
  const { view } = memory;
  const attributes = {
    policy: view.getUint32(4, true),
    flags: view.getBigUint64(8, true) & SCHED_FLAGS_KEPT,
    nice: view.getInt32(16, true),
    priority: view.getUint32(20, true),
    runtime: view.getBigUint64(24, true),
    deadline: view.getBigUint64(32, true),
    period: view.getBigUint64(40, true),
  };
  const size = syscall('sched_getaffinity', tid, AFFINITY_SIZE, memory.address);
  const affinity = memory.bytes.slice(0, size);
  const allowed = affinity.reduce((count, byte) => count + bitCount(byte), 0);
  return {
    ...attributes,
    affinity: allowed >= PROCESSORS ? new Uint8Array() : affinity,
    ioPriority: syscall('ioprio_get', IOPRIO_WHO_PROCESS, tid),
  };
}

export function restoreScheduling(tid: number, scheduling: Scheduling): void {
  const { view, address } = memory;
  view.setUint32(0, SCHED_ATTR_SIZE, true);
  view.setUint32(4, scheduling.policy, true);
  view.setBigUint64(8, scheduling.flags, true);
  view.setInt32(16, scheduling.nice, true);
  view.setUint32(20, scheduling.priority, true);
  view.setBigUint64(24, scheduling.runtime, true);
  view.setBigUint64(32, scheduling.deadline, true);
  view.setBigUint64(40, scheduling.period, true);
  syscall('sched_setattr', tid, address, 0);
  // The other policies keep the nice value for later, but sched_setattr does not set it.
  if (scheduling.policy !== SCHED_OTHER && scheduling.policy !== SCHED_BATCH) syscall('setpriority', PRIO_PROCESS, tid, scheduling.nice);
  if (scheduling.affinity.length > 0) {
    memory.bytes.set(scheduling.affinity);
    // EINVAL: none of these CPUs exists on this node; then every CPU is right.
    trySyscall('sched_setaffinity', tid, scheduling.affinity.length, address);
  }
  if (scheduling.ioPriority !== 0) syscall('ioprio_set', IOPRIO_WHO_PROCESS, tid, scheduling.ioPriority);
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** A number in a /proc/PID file, e.g. oom_score_adj; `base` 16 for coredump_filter and personality. */
export function captureNumber(pid: number, file: string, base = 10): number {
  return Number.parseInt((readProcessFile(pid, file) ?? '0').trim(), base);
}

/** Writes a /proc/PID file unless it has the value already. Lowering oom_score_adj takes CAP_SYS_RESOURCE: then it stays as it is. */
export function restoreNumber(pid: number, file: string, value: number, base = 10): void {
  if (captureNumber(pid, file, base) === value) return;
  try {
    writeFileSync(`/proc/${pid}/${file}`, base === 16 ? `0x${value.toString(16)}` : `${value}`);
  } catch (error) {
    if (file !== 'oom_score_adj' || !(isErrno(error, 'EACCES') || (error as NodeJS.ErrnoException).code === 'EACCES')) throw error;
  }
}
