/** Threads: what each is asked inside the process, and how a thread is made again. */
import {
  NativeMemory,
  type Program,
  readProcessFile,
  type Registers,
  type RemoteProcess,
  type StoppedThread,
  syscall,
} from '../linux/index.ts';
import { captureThreadPolicy, MEMORY_POLICY_BYTES, restoreThreadPolicy } from '../mm/index.ts';
import type { Credentials, ThreadImage } from './image.ts';
import { captureIdentity, CREDENTIAL_RECORDS, credentialBytes, type Identity, restoreCredentials } from './credentials.ts';
import { captureScheduling } from './outside.ts';
import { pendingBytes, restorePending } from './signals.ts';
import type { ObservedThreads, Wait } from './waits.ts';

const PR_GET_PDEATHSIG = 2;
const PR_SET_PDEATHSIG = 1;
const PR_GET_TSC = 25;
const PR_SET_TSC = 26;
const PR_GET_SECUREBITS = 27;
const PR_GET_TIMERSLACK = 30;
const PR_GET_NO_NEW_PRIVS = 39;
const PR_SET_TIMERSLACK = 29;
const PR_GET_TID_ADDRESS = 40;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_MCE_KILL = 33;
const PR_MCE_KILL_GET = 34;
const PR_MCE_KILL_SET = 1;
/** PR_MCE_KILL_DEFAULT: what the machine does with all. */
const MACHINE_DEFAULT = 2;
const PR_GET_SPECULATION_CTRL = 52;
const PR_SET_SPECULATION_CTRL = 53;
/** PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH */
const SPECULATIONS = [0, 1, 2];
/** PR_SPEC_PRCTL: the thread may choose; the choice follows. PR_SPEC_ENABLE is what every thread begins with. */
const SPECULATION_CHOSEN = 1;
const SPECULATION_ENABLED = 2;
const PR_SET_IO_FLUSHER = 57;
const PR_GET_IO_FLUSHER = 58;
/** PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (include/linux/sched.h). */
const IO_FLUSHER_FLAGS = 0x180000;
const NAME_SIZE = 16;
const STACK_SIZE = 24;
const ROBUST_LIST_SIZE = 24;
const STACK_FLAGS_KEPT = 0x80000002; // SS_DISABLE | SS_AUTODISARM; SS_ONSTACK is computed by the kernel
const ERESTART_FIRST = -516;
const ERESTART_LAST = -512;
const ERESTART_RESTARTBLOCK = -516;
const SYSCALL_INSTRUCTION_SIZE = 2;

/** The questions to one thread, and bytes of the region that they take. */
export const THREAD_CAPTURE = { records: 16, data: 64 + MEMORY_POLICY_BYTES };
export const THREAD_CAPTURE_BYTES = 2048;

const scratch = NativeMemory.allocate(64);

/** What the threads of a stopped process are asked. */
export class ThreadQuestions {
  private readonly remote: RemoteProcess;
  private readonly tasks: ObservedThreads;
  /** What threads that share their credentials have in common, by the address of those. */
  private readonly identities = new Map<bigint, Identity>();

  /** @param tasks the threads as the kernel has them, where it tells */
  constructor(remote: RemoteProcess, tasks: ObservedThreads) {
    this.remote = remote;
    this.tasks = tasks;
  }

  /** Appends the questions to a thread; the rest is read from outside when the answer is. */
  ask(program: Program, thread: StoppedThread, wait: Wait | undefined): () => ThreadImage {
    const collect = askThread(program, this.remote, thread, wait);
    return () => {
      const { flusher, ...image } = collect();
      const task = this.tasks?.find(({ tid }) => tid === image.tid);
      const { tid: hostTid } = thread.tracee;
      return {
        ...image,
        // Only the privileged are told by prctl(2).
        ioFlusher: flusher >= 0 ? flusher === 1 : isFlusher(task?.flags ?? readFlags(this.remote.pid, hostTid)),
        credentials: { ...this.identityOf(hostTid, task?.credentials), ...image.credentials },
      };
    };
  }

