/** What husks write to their node's pipe: one record a signal. u32 magic, u32 pid, u64 sequence number, siginfo_t of 128 bytes. */
export const RECORD_MAGIC = 0x6b73_7568; // "husk"
export const RECORD_HEADER_SIZE = 16;
export const SIGNAL_RECORD_SIZE = 144;

/** A signal that reached a husk. */
export interface SignalRecord {
  /** Cluster-wide pid of the husk. */
  pid: number;
  sequence: bigint;
  signal: number;
  /** Who or what sent it: SI_USER 0, SI_KERNEL 128, SI_QUEUE -1, CLD_* … (man 2 sigaction). */
  code: number;
  /** Sender, where the code says that there is one. */
  sender: number;
  /** siginfo_t as the kernel made it. */
  information: Uint8Array;
}

const SIGCHLD = 17;

/** Records from what was read of the pipe; writes of this size are never torn (PIPE_BUF), but a read may end within one. */
export class RecordReader {
  private rest: Uint8Array = new Uint8Array();

  /** @returns the complete records. @throws Error when the stream is not one of records */
  push(chunk: Uint8Array): SignalRecord[] {
    const bytes = new Uint8Array(this.rest.length + chunk.length);
    bytes.set(this.rest);
    bytes.set(chunk, this.rest.length);
    const records: SignalRecord[] = [];
    let at = 0;
    for (; at + SIGNAL_RECORD_SIZE <= bytes.length; at += SIGNAL_RECORD_SIZE) records.push(parseRecord(bytes.slice(at, at + SIGNAL_RECORD_SIZE)));
    this.rest = bytes.slice(at);
    return records;
  }
}

function parseRecord(bytes: Uint8Array): SignalRecord {
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== RECORD_MAGIC) throw new Error('the pipe of the husks holds something else than records');
  const information = bytes.slice(RECORD_HEADER_SIZE);
  const signal = new DataView(information.buffer);
  return {
    pid: view.getUint32(4, true),
    sequence: view.getBigUint64(8, true),
    signal: signal.getInt32(0, true),
    code: signal.getInt32(8, true),
    sender: signal.getInt32(16, true),
    information,
  };
}

/**
 * Does a record go on to the process? What the kernel makes on both nodes as the consequence of one event is not sent twice: the
 * real process has got its own.
 */
export function isForwarded(record: SignalRecord): boolean {
  return record.signal !== SIGCHLD || record.code <= 0;
}
