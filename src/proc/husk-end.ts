/** What is done to single processes on behalf of another node: a husk's end, and a signal's delivery with the siginfo that was sent. */
import { KorriganError, RemoteProcess, syscall } from '../linux/index.ts';
import { allowCore, hasDumpedCore } from './husk-core.ts';
import { signalNumber } from './records.ts';

const SIGKILL = 9;
const SIGCONT = 18;
const ALL_SIGNALS = 0xffffffffffffffffn;
const DELIVERY_REGION = 8192;
const SIGINFO_SIZE = 128;
const BATCH = 16;

/**
 * Ends a held husk with the status that its process ended with: its parent sees exactly that. It is a zombie, or collected by init, when this
 * returns.
 * @param status word of wait4(2)
 */
export function endHeldHusk(husk: RemoteProcess, status: number): void {
  const signal = status & 0x7f;
  if (signal === 0) {
    const program = husk.newProgram({ records: 2, data: 0 });
    program.call('exit_group', (status >> 8) & 0xff);
    husk.runToExit(program, husk.main);
    return;
  }
  using core = hasDumpedCore(status) ? allowCore(husk) : undefined;
  void core;
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
 * Stops a held husk by job control as its process was stopped: its parent sees exactly that, once.
 * @returns the husk, to be resumed: it is stopped then
 */
export function stopHeldHusk(husk: RemoteProcess, signal: number): RemoteProcess {
  const { main } = husk;
  // A SIGCONT that is still to be recorded came after the stop: a stopping signal would take it from the queue.
  const goesOn = main.tracee.pendingSignals('shared').some((information) => signalNumber(information) === SIGCONT);
  if (main.groupStop !== 0 || goesOn) return husk;
  main.tracee.setSignalMask(ALL_SIGNALS & ~(1n << BigInt(signal - 1)));
  syscall('kill', husk.pid, signal);
  main.tracee.resume();
  let groupStop = 0;
  for (let stop = main.tracee.wait(); ; stop = main.tracee.wait()) {
    if (stop.kind === 'exited' || stop.kind === 'killed') throw new KorriganError('KRG_NO_SUCH_PROCESS', `husk ${husk.pid} has ended`);
    if (stop.kind === 'interrupted') {
      groupStop = stop.groupStop;
      break;
    }
    const isIt = stop.kind === 'signal' && stop.signal === signal;
    main.tracee.resume(isIt ? signal : 0);
    // The kernel refuses terminal stops of orphaned groups: then there is no stop to wait for but this.
    if (isIt) main.tracee.interrupt();
  }
  const stopped = RemoteProcess.holding(husk.pid, [{ ...main, groupStop }]);
  stopped.useRegion(husk.regionAddress, husk.regionSize);
  return stopped;
}

/**
 * Queues signals to a running process as they were sent elsewhere. Only a task itself may use any si_code, so the process does it, stopped.
 * @param pid cluster-wide pid of the process
 * @param signals siginfo_t of each, in their order
 * @param thread the thread that they are for; the process as a whole when there is none
 */
export function deliverSignals(hostPid: number, pid: number, signals: readonly Uint8Array[], thread?: number): void {
  const remote = RemoteProcess.stop(hostPid, { colleagueMs: 0 });
  try {
    remote.openRegion(DELIVERY_REGION);
    for (let from = 0; from < signals.length; from += BATCH) {
      const batch = signals.slice(from, from + BATCH);
      const program = remote.newProgram({ records: batch.length + 1, data: batch.length * SIGINFO_SIZE });
      for (const information of batch) {
        const [signal, place] = [signalNumber(information), program.data(information)];
        if (thread === undefined) program.call('rt_sigqueueinfo', pid, signal, place);
        else program.call('rt_tgsigqueueinfo', pid, thread, signal, place);
      }
      remote.run(program);
    }
  } finally {
    remote.release();
  }
}
