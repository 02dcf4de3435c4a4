/** Export: everything about a stopped process but its pages and descriptors. */
import { readProcessFile, readProcessLink, readStat, type RemoteProcess } from '../linux/index.ts';
import { type Area, type AreaFlags, captureAreaPolicies, policyQuestions } from '../mm/index.ts';
import { IMAGE_VERSION, type ProcessImage, type ThreadImage } from './image.ts';
import { askForChanges, captureChangedChildren, type MovingChild } from './job-control.ts';
import { captureLimits } from './limits.ts';
import { captureNumber } from './outside.ts';
import { captureActions } from './signals.ts';
import { THREAD_CAPTURE, THREAD_CAPTURE_BYTES, ThreadQuestions } from './threads.ts';
import { captureIntervalTimers, capturePosixTimers, countExpirations } from './timers.ts';
import { captureWaits, observeThreads, type ObservedThreads } from './waits.ts';

const PR_GET_DUMPABLE = 3;
const PR_GET_CHILD_SUBREAPER = 37;
const PR_GET_THP_DISABLE = 42;
const PR_GET_MEMORY_MERGE = 68;
/** Linux 6.3 */
const MEMBARRIER_CMD_GET_REGISTRATIONS = 1 << 9;
const LEADER_RECORDS = 1024;
const LEADER_DATA = 65536;
const LEADER_BYTES = LEADER_RECORDS * 64 + LEADER_DATA;

/** Size of the region that capturing a process with so many threads needs. */
export function captureRegionSize(threads: number): number {
  return LEADER_BYTES + threads * THREAD_CAPTURE_BYTES + 4096;
}

/**
 * Captures a stopped process whose region is open ({@link captureRegionSize}). The process is not changed.
 * @param flags area flags read before the freeze
 * @param observed what was seen of its threads right before it was stopped; without it waits of some kinds begin anew
 * @param children those that move along, held as well
 */
export function captureProcess(
  remote: RemoteProcess,
  flags: AreaFlags,
  observed?: ObservedThreads,
  children: readonly MovingChild[] = [],
): ProcessImage {
  const stat = readStat(remote.pid);
  if (stat === undefined) throw new Error(`process ${remote.pid} is held, yet /proc does not know it`);
  const program = remote.newProgram({ records: LEADER_RECORDS, data: LEADER_DATA });
  const main = remote.main;
  const tasks = observeThreads(remote.pid);
  const waits = captureWaits(remote, observed, tasks);
  const questions = new ThreadQuestions(remote, tasks);
  const collectThread = questions.ask(program, main, waits[0]);
  const collectActions = captureActions(program);
  const collectIntervalTimers = captureIntervalTimers(program);
  const collectLimits = captureLimits(program);
  const collectPosixTimers = capturePosixTimers(program, remote.pid);
  const mayHaveChanges = children.length > 0 ? askForChanges(program) : () => false;
  const brk = program.call('brk', 0);
  const pid = program.call('getpid');
  const parent = program.call('getppid');
  const group = program.call('getpgid', 0);
  const session = program.call('getsid', 0);
  const dumpable = program.call('prctl', PR_GET_DUMPABLE, 0, 0, 0, 0);
  const subreaper = program.data(8);
  program.call('prctl', PR_GET_CHILD_SUBREAPER, subreaper, 0, 0, 0);
  const barriers = program.tryCall('membarrier', MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0);
  const noHugePages = program.call('prctl', PR_GET_THP_DISABLE, 0, 0, 0, 0);
  const merged = program.tryCall('prctl', PR_GET_MEMORY_MERGE, 0, 0, 0, 0);

  const others = remote.threads.slice(1).map((thread, index) => {
    const own = remote.newProgram(THREAD_CAPTURE, LEADER_BYTES + index * THREAD_CAPTURE_BYTES);
    return { program: own, thread, collect: questions.ask(own, thread, waits[index + 1]) };
  });
  remote.runTogether([{ program, thread: main }, ...others]);

  const posixTimers = collectPosixTimers();
  const pending = main.tracee.pendingSignals('shared');
  const threads: ThreadImage[] = [collectThread(), ...others.map(({ collect }) => collect())];
  const hostToCluster = new Map(remote.threads.map((thread, n) => [thread.tracee.tid, threads[n]?.tid ?? 0]));
  const region = { start: remote.regionAddress, end: remote.regionAddress + remote.regionSize };
  const areas = flags.describe(remote.pid, [region]);
  const changedChildren = captureChangedChildren(remote, children, mayHaveChanges());
  if (flags.mayHavePolicies) askPolicies(remote, areas);
  countExpirations(posixTimers, [...pending, ...threads.flatMap((thread) => thread.pending)], remote.pid);
  return {
    version: IMAGE_VERSION,
    pid: program.result(pid),
    parent: program.result(parent),
    group: program.result(group),
    session: program.result(session),
    stopped: main.groupStop,
    changedChildren,
    executable: readProcessLink(remote.pid, 'exe') ?? '',
    areas,
    memoryMap: {
      startCode: stat.startCode,
      endCode: stat.endCode,
      startData: stat.startData,
      endData: stat.endData,
      startBreak: stat.startBreak,
      break: program.result(brk),
      startStack: stat.startStack,
      argumentStart: stat.argumentStart,
      argumentEnd: stat.argumentEnd,
      environmentStart: stat.environmentStart,
      environmentEnd: stat.environmentEnd,
    },
    auxiliaryVector: Uint8Array.from(Buffer.from(readProcessFile(remote.pid, 'auxv') ?? '', 'latin1')),
    actions: collectActions(),
    pending,
    intervalTimers: collectIntervalTimers(),
    posixTimers: posixTimers.map((timer) => ({ ...timer, thread: hostToCluster.get(timer.thread) ?? timer.thread })),
    limits: collectLimits(),
    dumpable: program.result(dumpable),
    childSubreaper: program.viewAt(subreaper, 4).getInt32(0, true) !== 0,
    transparentHugePagesDisabled: program.result(noHugePages),
    memoryMerged: program.result(merged) === 1,
    lockedFuture: lockedFuture(observed),
    memoryBarriers: Math.max(0, program.result(barriers)),
    personality: captureNumber(remote.pid, 'personality', 16),
    oomScoreAdjustment: captureNumber(remote.pid, 'oom_score_adj'),
    coreDumpFilter: captureNumber(remote.pid, 'coredump_filter', 16),
    threads,
  };
}

/** Areas whose policies are asked for in one program. */
const AREAS_AT_ONCE = 256;

function askPolicies(remote: RemoteProcess, areas: readonly Area[]): void {
  for (let from = 0; from < areas.length; from += AREAS_AT_ONCE) {
    const some = areas.slice(from, from + AREAS_AT_ONCE);
    const program = remote.newProgram(policyQuestions(some.length));
    const collect = captureAreaPolicies(program, some);
    remote.run(program);
    collect();
  }
}

/** VM_LOCKED and VM_LOCKONFAULT (include/linux/mm.h). */
const LOCKED = 0x2000n;
const LOCKED_ON_FAULT = 0x80000n;
const MCL_FUTURE = 2;
const MCL_ONFAULT = 4;

/** What mlockall(2) was told of memory that is still to come. */
function lockedFuture(observed: ObservedThreads): number {
  const flags = observed?.[0]?.memoryFlags ?? 0n;
  return (flags & LOCKED) === 0n ? 0 : MCL_FUTURE | ((flags & LOCKED_ON_FAULT) === 0n ? 0 : MCL_ONFAULT);
}
