/**
 * A stopped process becomes a husk in place: threads, memory, descriptors, timers and handlers go; the task with its pid, parent, children,
 * group, session, terminal, start time, credentials and accounting stays. Signals that arrive meanwhile stay queued and are recorded after.
 */
import { writeFileSync } from 'node:fs';
import {
  attempt,
  call,
  continuesLater,
  converse,
  inProcess,
  KorriganError,
  OPEN,
  readMaps,
  readProcessFile,
  receivedDescriptors,
  roomForDescriptors,
  TERMINAL,
  type Conversation,
  type Program,
  type RemoteProcess,
  type StoppedThread,
} from '../linux/index.ts';
import { KEPT_TERMINAL } from '../streams/index.ts';
import { withoutDeathSignals } from './death-signals.ts';
import { resumeHusk } from './held-husk.ts';
import { HUSK_ADDRESS, HUSK_REGION_SIZE, HUSK_SIZE, huskPages, showCommandLine, signalRecord } from './husk-body.ts';
import { plainSignal } from './records.ts';

const PR_SET_DUMPABLE = 4;
const PR_SET_SYSCALL_USER_DISPATCH = 59;
const RSEQ_FLAG_UNREGISTER = 1;
const ROBUST_LIST_SIZE = 24;
const SS_DISABLE = 2;
const SIGNALS = 64;
/** Descriptor of a husk. */
const RECORD_PIPE = 0;
const SIGKILL = 9;
const SIGSTOP = 19;
/**
 * SIGCHLD, SIGCONT, SIGURG and SIGWINCH: with their default action the kernel would throw away what waits, and what came since the process was captured is
 * still to be recorded (kernel/signal.c, do_sigaction).
 */
const IGNORED_BY_DEFAULT: ReadonlySet<number> = new Set([17, 18, 23, 28]);
/** A handler that is never called: a husk blocks all signals. */
const NEVER_CALLED = 2n;
const MASK_SIZE = 8;
const ACTION_SIZE = 32;
const HIGHEST_DESCRIPTOR = 0xffffffff;
const PROT_READ_WRITE_EXEC = 7;
const MAP_PRIVATE_FIXED_ANONYMOUS = 0x100022; // MAP_FIXED_NOREPLACE
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const MSG_DONTWAIT = 0x40;
const USER_SPACE_END = 0x7ffffffff000;
/** Region that {@link deflate} needs in the process. */
export const DEFLATE_REGION_SIZE = 16384;

export interface DeflateOptions {
  /** The process's pid in the container. */
  readonly pid: number;
  /**
   * Makes pid 1 take descriptor `socket` of the process and send over it one message with the write end of the node's record pipe and, to a session's
   * leader whose terminal goes along, both ends of that.
   */
  readonly sendRecordPipe: (pid: number, socket: number) => void;
  /** It was made to be a husk. */
  readonly standsForNobody?: true;
  /** A child, by its host pid, that this thread holds already, with its region open. */
  readonly held?: (hostPid: number) => RemoteProcess | undefined;
}

/** Makes the process a husk and lets go of it. Its region must be open, with {@link DEFLATE_REGION_SIZE} bytes for programs or more. */
export function deflate(remote: RemoteProcess, options: DeflateOptions): void {
  const commandLine = Buffer.from(readProcessFile(remote.pid, 'cmdline') ?? '', 'latin1');
  endOtherThreads(remote, options.held);
  dropState(remote);
  connectRecordPipe(remote, options);
  moveIn(remote, huskPages(options.pid, commandLine, options.standsForNobody === true), commandLine);
  hideFromOutOfMemoryKiller(remote.pid);
  if (remote.stopArrived && !continuesLater(remote.main.tracee)) recordStop(remote, options.pid);
  resumeHusk(remote);
}

/** A SIGSTOP that came while the process was held has been taken from its queue, and is for the process where it runs. */
function recordStop(remote: RemoteProcess, pid: number): void {
  const record = signalRecord(pid, plainSignal(SIGSTOP));
  const program = remote.newProgram({ records: 2, data: record.length });
  program.tryCall('write', RECORD_PIPE, program.data(record), record.length);
  remote.run(program);
}

/** Children of a thread that ends would get their parent-death signal, although the process lives. */
function endOtherThreads(remote: RemoteProcess, held: DeflateOptions['held']): void {
  const others = remote.threads.slice(1);
  if (others.length === 0) return;
  const children = others.flatMap(({ tracee }) => childrenOf(remote.pid, tracee.tid));
  withoutDeathSignals(children, held, () => {
    for (const thread of others) {
      const program = remote.newProgram({ records: 8, data: 64 });
      detachThreadFromMemory(program, thread);
      program.call('exit', 0);
      remote.runToExit(program, thread);
    }
  });
}

