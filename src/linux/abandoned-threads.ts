/**
 * Threads whose tracer has died while they ran something of ours, and that have not come back from it yet: because they had no processor, or are
 * frozen. What they go on with stands where they are: in a tail of the region, or in the foothold.
 */
import { footholdState } from './foothold.ts';
import { REGION_ADDRESS, REGION_LIMIT } from './program-region.ts';
import { TAIL_SIZE, tailAddress, tailState } from './program-tail.ts';
import { readMemory } from './process-memory.ts';
import type { Registers } from './registers.ts';

/** Registers and signal mask of a thread as they were when it was taken for ours. */
export interface ThreadState {
  readonly registers: Registers;
  readonly signalMask: bigint;
}

/**
 * What a stopped thread goes on with once it has left our code.
 * @returns undefined for one that is not in it, and for one that was told to wait there
 */
export function stateBehind(tid: number, registers: Registers): ThreadState | undefined {
  const rip = registers.getNumber('rip');
  if (!isInRegion(rip)) return footholdState(tid, rip);
  // The failure program of every program is its tail; in the last steps of a tail rsp is there, and r12 the program's own again.
  for (const place of [registers.getNumber('r12') - tailAddress(0), Math.floor(registers.getNumber('rsp') / TAIL_SIZE) * TAIL_SIZE]) {
    if (!isInRegion(place) || place % TAIL_SIZE !== 0) continue;
    const state = tailState(readMemory(tid, place, TAIL_SIZE), place);
    if (state !== undefined) return state;
  }
  return undefined;
}

function isInRegion(address: number): boolean {
  return address >= REGION_ADDRESS && address < REGION_LIMIT;
}
