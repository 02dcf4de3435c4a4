/**
 * How a program ends in a process that is not ours. Its last record jumps to the *tail*: a stop for the tracer and, behind it, what the
 * thread does when the tracer has died meanwhile. A failing record leads there too; the word before the tail then holds its address.
 */
import { Program } from './program.ts';
import type { Registers } from './registers.ts';

/** What an abandoned thread does: goes on as it would have without us, or waits for ever, with all signals blocked, to be found. */
export type Abandonment = 'resume' | 'park';

/** Bytes of one tail, the word before it included. */
export const TAIL_SIZE = 512;
const FAILURE_WORD = 8;
const SIG_SETMASK = 2;
const MASK_SIZE = 8;

/** Where the tail at `place` begins: the failure program of every program that ends there. */
export function tailAddress(place: number): number {
  return place + FAILURE_WORD;
}

/** Bytes for `place`. @param state what the thread goes on with */
export function buildTail(place: number, abandonment: Abandonment, state: { registers: Registers; signalMask: bigint }): Uint8Array {
  const tail = new Program(tailAddress(place), { records: 3, data: 256 });
  tail.operation('stop');
  if (abandonment === 'resume') {
    const mask = new Uint8Array(MASK_SIZE);
    new DataView(mask.buffer).setBigUint64(0, state.signalMask, true);
    // What has come meanwhile is handled when the mask is set; the registers are still those of an ordinary interruption.
    tail.tryCall('rt_sigprocmask', SIG_SETMASK, tail.data(mask), 0, MASK_SIZE);
    tail.operation('resume', tail.data(state.registers.bytes));
  } else {
    tail.operation('waitWhileEqual', tail.data(MASK_SIZE), 0);
  }
  const bytes = new Uint8Array(TAIL_SIZE);
  bytes.set(tail.image.subarray(0, tail.usedSize), FAILURE_WORD);
  return bytes;
}
