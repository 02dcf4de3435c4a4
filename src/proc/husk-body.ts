/**
 * The body of a husk: two pages at a fixed address, and a program for the interpreter that waits for any signal and writes each with its
 * siginfo, as one record, to the node's record pipe, which is its only descriptor (0). All signals stay blocked, so none is ever lost or acted upon:
 * what the pipe cannot take waits in the kernel's queue.
 *
 * | offset | what |
 * |---|---|
 * | 0 | the interpreter's code |
 * | 4096 | place for programs that are run in the husk |
 * | {@link LOOP_OFFSET} | the loop, its record, and the command line that /proc shows |
 */
import { INTERPRETER_CODE, INTERPRETER_ENTRY, Program, readMemory, RECORD_SIZE, SIGINFO_SIZE } from '../linux/index.ts';

/** Where every husk has its pages; preflight refuses a process that has memory there. */
export const HUSK_ADDRESS = 0x3e0000000000;
export const HUSK_SIZE = 8192;
const PAGE = 4096;
const LOOP_OFFSET = 4096 + 2560;
/** What {@link RemoteProcess.useRegion} may use: all before the loop. */
export const HUSK_REGION_SIZE = LOOP_OFFSET;
export const HUSK_LOOP = HUSK_ADDRESS + LOOP_OFFSET;
/** Where a thread starts that runs the loop, with rbx = {@link HUSK_LOOP} and r12 = 0. */
export const HUSK_ENTRY = HUSK_ADDRESS + INTERPRETER_ENTRY;

/** u32 magic, u32 pid, u64 sequence number, siginfo_t. */
export const SIGNAL_RECORD_SIZE = 16 + SIGINFO_SIZE;
const RECORD_MAGIC = 0x4b535548; // "HUSK"
const LOOP_RECORDS = 8;
const LOOP_DATA = HUSK_SIZE - LOOP_OFFSET - LOOP_RECORDS * RECORD_SIZE;
const ALL_SIGNALS = new Uint8Array(8).fill(0xff);
const BACK_OFF_NANOSECONDS = 20_000_000n;
const RECORD_ADDRESS = HUSK_LOOP + LOOP_RECORDS * RECORD_SIZE;

/** Where the command line lies, and how much of it fits. */
const COMMAND_LINE = { address: RECORD_ADDRESS + SIGNAL_RECORD_SIZE + 32, size: LOOP_DATA - SIGNAL_RECORD_SIZE - 32 } as const;

/** A word of a husk: {@link NOBODY} in one that stands for no process (the template, proxies of groups), 0 in all others. */
const STANDS_FOR_ADDRESS = RECORD_ADDRESS + SIGNAL_RECORD_SIZE + 24;
const NOBODY = 0x59444f424f4en; // "NOBODY"

/** A signal that a husk took, in the order in which it did. */
export interface SignalRecord {
  /** The husk, by its pid in the container. */
  readonly pid: number;
  /** Counts the records of this husk from 0. */
  readonly sequence: number;
  /** Raw siginfo_t. */
  readonly information: Uint8Array;
}

/** The loop of husk `pid` with its data, for {@link HUSK_LOOP}. */
function loopProgram(pid: number, commandLine: Uint8Array, standsForNobody: boolean): Program {
  const loop = new Program(HUSK_LOOP, { records: LOOP_RECORDS, data: LOOP_DATA });
  const record = loop.data(recordHead(pid));
  loop.data(SIGINFO_SIZE);
  const mask = loop.data(ALL_SIGNALS);
  const backOff = loop.data(new Uint8Array(BigInt64Array.of(0n, BACK_OFF_NANOSECONDS).buffer));
  loop.data(standsFor(standsForNobody));
  loop.data(fittingCommandLine(commandLine));
  const wait = loop.tryCall('rt_sigtimedwait', mask, record + 16, 0, 8);
  loop.operation('jumpIfLess', loop.addressOfResult(wait), 1, loop.addressOfRecord(wait));
  const write = loop.tryCall('write', 0, record, SIGNAL_RECORD_SIZE);
  const retry = loop.operation('jumpIfLess', loop.addressOfResult(write), 1, 0);
  loop.operation('add', record + 8, 1);
  loop.operation('jump', loop.addressOfRecord(wait));
  loop.patch(retry, 2, loop.addressOfRecord(loop.length));
  loop.tryCall('nanosleep', backOff, 0);
  loop.operation('jump', loop.addressOfRecord(write));
  return loop;
}

function recordHead(pid: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(RECORD_MAGIC, pid, 0, 0).buffer);
}