  private identityOf(hostTid: number, address: bigint | undefined): Identity {
    const known = address === undefined ? undefined : this.identities.get(address);
    if (known !== undefined) return known;
    const identity = captureIdentity(this.remote.pid, hostTid);
    if (address !== undefined) this.identities.set(address, identity);
    return identity;
  }
}

/** An image of a thread without what its answer does not tell. */
type ThreadAnswer = Omit<ThreadImage, 'ioFlusher' | 'credentials'> & {
  readonly flusher: number;
  readonly credentials: Omit<Credentials, keyof Identity>;
};

function askThread(program: Program, remote: RemoteProcess, thread: StoppedThread, wait: Wait | undefined): () => ThreadAnswer {
  const stack = program.data(STACK_SIZE);
  const clearTid = program.data(8);
  const deathSignal = program.data(8);
  const timeStampCounter = program.data(8);
  const name = program.data(NAME_SIZE);
  const tid = program.call('gettid');
  program.call('sigaltstack', 0, stack);
  program.call('prctl', PR_GET_TID_ADDRESS, clearTid, 0, 0, 0);
  program.call('prctl', PR_GET_PDEATHSIG, deathSignal, 0, 0, 0);
  program.call('prctl', PR_GET_TSC, timeStampCounter, 0, 0, 0);
  program.call('prctl', PR_GET_NAME, name, 0, 0, 0);
  const secureBits = program.call('prctl', PR_GET_SECUREBITS, 0, 0, 0, 0);
  const noNewPrivileges = program.call('prctl', PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  const slack = program.call('prctl', PR_GET_TIMERSLACK, 0, 0, 0, 0);
  const memoryFailure = program.call('prctl', PR_MCE_KILL_GET, 0, 0, 0, 0);
  const flusher = program.tryCall('prctl', PR_GET_IO_FLUSHER, 0, 0, 0, 0);
  const speculation = SPECULATIONS.map((which) => program.tryCall('prctl', PR_GET_SPECULATION_CTRL, which, 0, 0, 0));
  const collectPolicy = captureThreadPolicy(program);
  return () => {
    const hostTid = thread.tracee.tid;
    syscall('get_robust_list', hostTid, scratch.address, scratch.address + 8);
    const robustList = scratch.view.getBigUint64(0, true);
    const view = program.viewAt(stack, STACK_SIZE);
    const restartableSequence = thread.tracee.restartableSequence();
    return {
      tid: program.result(tid),
      registers: resumableRegisters(remote, thread.registers, wait, restartableSequence.pointer).toRecord(),
      wait,
      extendedState: thread.tracee.extendedState(),
      signalMask: thread.signalMask,
      alternateStack: {
        address: view.getBigUint64(0, true),
        flags: (view.getUint32(8, true) & STACK_FLAGS_KEPT) >>> 0,
        size: view.getBigUint64(16, true),
      },
      robustList,
      clearTid: program.viewAt(clearTid, 8).getBigUint64(0, true),
      restartableSequence,
      name: Buffer.from(program.bytesAt(name, NAME_SIZE)).toString().replace(/\0.*$/s, ''),
      parentDeathSignal: program.viewAt(deathSignal, 4).getInt32(0, true),
      timerSlack: program.result(slack),
      timeStampCounter: program.viewAt(timeStampCounter, 4).getInt32(0, true),
      memoryFailure: program.result(memoryFailure),
      flusher: program.result(flusher),
      speculation: speculation.map((record) => program.result(record)),
      memoryPolicy: collectPolicy(),
      pending: thread.tracee.pendingSignals('thread'),
      credentials: { secureBits: program.result(secureBits), noNewPrivileges: program.result(noNewPrivileges) === 1 },
      scheduling: captureScheduling(hostTid),
    };
  };
}

/**
 * Registers with which the thread goes on elsewhere: an interrupted system call is made to start again (the kernel would have done
 * it on the way back to user mode), and an open restartable sequence continues at its abort handler, as after any preemption.
 */
function resumableRegisters(remote: RemoteProcess, stopped: Registers, wait: Wait | undefined, rseqPointer: bigint): Registers {
  const registers = stopped.copy();
  const result = registers.getNumber('rax');
  const number = registers.getNumber('originalRax');
  if (number >= 0 && result >= ERESTART_FIRST && result <= ERESTART_LAST) {
    if (wait !== undefined && result === ERESTART_RESTARTBLOCK) return registers;
    registers.set('rax', number).set('rip', registers.get('rip') - BigInt(SYSCALL_INSTRUCTION_SIZE));
  } else if (rseqPointer !== 0n) {
    abortRestartableSequence(remote, registers, Number(rseqPointer));
  }
  return registers.set('originalRax', -1);
}

function isFlusher(flags: number): boolean {
  return (flags & IO_FLUSHER_FLAGS) === IO_FLUSHER_FLAGS;
}

function readFlags(pid: number, tid: number): number {
  return Number((readProcessFile(pid, `task/${tid}/stat`) ?? '').replace(/^.*\) /s, '').split(' ')[6] ?? 0);
}

