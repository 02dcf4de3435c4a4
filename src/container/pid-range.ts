/** Which pids a node owns: node k (from 1) allocates in [k × width, (k + 1) × width). Below the first range no node allocates. */

/** Pids from `low`, inclusive, to `high`, exclusive. */
export interface PidRange {
  readonly low: number;
  readonly high: number;
}

/** Largest number of pids the kernel can have: PID_MAX_LIMIT, 2^22. */
export const PID_LIMIT = 4_194_304;
/** 63 nodes. */
export const DEFAULT_RANGE_WIDTH = 65_536;

/** @throws RangeError when the node's range does not fit the kernel's pids */
export function pidRangeOf(node: number, width: number = DEFAULT_RANGE_WIDTH): PidRange {
  const range = { low: node * width, high: (node + 1) * width };
  if (node < 1 || range.high > PID_LIMIT)
    throw new RangeError(`node ${node} with ${width} pids per node exceeds the ${PID_LIMIT} pids of the kernel`);
  return range;
}

/** The node in whose range `pid` lies; 0 for a pid below all ranges. */
export function nodeOfPid(pid: number, width: number = DEFAULT_RANGE_WIDTH): number {
  return Math.floor(pid / width);
}
