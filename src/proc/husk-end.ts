/** What is done to single processes on behalf of another node: a husk's end, and a signal's delivery with the siginfo that was sent. */
import { NativeMemory, type RemoteProcess, RemoteProcess as Process, syscall } from '../linux/index.ts';
import { holdHusk } from './held-husk.ts';

const RLIMIT_CORE = 4;
const ALL_SIGNALS = 0xffffffffffffffffn;
const DELIVERY_REGION = 8192;
const SIGINFO_SIZE = 128;
const BATCH = 16;

const noCore = NativeMemory.allocate(16);

/**
 * Ends a husk with the status that its process ended with: its parent sees exactly that.
 * @param status word of wait4(2); a core dump is not repeated, so its bit is not shown
 */
export function endHusk(hostPid: number, status: number): void {
  const husk = holdHusk(hostPid);
  const signal = status & 0x7f;
  if (signal === 0) {
    const program = husk.newProgram({ records: 2, data: 0 });
    program.call('exit_group', (status >> 8) & 0xff);
    husk.runToExit(program, husk.main);
    return;
  }
  syscall('prlimit64', hostPid, RLIMIT_CORE, noCore.address, 0);
  syscall('kill', hostPid, signal);
  // Only this signal may reach it now; whatever else is queued ends with it.
  husk.main.tracee.setSignalMask(ALL_SIGNALS & ~(1n << BigInt(signal - 1)));
  husk.main.tracee.detach();
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