/** struct rseq: u64 rseq_cs at 8; struct rseq_cs: u32 version, u32 flags, u64 start_ip, u64 post_commit_offset, u64 abort_ip. */
function abortRestartableSequence(remote: RemoteProcess, registers: Registers, pointer: number): void {
  const descriptor = Number(new DataView(remote.read(pointer + 8, 8).buffer).getBigUint64(0, true));
  if (descriptor === 0) return;
  const view = new DataView(remote.read(descriptor, 32).buffer);
  const start = view.getBigUint64(8, true);
  const position = registers.get('rip') - start;
  if (position >= 0n && position < view.getBigUint64(16, true)) registers.set('rip', view.getBigUint64(24, true));
}

/** Records and data that restoring one thread takes at most. */
export function threadCapacity(thread: ThreadImage, leaderPending: readonly Uint8Array[] = []): { records: number; data: number } {
  const pending = [...thread.pending, ...leaderPending];
  return {
    records: CREDENTIAL_RECORDS + pending.length + 32,
    data: credentialBytes(thread.credentials) + pendingBytes(pending) + 256 + MEMORY_POLICY_BYTES,
  };
}

/**
 * Appends what a thread does for itself when its memory is in place: everything that belongs to the thread, credentials last.
 * @param present its credentials until then, where they may be those of an ordinary user
 */
export function restoreThread(program: Program, pid: number, thread: ThreadImage, present?: Credentials): void {
  const stack = new Uint8Array(STACK_SIZE);
  const view = new DataView(stack.buffer);
  view.setBigUint64(0, thread.alternateStack.address, true);
  view.setUint32(8, thread.alternateStack.flags, true);
  view.setBigUint64(16, thread.alternateStack.size, true);
  program.call('set_tid_address', thread.clearTid);
  program.call('sigaltstack', program.data(stack), 0);
  if (thread.robustList !== 0n) program.call('set_robust_list', thread.robustList, ROBUST_LIST_SIZE);
  const { pointer, length, signature, flags } = thread.restartableSequence;
  if (pointer !== 0n) program.call('rseq', pointer, length, flags, signature);
  program.call('prctl', PR_SET_NAME, program.string(thread.name), 0, 0, 0);
  program.call('prctl', PR_SET_TIMERSLACK, thread.timerSlack, 0, 0, 0);
  program.call('prctl', PR_SET_TSC, thread.timeStampCounter, 0, 0, 0);
  if (thread.memoryFailure !== MACHINE_DEFAULT) program.call('prctl', PR_MCE_KILL, PR_MCE_KILL_SET, thread.memoryFailure, 0, 0);
  if (thread.ioFlusher) program.call('prctl', PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  thread.speculation.forEach((state, n) => {
    if (state < 0 || (state & SPECULATION_CHOSEN) === 0 || (state & SPECULATION_ENABLED) !== 0) return;
    program.call('prctl', PR_SET_SPECULATION_CTRL, SPECULATIONS[n] ?? 0, state & ~SPECULATION_CHOSEN, 0, 0);
  });
  restoreThreadPolicy(program, thread.memoryPolicy);
  restorePending(program, pid, thread.tid, thread.pending);
  restoreCredentials(program, thread.credentials, present);
  // A change of credentials clears the parent-death signal.
  program.call('prctl', PR_SET_PDEATHSIG, thread.parentDeathSignal, 0, 0, 0);
}
