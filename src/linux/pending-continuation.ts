/** Which of SIGSTOP and SIGCONT came last to a process that is held: the kernel keeps no more than that (kernel/signal.c, prepare_signal). */
import { isErrno } from './errno.ts';
import type { Tracee } from './ptrace.ts';

const SIGCONT = 18;

/** Whether a SIGCONT waits for a held process: it came after any SIGSTOP, which would have taken it from the queue. */
export function continuesLater(tracee: Tracee): boolean {
  const waits = (queue: 'shared' | 'thread'): boolean =>
    tracee.pendingSignals(queue).some((information) => new DataView(information.buffer).getInt32(0, true) === SIGCONT);
  try {
    return waits('shared') || waits('thread');
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false; // it was killed
    throw error;
  }
}
