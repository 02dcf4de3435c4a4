/** How the threads of a process come to be again, under their ids. Until they run programs of ours they wait in the region. */
import { readdirSync } from 'node:fs';
import {
  KorriganError,
  PidNamespace,
  type Program,
  Registers,
  type RemoteProcess,
  type StoppedThread,
  syscall,
  Tracee,
} from '../linux/index.ts';
import type { ThreadImage } from './image.ts';

/** sizeof(struct clone_args) */
export const CLONE_ARGS_SIZE = 88;
/** VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, CHILD_CLEARTID (include/uapi/linux/sched.h). */
const THREAD_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000;
/** How often a thread id may go to somebody else. */
const ATTEMPTS = 100;
const BIRTH = { records: 8, data: CLONE_ARGS_SIZE + 32 };
/** Where, among the programs, the one stands that dismisses a thread of the wrong id. */
const DISMISSAL_OFFSET = 4096;

/** @param chosen whether the kernel is told the thread's id */
function spawn(program: Program, thread: ThreadImage, chosen: boolean): number {
  const args = new Uint8Array(CLONE_ARGS_SIZE);
  const view = new DataView(args.buffer);
  view.setBigUint64(0, BigInt(THREAD_FLAGS), true);
  view.setBigUint64(16, thread.clearTid, true); // child_tid
  if (chosen) {
    view.setBigUint64(64, BigInt(program.data(new Uint8Array(Int32Array.of(thread.tid).buffer))), true);
    view.setBigUint64(72, 1n, true);
  }
  return program.operation('spawn', program.data(args), CLONE_ARGS_SIZE, 0);
}

/**
 * Appends the births of threads and what each does for itself: it does its part, counts itself, and waits to be held.
 * @param restore appends a thread's part
 */
export function spawnThreads(program: Program, threads: readonly ThreadImage[], restore: (thread: ThreadImage) => void): void {
  if (threads.length === 0) return;
  const ready = program.data(8);
  const forever = program.data(8);
  const spawns = threads.map((thread) => spawn(program, thread, true));
  const jump = program.operation('jump', 0);
  threads.forEach((thread, n) => {
    program.patch(spawns[n] ?? 0, 2, program.addressOfRecord(program.length));
    restore(thread);
    program.operation('incrementAndWake', ready);
    program.operation('waitWhileEqual', forever, 0);
  });
  program.patch(jump, 0, program.addressOfRecord(program.length));
  const wait = program.call('sched_yield');
  program.operation('jumpIfLess', ready, threads.length, program.addressOfRecord(wait));
}

/**
 * The births of threads of a process whose credentials are an ordinary user's, which may not choose their ids: each is born when its id is
 * the next one. What each does for itself is still to be run.
 * @param chooseNextPid makes the next process or thread get this id, unless another is born first
 * @throws KorriganError KRG_PROCESS_BUSY when an id is not to be had
 */
export function adoptThreads(
  remote: RemoteProcess,
  threads: readonly ThreadImage[],
  chooseNextPid: (pid: number) => void,
): StoppedThread[] {
  const held: StoppedThread[] = [];
  for (const thread of threads) {
    for (let attempt = 1; !adopt(remote, thread, chooseNextPid); attempt++) {
      if (attempt === ATTEMPTS)
        throw new KorriganError('KRG_PROCESS_BUSY', `thread id ${thread.tid} is taken on the target node again and again; try later`);
    }
    held.push(...holdThreads(remote.pid, [thread]));
  }
  return held;
}

/** @returns false when the thread got another id; it is gone then */
function adopt(remote: RemoteProcess, thread: ThreadImage, chooseNextPid: (pid: number) => void): boolean {
  const program = remote.newProgram(BIRTH);
  const unwanted = program.data(8);
  const born = spawn(program, thread, false);
  const jump = program.operation('jump', 0);
  program.patch(born, 2, program.addressOfRecord(program.length));
  program.operation('waitWhileEqual', unwanted, 0);
  program.call('exit', 0);
  program.patch(jump, 0, program.addressOfRecord(program.length));
  const before = readdirSync(`/proc/${remote.pid}/task`).length;
  chooseNextPid(thread.tid);
  remote.run(program);
  if (program.result(born) === thread.tid) return true;
  const dismissal = remote.newProgram(BIRTH, DISMISSAL_OFFSET);
  dismissal.operation('wake', unwanted, 1);
  remote.run(dismissal);
  while (readdirSync(`/proc/${remote.pid}/task`).length > before) syscall('sched_yield');
  return false;
}

/** Stops threads that wait in the region, in the order of their images. @param pid in the caller's pid namespace */
export function holdThreads(pid: number, threads: readonly ThreadImage[]): StoppedThread[] {
  if (threads.length === 0) return [];
  using namespace = new PidNamespace(pid);
  // All are told to stop before any is waited for: they stop side by side.
  const tracees = threads.map((thread) => {
    const tid = namespace.toHere(thread.tid);
    if (tid === undefined) throw new Error(`thread ${thread.tid} ended while it was being restored`);
    const tracee = Tracee.seize(tid);
    tracee.interrupt();
    return { tracee, thread };
  });
  return tracees.map(({ tracee, thread }) => {
    tracee.wait();
    return { tracee, registers: Registers.fromRecord(thread.registers), signalMask: thread.signalMask, groupStop: 0 };
  });
}
