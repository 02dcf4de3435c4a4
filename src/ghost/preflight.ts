/**
 * Preflight: every resource of a process with a verdict, before anything is touched. What stands here as refused would otherwise have
 * been half a process.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import {
  isHeldByColleague,
  readDetailedMaps,
  readMaps,
  readMemory,
  readProcessFile,
  readProcessLink,
  readStat,
  readStatus,
  REGION_ADDRESS,
  REGION_LIMIT,
  tracerOf,
} from '../linux/index.ts';
import { judgeArea } from '../mm/index.ts';
import { examineHiddenState } from './hidden-state.ts';

/** Looks at the memory of a process that a thread of this daemon holds for a moment: what is seen of its region at first is gone, or it is held still. */
const LOOKS = 3;

export type Verdict = 'moves' | 'reconnects' | 'relayed' | 'lost' | 'refused';

/** One resource of a process and what a move does to it. */
export interface Finding {
  /** What it is, e.g. "memory 7f00…-7f10… /lib/libc.so.6". */
  resource: string;
  verdict: Verdict;
  /** Why, and for refusals what to do. */
  reason: string;
}

const ELF_CLASS_64 = 2;
/** untag_mask of a process that has none of its addresses masked. */
const NO_TAGS = '0xffffffffffffffff';
/** What AppArmor calls a process without a profile. */
const UNCONFINED = 'unconfined';

/** @param pid in the caller's pid namespace. @returns findings; empty when there is no such process. */
export function examineProcess(pid: number): Finding[] {
  const stat = readStat(pid);
  const status = readStatus(pid);
  if (stat === undefined || status === undefined) return [];
  const findings: Finding[] = [];
  const refuse = (resource: string, reason: string): void => void findings.push({ resource, verdict: 'refused', reason });

  if ((stat.state === 'Z' && stat.threads <= 1) || stat.state === 'X')
    refuse('process', 'it has ended; its parent has not collected its status yet');
  if (stat.state === 'Z' && stat.threads > 1) refuse('threads', 'its main thread has ended while others run');
  const tracer = status.get('TracerPid');
  // A thread of this daemon, which delivers a signal, lets go in a moment.
  if (tracer !== undefined && tracer !== '0' && !isHeldByColleague(pid))
    refuse('tracer', `process ${tracer} traces it; end the debugger or tracer first`);
  const filters = Number(status.get('Seccomp_filters') ?? '0');
  if (filters > 1) refuse('seccomp', `${filters - 1} filter(s) of its own; a filter cannot be read back completely`);
  if (statSync(`/proc/${pid}/exe`, { throwIfNoEntry: false })?.nlink === 0)
    refuse('executable', 'its file was deleted or replaced; start the program anew before the move');
  if (elfClass(pid) === 'other') refuse('executable', 'a 32-bit program; only 64-bit programs move');

  const features = status.get('x86_Thread_features') ?? '';
  if (features !== '') refuse('processor', `it uses ${features}, which cannot be set up anew`);
  const mask = status.get('untag_mask');
  if (mask !== undefined && mask !== NO_TAGS) refuse('processor', 'it uses tagged addresses (linear address masking)');
  for (const { resource, reason } of examineHiddenState(pid, threadsOf(pid))) refuse(resource, reason);
  const label = readProcessFile(pid, 'attr/current');
  if (label !== readProcessFile(process.pid, 'attr/current') && label !== undefined && label.trim() !== UNCONFINED)
    refuse('security label', `it runs as ${label.trim()}, which the other node may not know`);

  const areas = areasOf(pid);
  if (areas.length === 0 && stat.state !== 'Z') refuse('memory', 'it has no user memory: a kernel thread or a process that is just ending');
  for (const area of areas) {
    const resource = `memory ${area.start.toString(16)}-${area.end.toString(16)} ${area.name}`.trim();
    const obstacle = judgeArea(area);
    if (obstacle !== undefined) refuse(resource, `${obstacle} cannot move yet`);
    else if (isInRegion(area)) refuse(resource, 'it lies where the restore program must lie');
  }
  if (findings.length === 0) {
    const kilobytes = status.get('VmRSS')?.replace(/\D/g, '') ?? '0';
    findings.push({ resource: 'memory', verdict: 'moves', reason: `${areas.length} areas, ${kilobytes} KiB resident` });
    findings.push({ resource: 'threads', verdict: 'moves', reason: `${stat.threads} with registers, signals, timers and credentials` });
  }
  return findings;
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return []; // it has ended
  }
}

function elfClass(pid: number): '64' | 'other' | 'unknown' {
  if (readProcessLink(pid, 'exe') === undefined) return 'unknown';
  let file: number;
  try {
    file = openSync(`/proc/${pid}/exe`, 'r');
  } catch {
    return 'unknown';
  }
  try {
    const header = Buffer.alloc(5);
    readSync(file, header, 0, 5, 0);
    return header[4] === ELF_CLASS_64 ? '64' : 'other';
  } finally {
    closeSync(file);
  }
}

let digest: string | undefined;

/**
 * A digest of the code of this kernel's vDSO and of the size of its data: processes move only between kernels where both are the same.
 * All processes of a kernel have the same.
 */
export function vdsoDigest(): string {
  digest ??= computeVdsoDigest(process.pid);
  return digest;
}

function computeVdsoDigest(pid: number): string {
  const areas = readMaps(pid).filter((area) => area.name === '[vdso]' || area.name.startsWith('[vvar'));
  const hash = createHash('sha256');
  for (const { start, end, name } of areas) {
    hash.update(`${name} ${end - start}\n`);
    if (name === '[vdso]') hash.update(readMemory(pid, start, end - start));
  }
  return hash.digest('hex');
}

/** The areas of a process, without the region of a thread of this daemon that is at work in it. */
function areasOf(pid: number): ReturnType<typeof readDetailedMaps> {
  let areas = readDetailedMaps(pid);
  for (let look = 1; look < LOOKS && areas.some(isInRegion); look++) {
    if (tracerOf(pid) !== 0 && isHeldByColleague(pid)) return areas.filter((area) => !isInRegion(area));
    areas = readDetailedMaps(pid);
  }
  return areas;
}

function isInRegion({ start, end }: { start: number; end: number }): boolean {
  return start < REGION_LIMIT && end > REGION_ADDRESS;
}
