/** The stream of signal records from the husks of a node, and which of them go on to the processes they are meant for. */
import { parseSignalRecords, SIGNAL_RECORD_SIZE, type SignalRecord } from './husk-body.ts';

const SIGCHLD = 17;
const CLD_CONTINUED = 6;
/** SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGIO and SIGSYS have positive codes of their own. */
const FAULT_SIGNALS = new Set([4, 5, 7, 8, 11, 29, 31]);
const SI_USER = 0;
const SI_TIMER = -2;
const SI_KERNEL = 128;
/** SIGALRM, SIGVTALRM and SIGPROF, as setitimer(2) sends them. */
const TIMER_SIGNALS = new Set([14, 26, 27]);

/** Whole records out of what was read of the pipe: a read may end within one. */
export class RecordReader {
  private rest: Uint8Array = new Uint8Array();

  /** @throws RangeError when the stream is not one of records */
  push(chunk: Uint8Array): SignalRecord[] {
    const bytes = Buffer.concat([this.rest, chunk]);
    const whole = bytes.length - (bytes.length % SIGNAL_RECORD_SIZE);
    this.rest = new Uint8Array(bytes.subarray(whole));
    return parseSignalRecords(new Uint8Array(bytes.subarray(0, whole)));
  }
}

/** The signal number of a siginfo_t. */
export function signalNumber(information: Uint8Array): number {
  return new DataView(information.buffer, information.byteOffset).getInt32(0, true);
}

/** In the value of what a node sends to its own husks (siginfo_t at 24): "HUSKMIRR". */
const MIRRORED = 0x5252494d4b535548n;
/** Value of si_code for sigqueue(3). */
export const SI_QUEUE = -1;
const SIGINFO_SIZE = 128;

/** The siginfo_t of a signal of which nothing else is known. */
export function plainSignal(signal: number): Uint8Array {
  const information = new Uint8Array(SIGINFO_SIZE);
  new DataView(information.buffer).setInt32(0, signal, true);
  return information;
}

/** Fills in who has sent a signal (siginfo_t: si_code at 8, si_pid at 16, si_uid at 20). */
export function sentBy(information: Uint8Array, code: number, pid: number, uid: number): Uint8Array {
  const view = new DataView(information.buffer, information.byteOffset);
  view.setInt32(8, code, true);
  view.setInt32(16, pid, true);
  view.setUint32(20, uid, true);
  return information;
}

/** The siginfo_t of a signal by which a husk follows its process; its record goes nowhere. */
export function mirroredSignal(signal: number): Uint8Array {
  const information = plainSignal(signal);
  const view = new DataView(information.buffer);
  view.setInt32(8, SI_QUEUE, true);
  view.setBigUint64(24, MIRRORED, true);
  return information;
}

/** The si_code of a siginfo_t. */
export function signalCode(information: Uint8Array): number {
  return new DataView(information.buffer, information.byteOffset).getInt32(8, true);
}

/** Who sent a signal with kill(2), as the container knows it; undefined for other signals. */
export function senderOf(information: Uint8Array): number | undefined {
  const view = new DataView(information.buffer, information.byteOffset);
  return view.getInt32(8, true) === SI_USER && view.getInt32(16, true) > 0 ? view.getInt32(16, true) : undefined;
}

/** Does a record tell of a child of the husk? Of several that change at once the kernel tells of one. */
export function isChildChange({ information }: SignalRecord): boolean {
  return signalNumber(information) === SIGCHLD && new DataView(information.buffer, information.byteOffset).getInt32(8, true) > 0;
}

/**
 * Does a record go on to the process? What the kernel makes on both nodes as the consequence of one event is not sent twice: the
 * real process has got its own. That holds for the end of children, for the process's own timers, which moved with it, and for what terminals
 * and orphaned groups send: only the home has the terminal itself, other nodes at most a relayed one.
 * @param isHome whether it was recorded at the home of the process
 */
export function isForwarded(information: Uint8Array, isHome: boolean): boolean {
  const view = new DataView(information.buffer, information.byteOffset);
  const code = view.getInt32(8, true);
  const signal = signalNumber(information);
  if (code === SI_QUEUE && view.getBigUint64(24, true) === MIRRORED) return false;
  if (signal === SIGCHLD) return code <= 0;
  // A child that was made with another exit signal.
  if (code > 0 && code <= CLD_CONTINUED && !FAULT_SIGNALS.has(signal)) return false;
  return code !== SI_TIMER && !(code === SI_KERNEL && (!isHome || TIMER_SIGNALS.has(signal)));
}
