/**
 * Turning a stopped process into a husk, in place: the task, its pid, parent, group, session, start time and accounting stay; its threads but
 * one, memory, descriptors and signal handling go.
 */
import { readFileSync } from 'node:fs';
import {
  attempt,
  call,
  type Conversation,
  converse,
  inProcess,
  messageWithDescriptors,
  type ProgramRunner,
  readMaps,
  type RemoteProcess,
  type RestartableSequence,
  receivedDescriptors,
  roomForDescriptors,
  type StoppedThread,
} from '../linux/index.ts';
import { COMMAND_LINE_ADDRESS, COMMAND_LINE_LIMIT, HUSK_ADDRESS, HUSK_COMMAND_REGION, HUSK_SIZE, layOutHusk, releaseIntoLoop } from './husk.ts';

const RSEQ_FLAG_UNREGISTER = 1;
const ROBUST_LIST_SIZE = 24;
const SIGNALS = 64;
const SIGKILL = 9;
const SIGSTOP = 19;
const SS_DISABLE = 2;
const PROT_READ_WRITE_EXEC = 7;
const MAP_PRIVATE_FIXED_ANONYMOUS = 0x100032;
const ALL_DESCRIPTORS = 0xffffffff;
const PR_SET_MM = 35;
const PR_SET_MM_MAP = 14;
const PR_SET_DUMPABLE = 4;
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const MEMORY_MAP_SIZE = 104;
const NO_FILE = -1;
const USER_SPACE_END = 0x7ffffffff000;

export interface DeflateOptions {
  /** Cluster-wide pid. */
  readonly pid: number;
  /** Runs programs in pid 1. */
  readonly lane: ProgramRunner;
  /** Descriptor, in pid 1, of the write end of the node's record pipe. */
  readonly recordPipe: number;
  /** Ids of POSIX timers to delete. */
  readonly timers: readonly number[];
}

/** Deflates a process that is held and whose region is open, and lets go of it. */
export function deflate(remote: RemoteProcess, options: DeflateOptions): void {
  const commandLine = readFileSync(`/proc/${remote.pid}/cmdline`).subarray(0, COMMAND_LINE_LIMIT);
  for (const thread of remote.threads.slice(1)) endThread(remote, thread);
  empty(remote, options);
  layOutHusk(remote, options.pid, commandLine);
  moveIntoHuskPages(remote, commandLine.length);
  connectRecordPipe(remote, options);
  releaseIntoLoop(remote);
}

function* forgetThread({ pointer, length, signature }: RestartableSequence): Conversation<void> {
  // What is left registered here would be written to by the kernel after the memory has gone.
  yield [
    call('set_tid_address', 0),
    call('set_robust_list', 0, ROBUST_LIST_SIZE),
    attempt('sigaltstack', stackDisabled(), 0),
    ...(pointer === 0n ? [] : [call('rseq', pointer, length, RSEQ_FLAG_UNREGISTER, signature)]),
  ];
}

function stackDisabled(): Uint8Array {
  const stack = new Uint8Array(24);
  new DataView(stack.buffer).setInt32(8, SS_DISABLE, true);
  return stack;
}

function endThread(remote: RemoteProcess, thread: StoppedThread): void {
  converse(inProcess(remote, thread), forgetThread(thread.tracee.restartableSequence()));
  const program = remote.newProgram({ records: 2, data: 0 });
  program.call('exit', 0);
  remote.runToExit(program, thread);
}

/** Handlers, timers, descriptors and all memory but the region go; the husk's pages come. */
function empty(remote: RemoteProcess, { timers }: DeflateOptions): void {
  const runner = inProcess(remote);
  const [regionStart, regionEnd] = [remote.regionAddress, remote.regionAddress + remote.regionSize];
  function* everything(): Conversation<void> {
    const noTimer = new Uint8Array(32);
    const defaultAction = new Uint8Array(32);
    yield [0, 1, 2].map((which) => call('setitimer', which, noTimer, 0));
    yield timers.map((id) => attempt('timer_delete', id));
    yield Array.from({ length: SIGNALS }, (_, n) => n + 1)
      .filter((signal) => signal !== SIGKILL && signal !== SIGSTOP)
      .map((signal) => call('rt_sigaction', signal, defaultAction, 0, 8));
    yield [call('close_range', 0, ALL_DESCRIPTORS, 0), call('chdir', '/')];
    yield readMaps(remote.pid)
      .filter(({ start, name }) => name !== '[vsyscall]' && !(start >= regionStart && start < regionEnd) && start < USER_SPACE_END)
      .map(({ start, end }) => call('munmap', start, end - start));
    yield [call('mmap', HUSK_ADDRESS, HUSK_SIZE, PROT_READ_WRITE_EXEC, MAP_PRIVATE_FIXED_ANONYMOUS, -1, 0)];
  }
  converse(runner, forgetThread(remote.main.tracee.restartableSequence()));
  converse(runner, everything());
}

/** From here on programs run in the husk's own page; the region of the migration goes. */
function moveIntoHuskPages(remote: RemoteProcess, commandLineLength: number): void {
  const old = { start: remote.regionAddress, size: remote.regionSize };
  remote.useRegion(HUSK_ADDRESS, HUSK_COMMAND_REGION);
  const map = new Uint8Array(MEMORY_MAP_SIZE);
  const view = new DataView(map.buffer);
  // start/end of code, data, break (inverted order is refused), stack, arguments, environment: all inside the two pages
  const fields = [0, 1, 0, 1, 0, 0, 0].map((offset) => HUSK_ADDRESS + offset);
  const arguments_ = [COMMAND_LINE_ADDRESS, COMMAND_LINE_ADDRESS + commandLineLength];
  const environment = [COMMAND_LINE_ADDRESS, COMMAND_LINE_ADDRESS];
  [...fields, ...arguments_, ...environment].forEach((value, n) => view.setBigUint64(8 * n, BigInt(value), true));
  view.setInt32(100, NO_FILE, true);
  function* settle(): Conversation<void> {
    yield [call('munmap', old.start, old.size), call('prctl', PR_SET_MM, PR_SET_MM_MAP, map, map.length, 0), call('prctl', PR_SET_DUMPABLE, 0, 0, 0, 0)];
  }
  converse(inProcess(remote), settle());
}

/** Descriptor 0 becomes the record pipe. It comes from pid 1 over a socketpair of the husk's own making: that works for every user. */
function connectRecordPipe(remote: RemoteProcess, { pid, lane, recordPipe }: DeflateOptions): void {
  const runner = inProcess(remote);
  function* makeChannel(): Conversation<void> {
    yield [call('socketpair', AF_UNIX, SOCK_SEQPACKET, 0, new Uint8Array(8))]; // an empty table: these are 0 and 1
  }
  function* send(): Conversation<void> {
    const [pidfd = -1] = yield [call('pidfd_open', pid, 0)];
    const [socket = -1] = yield [call('pidfd_getfd', pidfd, 1, 0), attempt('close', pidfd)];
    yield [call('sendmsg', socket, messageWithDescriptors([recordPipe]).header, 0), attempt('close', socket)];
  }
  function* receive(): Conversation<void> {
    const message = roomForDescriptors(1);
    yield [call('recvmsg', 0, message.header, 0)];
    const [pipe = -1] = receivedDescriptors(message);
    yield [call('dup2', pipe, 0), call('close_range', 1, ALL_DESCRIPTORS, 0)];
  }
  converse(runner, makeChannel());
  converse(lane, send());
  converse(runner, receive());
}