function standsFor(nobody: boolean): Uint8Array {
  return new Uint8Array(BigUint64Array.of(nobody ? NOBODY : 0n).buffer);
}

/** What a husk says of itself. The pid, under which it records signals, is another's in one that {@link becomeHusk} has not reached. */
export function describeHusk(hostPid: number): { pid: number; standsForNobody: boolean } {
  const view = new DataView(readMemory(hostPid, RECORD_ADDRESS, COMMAND_LINE.address - RECORD_ADDRESS).buffer);
  return { pid: view.getUint32(4, true), standsForNobody: view.getBigUint64(STANDS_FOR_ADDRESS - RECORD_ADDRESS, true) === NOBODY };
}

/** Pid in a record that no husk has written. */
export const MARK_PID = 0;

/** What a thread of the daemon writes to the record pipe to learn when all that was in it before has been read. */
export function markRecord(mark: number): Uint8Array {
  const record = new Uint8Array(SIGNAL_RECORD_SIZE);
  record.set(recordHead(MARK_PID));
  new DataView(record.buffer).setBigUint64(8, BigInt(mark), true);
  return record;
}

/** A record of a signal that a husk has not taken itself. */
export function signalRecord(pid: number, information: Uint8Array): Uint8Array {
  const record = new Uint8Array(SIGNAL_RECORD_SIZE);
  record.set(recordHead(pid));
  record.set(information, SIGNAL_RECORD_SIZE - SIGINFO_SIZE);
  return record;
}

/** What of a command line a husk can show. */
function fittingCommandLine(commandLine: Uint8Array): Uint8Array {
  return commandLine.subarray(0, COMMAND_LINE.size);
}

/** The two pages of husk `pid`. */
export function huskPages(pid: number, commandLine: Uint8Array, standsForNobody: boolean): Uint8Array {
  const pages = new Uint8Array(HUSK_SIZE);
  pages.set(INTERPRETER_CODE);
  pages.set(loopProgram(pid, commandLine, standsForNobody).image, LOOP_OFFSET);
  return pages;
}

/** Appends what makes the copy of another husk's pages those of husk `pid`. */
export function becomeHusk(program: Program, pid: number, commandLine: Uint8Array, standsForNobody: boolean): void {
  const shown = fittingCommandLine(commandLine);
  program.operation('copy', RECORD_ADDRESS, program.data(recordHead(pid)), 16);
  program.operation('copy', STANDS_FOR_ADDRESS, program.data(standsFor(standsForNobody)), 8);
  if (shown.length > 0) program.operation('copy', COMMAND_LINE.address, program.data(shown), shown.length);
  showCommandLine(program, shown);
}

const PR_SET_MM = 35;
const PR_SET_MM_MAP = 14;
const MEMORY_MAP_SIZE = 104;
const NO_FILE = -1;

/** Appends what makes /proc/PID/cmdline show the husk's command line (struct prctl_mm_map; the executable stays). */
export function showCommandLine(program: Program, commandLine: Uint8Array): void {
  const end = COMMAND_LINE.address + fittingCommandLine(commandLine).length;
  const map = new Uint8Array(MEMORY_MAP_SIZE);
  const view = new DataView(map.buffer);
  const fields = [HUSK_ADDRESS, HUSK_ADDRESS + PAGE, HUSK_ADDRESS, HUSK_ADDRESS, HUSK_ADDRESS, HUSK_ADDRESS, HUSK_ADDRESS];
  [...fields, COMMAND_LINE.address, end, end, end].forEach((field, n) => view.setBigUint64(8 * n, BigInt(field), true));
  view.setInt32(100, NO_FILE, true);
  program.call('prctl', PR_SET_MM, PR_SET_MM_MAP, program.data(map), MEMORY_MAP_SIZE, 0);
}

/** The records of a husk pipe's content, which is whole records only: each is written at once and shorter than PIPE_BUF. */
export function parseSignalRecords(content: Uint8Array): SignalRecord[] {
  if (content.length % SIGNAL_RECORD_SIZE !== 0) throw new RangeError(`${content.length} bytes are not whole signal records`);
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const records: SignalRecord[] = [];
  for (let at = 0; at < content.length; at += SIGNAL_RECORD_SIZE) {
    if (view.getUint32(at, true) !== RECORD_MAGIC) throw new RangeError('something that is not a signal record came through the husk pipe');
    records.push({
      pid: view.getUint32(at + 4, true),
      sequence: Number(view.getBigUint64(at + 8, true)),
      information: content.slice(at + 16, at + SIGNAL_RECORD_SIZE),
    });
  }
  return records;
}
