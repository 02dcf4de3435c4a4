/**
 * Parent-death signals (PR_SET_PDEATHSIG, prctl(2)) of children while a thread of their parent is made to end. The kernel counts the
 * death of the thread that forked a child as its parent's.
 */
import { isKorriganError, type RemoteProcess } from '../linux/index.ts';
import { holdHusk, holdProcess, isHusk, resumeHusk } from './held-husk.ts';

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const REGION_SIZE = 4096;
/** How long one that just becomes a husk, or a process, may take. */
const CHANGE_MILLISECONDS = 1000;

/**
 * Does `action` while none of the processes has a parent-death signal, and gives them theirs back.
 * @param children host pids; those that end meanwhile or are zombies are skipped
 * @param held gives the process when this thread holds it already, with its region open
 */
export function withoutDeathSignals(
  children: readonly number[],
  held: ((hostPid: number) => RemoteProcess | undefined) | undefined,
  action: () => void,
): void {
  const taken: { remote: RemoteProcess; signals: number[]; letGo: () => void }[] = [];
  try {
    for (const pid of children) {
      const child = hold(pid, held?.(pid));
      if (child === undefined) continue;
      const signals = exchangeDeathSignals(child.remote, []);
      if (signals.some((signal) => signal !== 0)) taken.push({ ...child, signals });
      else child.letGo();
    }
    action();
  } finally {
    for (const { remote, signals, letGo } of taken) {
      exchangeDeathSignals(remote, signals);
      letGo();
    }
  }
}

function hold(pid: number, held: RemoteProcess | undefined): { remote: RemoteProcess; letGo: () => void } | undefined {
  if (held !== undefined) return { remote: held, letGo: () => undefined };
  for (const until = performance.now() + CHANGE_MILLISECONDS; ; ) {
    try {
      if (isHusk(pid)) {
        const husk = holdHusk(pid);
        return { remote: husk, letGo: () => resumeHusk(husk) };
      }
      const remote = holdProcess(pid);
      remote.openRegion(REGION_SIZE);
      return { remote, letGo: () => remote.release() };
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return undefined;
      if (!isKorriganError(error, 'KRG_PROCESS_BUSY') || performance.now() > until) throw error;
    }
  }
}

/** @returns the signals of the threads before */
function exchangeDeathSignals(remote: RemoteProcess, signals: readonly number[]): number[] {
  return remote.threads.map((thread, n) => {
    const program = remote.newProgram({ records: 4, data: 8 });
    const before = program.data(8);
    program.call('prctl', PR_GET_PDEATHSIG, before, 0, 0, 0);
    program.call('prctl', PR_SET_PDEATHSIG, signals[n] ?? 0, 0, 0, 0);
    remote.run(program, thread);
    return program.viewAt(before, 4).getInt32(0, true);
  });
}
