/** Times as the kernel takes them. */

export const SECOND = 1_000_000_000n;
export const TIME_SIZE = 16;

/** struct timespec, or struct timeval for a unit of 1000. */
export function timeBytes(time: bigint, unit: number): Uint8Array {
  const bytes = new Uint8Array(TIME_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, time / SECOND, true);
  view.setBigInt64(8, (time % SECOND) / BigInt(unit), true);
  return bytes;
}
