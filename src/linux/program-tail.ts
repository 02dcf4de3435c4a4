/**
 * How a program ends in a process that is not ours. Its last record jumps to the *tail*: a stop for the tracer and, behind it, what the
 * thread does when the tracer has died meanwhile. A failing record leads there too; the word before the tail then holds its address.
 */
import { PSEUDO, RECORD_SIZE, argumentOffset } from './interpreter.ts';
import { Program } from './program.ts';
import { Registers, REGISTERS_SIZE } from './registers.ts';

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

/** What the tail goes on with. @param bytes of the tail at `place` @returns undefined for one that waits, and when there is none */
export function tailState(bytes: Uint8Array, place: number): { registers: Registers; signalMask: bigint } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, TAIL_SIZE);
  const record = (n: number): number => FAILURE_WORD + n * RECORD_SIZE;
  const argument = (n: number, which: number): number => Number(view.getBigUint64(record(n) + argumentOffset(which), true)) - place;
  if (view.getInt32(record(0), true) !== PSEUDO.stop || view.getInt32(record(2), true) !== PSEUDO.resume) return undefined;
  const [mask, registers] = [argument(1, 1), argument(2, 0)];
  if (mask < 0 || mask + MASK_SIZE > TAIL_SIZE || registers < 0 || registers + REGISTERS_SIZE > TAIL_SIZE) return undefined;
  return {
    registers: new Registers(bytes.slice(registers, registers + REGISTERS_SIZE)),
    signalMask: view.getBigUint64(mask, true),
  };
}