function childrenOf(pid: number, tid: number): number[] {
  return (readProcessFile(pid, `task/${tid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

/** Else the kernel would write into memory that is no longer there. */
function detachThreadFromMemory(program: Program, thread: StoppedThread): void {
  program.call('set_tid_address', 0);
  program.call('set_robust_list', 0, ROBUST_LIST_SIZE);
  const { pointer, length, signature } = thread.tracee.restartableSequence();
  if (pointer !== 0n) program.call('rseq', pointer, length, RSEQ_FLAG_UNREGISTER, signature);
}

function dropState(remote: RemoteProcess): void {
  const timers = posixTimersOf(remote.pid);
  const program = remote.newProgram({ records: 100 + timers.length, data: 256 });
  detachThreadFromMemory(program, remote.main);
  const disabled = new Uint8Array(24);
  new DataView(disabled.buffer).setInt32(8, SS_DISABLE, true);
  program.tryCall('sigaltstack', program.data(disabled), 0); // refused while the thread is on it; without handlers nobody uses it
  const zero = program.data(ACTION_SIZE);
  for (const timer of [0, 1, 2]) program.call('setitimer', timer, zero, 0);
  for (const timer of timers) program.call('timer_delete', timer);
  const handled = program.data(handlerBytes());
  for (let signal = 1; signal <= SIGNALS; signal++) {
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    program.call('rt_sigaction', signal, IGNORED_BY_DEFAULT.has(signal) ? handled : zero, 0, MASK_SIZE);
  }
  program.call('close_range', 0, HIGHEST_DESCRIPTOR, 0);
  program.call('chdir', program.string('/'));
  program.tryCall('munlockall');
  program.tryCall('prctl', PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
  program.call('prctl', PR_SET_DUMPABLE, 0, 0, 0, 0);
  remote.run(program);
}

function handlerBytes(): Uint8Array {
  const action = new Uint8Array(ACTION_SIZE);
  new DataView(action.buffer).setBigUint64(0, NEVER_CALLED, true);
  return action;
}

function posixTimersOf(pid: number): number[] {
  return Array.from((readProcessFile(pid, 'timers') ?? '').matchAll(/^ID: (\d+)$/gm), (match) => Number(match[1]));
}

/**
 * Descriptor 0 becomes the record pipe, and those of KEPT_TERMINAL what comes with it, over a socketpair of the process's own making: that works for
 * every user. All others are closed.
 */
function connectRecordPipe(remote: RemoteProcess, { pid, sendRecordPipe }: DeflateOptions): void {
  const inside = inProcess(remote);
  const pair = new Int32Array(2);
  converse(inside, calling(call('socketpair', AF_UNIX, SOCK_SEQPACKET, 0, new Uint8Array(pair.buffer))));
  const [near = -1, far = -1] = pair;
  sendRecordPipe(pid, far);
  const room = roomForDescriptors(3);
  converse(inside, calling(call('recvmsg', near, room.header, MSG_DONTWAIT)));
  const [pipe, master, slave] = receivedDescriptors(room);
  if (pipe === undefined) throw new KorriganError('KRG_INTERNAL', `process ${pid} did not receive the record pipe`);
  if (master === undefined || slave === undefined) {
    converse(inside, calling(call('dup3', pipe, 0, 0), call('close_range', 1, HIGHEST_DESCRIPTOR, 0)));
    return;
  }
  // They landed above the socketpair, so that none is written over before it has been copied. What the terminal still has to say here is for nobody
  // but its leader.
  const group = new Uint8Array(Int32Array.of(pid).buffer);
  converse(
    inside,
    calling(
      call('dup3', pipe, 0, 0),
      call('dup3', master, KEPT_TERMINAL.master, OPEN.closeOnExec),
      call('dup3', slave, KEPT_TERMINAL.slave, OPEN.closeOnExec),
      call('close_range', KEPT_TERMINAL.slave + 1, HIGHEST_DESCRIPTOR, 0),
      attempt('ioctl', KEPT_TERMINAL.slave, TERMINAL.setForegroundGroup, group),
    ),
  );
}

function* calling(...calls: ReturnType<typeof call>[]): Conversation<void> {
  yield calls;
}

/** The husk's pages become all the memory there is. */
function moveIn(remote: RemoteProcess, pages: Uint8Array, commandLine: Uint8Array): void {
  if (!readMaps(remote.pid).some((area) => area.start === HUSK_ADDRESS)) {
    const program = remote.newProgram({ records: 4, data: 0 });
    program.call('mmap', HUSK_ADDRESS, HUSK_SIZE, PROT_READ_WRITE_EXEC, MAP_PRIVATE_FIXED_ANONYMOUS, -1, 0);
    remote.run(program);
  }
  remote.write(HUSK_ADDRESS, pages);
  remote.useRegion(HUSK_ADDRESS, HUSK_REGION_SIZE);
  const program = remote.newProgram({ records: 8, data: 128 });
  program.call('munmap', 0, HUSK_ADDRESS);
  program.call('munmap', HUSK_ADDRESS + HUSK_SIZE, USER_SPACE_END - HUSK_ADDRESS - HUSK_SIZE);
  showCommandLine(program, commandLine);
  remote.run(program);
}

/** A husk is small, but it stands for a process: losing it would be losing that. Not every daemon may lower the value. */
function hideFromOutOfMemoryKiller(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '-1000');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}
