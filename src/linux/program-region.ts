/** Where programs lie in a process that is not ours: a page of code, programs, tails of the threads. */
import { readMaps } from './process-files.ts';
import { TAIL_SIZE } from './program-tail.ts';

/** Where regions lie: from here up to the second address. Preflight refuses a process that has memory of its own there. */
export const REGION_ADDRESS = 0x3f0000000000;
export const REGION_LIMIT = REGION_ADDRESS + (1 << 30);
/** Bytes of the interpreter's page, with which a region begins. */
export const CODE_SIZE = 4096;
/** Below the tails: where a handler of the program finds a stack that interrupts an abandoned thread in its very last steps. */
const HANDLER_ROOM = 32768;
/** In the region of a process with one thread that was there already, the tail lies behind the interpreter. */
export const TAIL_IN_CODE_PAGE = 3072;

export interface Region {
  readonly address: number;
  readonly size: number;
  /** Where programs end. */
  readonly programsEnd: number;
  /** Where the tail of the first thread lies. */
  readonly tails: number;
}

/** A region of this size at {@link REGION_ADDRESS} with tails for so many threads, none for 0. */
export function regionOf(size: number, threads: number): Region {
  const tails = REGION_ADDRESS + size - threads * TAIL_SIZE;
  return { address: REGION_ADDRESS, size, programsEnd: threads === 0 ? tails : tails - HANDLER_ROOM, tails };
}

/** What a region must have for programs of so many bytes and the tails of so many threads: no less than the one that is there. */
export function regionSize(programs: number, threads: number, there: Region | undefined): number {
  const wanted = CODE_SIZE + programs + (threads === 0 ? 0 : HANDLER_ROOM + threads * TAIL_SIZE);
  const needed = Math.ceil(wanted / CODE_SIZE) * CODE_SIZE;
  if (there === undefined) return needed;
  const isLargeEnough = there.size >= needed && there.tails <= there.address + there.size - threads * TAIL_SIZE;
  return isLargeEnough ? there.size : Math.max(needed, there.size + CODE_SIZE);
}

/** The size of the region that a process has. */
export function findRegion(pid: number): number | undefined {
  const areas = readMaps(pid).filter(({ start }) => start >= REGION_ADDRESS && start < REGION_LIMIT);
  const end = areas.at(-1)?.end;
  return areas[0]?.start === REGION_ADDRESS && end !== undefined ? end - REGION_ADDRESS : undefined;
}
