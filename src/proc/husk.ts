/**
 * The body of a husk: two pages at a fixed address. The first is the interpreter, the second holds commands for it and, at its end, the
 * loop that waits for signals and writes a record of each to descriptor 0.
 */
import { INTERPRETER_CODE, INTERPRETER_ENTRY, Program, RemoteProcess } from '../linux/index.ts';
import { RECORD_HEADER_SIZE, RECORD_MAGIC, SIGNAL_RECORD_SIZE } from './records.ts';

const PAGE = 4096;
/** No program may have memory here; preflight refuses it. */
export const HUSK_ADDRESS = 0x3e0000000000;
export const HUSK_SIZE = 2 * PAGE;
/** Bytes of the second page that commands may use. */
const COMMAND_SIZE = 2560;
/** What {@link RemoteProcess.useRegion} may use of a husk: its loop stays untouched. */
export const HUSK_COMMAND_REGION = PAGE + COMMAND_SIZE;
const LOOP_ADDRESS = HUSK_ADDRESS + PAGE + COMMAND_SIZE;
const LOOP_RECORDS = 8;
const LOOP_DATA = 256;
/** Copy of the command line, for /proc/PID/cmdline. */
const COMMAND_LINE_OFFSET = COMMAND_SIZE + LOOP_RECORDS * 64 + LOOP_DATA;
export const COMMAND_LINE_LIMIT = PAGE - COMMAND_LINE_OFFSET;
export const COMMAND_LINE_ADDRESS = HUSK_ADDRESS + PAGE + COMMAND_LINE_OFFSET;
const ALL_SIGNALS = 0xffffffffffffffffn;

/** The memory of a husk's range, for those who lay out or clear address spaces. */
export const HUSK_RANGE = { start: HUSK_ADDRESS, end: HUSK_ADDRESS + HUSK_SIZE } as const;

function huskLoop(pid: number): Program {
  const program = new Program(LOOP_ADDRESS, { records: LOOP_RECORDS, data: LOOP_DATA });
  const mask = program.data(new Uint8Array(8).fill(0xff));
  const record = program.data(SIGNAL_RECORD_SIZE);
  const header = program.viewAt(record, RECORD_HEADER_SIZE);
  header.setUint32(0, RECORD_MAGIC, true);
  header.setUint32(4, pid, true);
  const wait = program.tryCall('rt_sigtimedwait', mask, record + RECORD_HEADER_SIZE, 0, 8);
  program.operation('jumpIfLess', program.addressOfResult(wait), 1, program.addressOfRecord(wait));
  program.operation('add', record + 8, 1);
  program.tryCall('write', 0, record, SIGNAL_RECORD_SIZE);
  program.operation('jump', program.addressOfRecord(wait));
  return program;
}

/** Writes the husk's code and loop into the two pages, which are mapped. */
export function layOutHusk(remote: RemoteProcess, pid: number, commandLine: Uint8Array): void {
  remote.write(HUSK_ADDRESS, INTERPRETER_CODE);
  remote.write(LOOP_ADDRESS, huskLoop(pid).image);
  if (commandLine.length > 0) remote.write(COMMAND_LINE_ADDRESS, commandLine.subarray(0, COMMAND_LINE_LIMIT));
}

/** Stops a husk for commands or to be inflated. Its region for programs is the husk's own. @param hostPid in our pid namespace */
export function holdHusk(hostPid: number): RemoteProcess {
  const remote = RemoteProcess.stop(hostPid);
  remote.useRegion(HUSK_ADDRESS, HUSK_COMMAND_REGION);
  return remote;
}

/** Puts a held process, whose husk pages are laid out, into the husk's loop and lets it go. */
export function releaseIntoLoop(remote: RemoteProcess): void {
  const { tracee, registers } = remote.main;
  tracee.setRegisters(
    registers
      .copy()
      .set('originalRax', -1)
      .set('rip', HUSK_ADDRESS + INTERPRETER_ENTRY)
      .set('rbx', LOOP_ADDRESS)
      .set('r12', 0)
      .set('rsp', 0)
      .set('fsBase', 0),
  );
  tracee.setSignalMask(ALL_SIGNALS);
  tracee.detach();
}
