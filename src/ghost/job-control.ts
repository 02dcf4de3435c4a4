/**
 * Stops and continuations by job control, in held processes, and what their parents hear of them.
 *
 * The parent is told when the last thread has stopped, traced or not (kernel/signal.c, ptrace_stop): by SIGCHLD, and by a status that stands until it is taken
 * by wait(2) or something else happens (kernel/exit.c, wait_task_stopped). A parent that is held, too, is kept from the signal by SA_NOCLDSTOP.
 */
import { isDeath, isErrno, KorriganError, type Program, readStat, type RemoteProcess, type StoppedThread } from '../linux/index.ts';
import { initOf } from './hidden-state.ts';

const SIGCHLD = 17;
const SIGCONT = 18;
/** Of both the kernel keeps only what came last: SIGCONT, or any of the others. */
const JOB_CONTROL_SIGNALS: readonly number[] = [SIGCONT, 20, 21, 22];
const SA_NOCLDSTOP = 1;
/** A handler that is never called: with the default action the kernel would take pending signals away (kernel/signal.c, do_sigaction). */
const NEVER_CALLED = 2n;
const ACTION_SIZE = 32;
const ALL_SIGNALS = 0xffffffffffffffffn;
const MASK_SIZE = 8;
const SIG_SETMASK = 2;
const P_ALL = 0;
const P_PID = 1;
const WNOHANG = 1;
const WSTOPPED = 2;
const WCONTINUED = 8;
const WNOWAIT = 0x01000000;
const WALL = 0x40000000;
const CHANGES = WSTOPPED | WCONTINUED | WNOHANG | WALL;
const SIGINFO_SIZE = 128;
/** si_pid in a siginfo_t of SIGCHLD. */
const SI_PID = 16;
const CHILDREN_AT_ONCE = 100;

/** A child that moves together with its parent, as the source has it. */
export interface MovingChild {
  readonly pid: number;
  readonly isStopped: boolean;
}

/** A child that is stopped, or whose continuation its parent does not know of yet. */
export interface ChangedChild {
  pid: number;
  /** The parent has taken the status. */
  isTaken: boolean;
}

/** Appends the question whether any child has stopped, or goes on, without its parent having taken the status; the answer is read after the run. */
export function askForChanges(program: Program): () => boolean {
  const place = program.data(SIGINFO_SIZE);
  program.tryCall('waitid', P_ALL, 0, place, CHANGES | WNOWAIT, 0);
  return () => program.viewAt(place, SIGINFO_SIZE).getInt32(SI_PID, true) !== 0;
}

/** @param mayBeUntaken false when no child has a status that was not taken */
export function captureChangedChildren(parent: RemoteProcess, children: readonly MovingChild[], mayBeUntaken: boolean): ChangedChild[] {
  const changed: ChangedChild[] = [];
  for (let from = 0; from < children.length; from += CHILDREN_AT_ONCE) {
    const some = children.slice(from, from + CHILDREN_AT_ONCE);
    const untaken = mayBeUntaken ? findUntaken(parent, some) : new Set<number>();
    for (const { pid, isStopped } of some) if (isStopped || untaken.has(pid)) changed.push({ pid, isTaken: !untaken.has(pid) });
  }
  return changed;
}

function findUntaken(parent: RemoteProcess, children: readonly MovingChild[]): ReadonlySet<number> {
  const program = parent.newProgram({ records: children.length + 1, data: children.length * SIGINFO_SIZE });
  const places = children.map(({ pid }) => {
    const place = program.data(SIGINFO_SIZE);
    program.tryCall('waitid', P_PID, pid, place, CHANGES | WNOWAIT, 0);
    return place;
  });
  parent.run(program);
  return new Set(places.map((place) => program.viewAt(place, SIGINFO_SIZE).getInt32(SI_PID, true)));
}

/** From now on a held process gets no SIGCHLD for stops and continuations, until its actions are set again. All its signals are blocked. */
export function keepChangesBack(parent: RemoteProcess): void {
  const action = new Uint8Array(ACTION_SIZE);
  const view = new DataView(action.buffer);
  view.setBigUint64(0, NEVER_CALLED, true);
  view.setBigUint64(8, BigInt(SA_NOCLDSTOP), true);
  const program = parent.newProgram({ records: 2, data: ACTION_SIZE });
  program.call('rt_sigaction', SIGCHLD, program.data(action), 0, MASK_SIZE);
  parent.run(program);
}

/** A held process takes the status of a child that has stopped or goes on, if there is one. */
export function takeChange(parent: RemoteProcess, pid: number): void {
  const program = parent.newProgram({ records: 2, data: 0 });
  program.tryCall('waitid', P_PID, pid, 0, CHANGES, 0);
  parent.run(program);
}

/**
 * Stops a held process by job control. It can still run programs of ours, and is stopped when it is let go.
 * @param pid in the container
 * @throws KorriganError KRG_NOT_MOVABLE when the kernel refuses it: members of an orphaned group are stopped by SIGSTOP only
 */
