/** The clock that both sides of a move on one machine share. */
import { NativeMemory, syscall } from '../linux/index.ts';

const CLOCK_REALTIME = 0;
const clock = NativeMemory.allocate(16);

/** CLOCK_REALTIME in nanoseconds. */
export function realTime(): bigint {
  syscall('clock_gettime', CLOCK_REALTIME, clock.address);
  return clock.view.getBigInt64(0, true) * 1_000_000_000n + clock.view.getBigInt64(8, true);
}
