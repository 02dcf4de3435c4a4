/** What is done to single processes on behalf of another node: a husk's end, and a signal's delivery with the siginfo that was sent. */
import { type RemoteProcess, RemoteProcess as Process, syscall } from '../linux/index.ts';
import { holdHusk } from './held-husk.ts';

const SIGKILL = 9;
const ALL_SIGNALS = 0xffffffffffffffffn;
const DELIVERY_REGION = 8192;
const SIGINFO_SIZE = 128;
const BATCH = 16;

/**
 * Ends a husk with the status that its process ended with: its parent sees exactly that.
 * @param status word of wait4(2); husks dump no core (PR_SET_DUMPABLE 0), so its bit is not shown
 */
export function endHusk(hostPid: number, status: number): void {
  endHeldHusk(holdHusk(hostPid), status);
}

/** As {@link endHusk}, of a husk that this thread holds. It is a zombie, or collected by init, when this returns. */
export function endHeldHusk(husk: RemoteProcess, status: number): void {
  const signal = status & 0x7f;
  if (signal === 0) {
    const program = husk.newProgram({ records: 2, data: 0 });
    program.call('exit_group', (status >> 8) & 0xff);
    husk.runToExit(program, husk.main);
    return;
  }
  const { tracee } = husk.main;
  // Only this signal may reach it now; whatever else is queued ends with it.
  tracee.setSignalMask(ALL_SIGNALS & ~(1n << BigInt(signal - 1)));
  syscall('kill', husk.pid, signal);
  if (signal !== SIGKILL) tracee.resume();
  for (let stop = tracee.wait(); stop.kind !== 'killed' && stop.kind !== 'exited'; stop = tracee.wait()) {
    tracee.resume(stop.kind === 'signal' && stop.signal === signal ? signal : 0);
  }
}

/**
 * Queues signals to a running process as they were sent elsewhere. Only a task itself may use any si_code, so the process does it, stopped.
 * @param pid cluster-wide pid of the process
 * @param signals siginfo_t of each, in their order
 */
export function deliverSignals(hostPid: number, pid: number, signals: readonly Uint8Array[]): void {
  const remote: RemoteProcess = Process.stop(hostPid);
  try {
    remote.openRegion(DELIVERY_REGION);
    for (let from = 0; from < signals.length; from += BATCH) {
      const batch = signals.slice(from, from + BATCH);
      const program = remote.newProgram({ records: batch.length + 1, data: batch.length * SIGINFO_SIZE });
      for (const information of batch) {
        const signal = new DataView(information.buffer, information.byteOffset).getInt32(0, true);
        program.call('rt_sigqueueinfo', pid, signal, program.data(information));
      }
      remote.run(program);
    }
  } finally {
    remote.release();
  }
}
