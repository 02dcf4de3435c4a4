/** Median and extremes of samples. Pure. */
export interface Summary {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly samples: number;
}

/** @throws RangeError without samples */
export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const [minimum] = sorted;
  const maximum = sorted.at(-1);
  if (minimum === undefined || maximum === undefined) throw new RangeError('a summary needs samples');
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  return { median, minimum, maximum, samples: samples.length };
}
