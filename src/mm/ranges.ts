/** Sets of addresses as sorted, disjoint, half-open ranges. Pure. */
export interface Range {
  start: number;
  end: number;
}

/** Sorted and merged; empty ranges vanish. */
export function normalize(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const { start, end } of ranges.filter((range) => range.start < range.end).toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** What is in `from` and not in `without`; both normalized. */
export function subtract(from: readonly Range[], without: readonly Range[]): Range[] {
  const left: Range[] = [];
  let index = 0;
  for (const range of from) {
    let start = range.start;
    while (index < without.length && (without[index] as Range).end <= start) index++;
    for (let n = index; n < without.length && (without[n] as Range).start < range.end; n++) {
      const hole = without[n] as Range;
      if (hole.start > start) left.push({ start, end: hole.start });
      start = Math.max(start, hole.end);
    }
    if (start < range.end) left.push({ start, end: range.end });
  }
  return left;
}

/** What is in both; both normalized. */
export function intersect(a: readonly Range[], b: readonly Range[]): Range[] {
  return subtract(a, subtract(a, b));
}

/** Length of all ranges, in bytes. */
export function totalLength(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