export function enterGroupStop(remote: RemoteProcess, pid: number, signal: number): void {
  const [main, ...others] = remote.threads;
  if (main === undefined) throw new Error('a held process has a thread');
  const program = remote.newProgram({ records: 4, data: 2 * MASK_SIZE });
  const mask = (signals: bigint): number => program.data(maskBytes(signals));
  program.call('rt_sigprocmask', SIG_SETMASK, mask(ALL_SIGNALS & ~maskOf(signal)), 0, MASK_SIZE);
  program.call('tgkill', pid, pid, signal);
  program.call('rt_sigprocmask', SIG_SETMASK, mask(ALL_SIGNALS), 0, MASK_SIZE);
  remote.begin(program, main);
  let isStopped = false;
  for (let status = main.tracee.wait(); !remote.isProgramEnd(status); status = main.tracee.wait()) {
    if (status.kind === 'exited' || status.kind === 'killed') throw ended(pid);
    if (status.kind === 'interrupted' && status.groupStop !== 0 && !isStopped) {
      for (const thread of others) joinGroupStop(thread, pid);
      isStopped = true;
    }
    // A SIGSTOP from elsewhere says nothing new to a process that is being stopped.
    main.tracee.resume(status.kind === 'signal' && status.signal === signal && !isStopped ? signal : 0);
  }
  if (!isStopped) {
    const reason = `it was stopped by signal ${signal}, and its group is orphaned on the target node, where that stops nobody`;
    throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot move: ${reason}`);
  }
}

function joinGroupStop({ tracee }: StoppedThread, pid: number): void {
  tracee.resume();
  for (let status = tracee.wait(); status.kind !== 'interrupted' || status.groupStop === 0; status = tracee.wait()) {
    if (status.kind === 'exited' || status.kind === 'killed') throw ended(pid);
    tracee.resume();
  }
}

/** A held process that is stopped goes on when it is let go. The SIGCONT itself is not left in its queue. @param pid in the container */
export function leaveGroupStop(remote: RemoteProcess, pid: number): void {
  const program = remote.newProgram({ records: 3, data: MASK_SIZE + 16 });
  // To the thread, whose queue is emptied first: one that somebody else has sent to the process stays.
  program.call('tgkill', pid, pid, SIGCONT);
  program.tryCall('rt_sigtimedwait', program.data(maskBytes(maskOf(SIGCONT))), 0, program.data(16), MASK_SIZE);
  remote.run(program);
}

/** Signals of job control that wait for a held process, of itself and its leader. */
export interface JobControlSignals {
  readonly shared: readonly Uint8Array[];
  readonly thread: readonly Uint8Array[];
}

/** Those that wait for a held process now: a stop takes SIGCONT out of its queues, a continuation the stopping ones. */
export function jobControlSignals({ main }: RemoteProcess): JobControlSignals {
  const waiting = (queue: 'shared' | 'thread'): Uint8Array[] =>
    main.tracee.pendingSignals(queue).filter((information) => JOB_CONTROL_SIGNALS.includes(numberOf(information)));
  return { shared: waiting('shared'), thread: waiting('thread') };
}

/** Queues them again, as they were sent; a SIGCONT makes a process that is stopped go on. @param pid in the container */
export function queueAgain(remote: RemoteProcess, pid: number, { shared, thread }: JobControlSignals): void {
  if (shared.length + thread.length === 0) return;
  const program = remote.newProgram({ records: shared.length + thread.length + 1, data: (shared.length + thread.length) * SIGINFO_SIZE });
  for (const information of shared) program.call('rt_sigqueueinfo', pid, numberOf(information), program.data(information));
  for (const information of thread) program.call('rt_tgsigqueueinfo', pid, pid, numberOf(information), program.data(information));
  remote.run(program);
}

/**
 * What processes that have gone leave behind does not stay stopped when the parents have gone with them, or are pid 1: nobody tells what is left here that
 * they go on. The regions are open. To be called before any of it becomes a husk.
 */
export function continueLeftBehind(left: readonly { readonly pid: number; readonly remote: RemoteProcess }[]): void {
  for (const { pid, remote } of left) {
    if (remote.main.groupStop === 0) continue;
    const parentPid = readStat(remote.pid)?.parent;
    const parent = left.find((other) => other.remote.pid === parentPid)?.remote;
    if (parent === undefined && parentPid !== initOf(remote.pid)) continue;
    try {
      if (parent !== undefined) keepChangesBack(parent);
      leaveGroupStop(remote, pid);
      if (parent !== undefined) takeChange(parent, pid);
    } catch (error) {
      if (!isDeath(error) && !isErrno(error, 'ECHILD')) throw error; // one of them was killed
    }
  }
}

function numberOf(information: Uint8Array): number {
  return new DataView(information.buffer, information.byteOffset).getInt32(0, true);
}

function maskOf(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

function maskBytes(signals: bigint): Uint8Array {
  const bytes = new Uint8Array(MASK_SIZE);
  new DataView(bytes.buffer).setBigUint64(0, signals, true);
  return bytes;
}

function ended(pid: number): KorriganError {
  return new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} was killed while it was restored`);
}
