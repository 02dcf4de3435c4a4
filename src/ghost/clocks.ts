/** The clocks of a process as it sees them: its time namespace shifts some of them. */
import { NativeMemory, readProcessFile, syscall } from '../linux/index.ts';
import { SECOND, TIME_SIZE } from './time-bytes.ts';

export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;
const CLOCK_TAI = 11;

/** What the process's clock shows more than the host's, nanoseconds. */
export type ClockOffsets = (clock: number) => bigint;

export function clockOffsets(pid: number): ClockOffsets {
  const text = readProcessFile(pid, 'timens_offsets') ?? '';
  const offset = (name: string): bigint => {
    const [, seconds = '0', nanoseconds = '0'] = new RegExp(`^${name} +(-?\\d+) +(\\d+)`, 'm').exec(text) ?? [];
    return BigInt(seconds) * SECOND + BigInt(nanoseconds);
  };
  const [monotonic, boottime] = [offset('monotonic'), offset('boottime')];
  return (clock) => (clock === CLOCK_BOOTTIME ? boottime : clock === CLOCK_TAI ? 0n : monotonic);
}

const clockReading = NativeMemory.allocate(TIME_SIZE);

/** The time on a clock of the machine itself, in nanoseconds. */
export function machineTime(clock: number): bigint {
  return timeInside(process.pid, clock) - clockOffsets(process.pid)(clock);
}

/** The time on a clock as a process sees it, in nanoseconds. @param pid in the caller's pid namespace */
export function timeInside(pid: number, clock: number): bigint {
  syscall('clock_gettime', clock, clockReading.address);
  const here = clockReading.view.getBigInt64(0, true) * SECOND + clockReading.view.getBigInt64(8, true);
  ownOffsets ??= clockOffsets(process.pid);
  return here - ownOffsets(clock) + clockOffsets(pid)(clock);
}

/** This process may have a time namespace of its own, too. */
let ownOffsets: ClockOffsets | undefined;
