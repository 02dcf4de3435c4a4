/**
 * Pre-copy: pages travel while the process runs; each round sends what was written since the last. The decision when to stop is pure.
 */
import { PAGE_IS, Pagemap, type PageRegion } from '../linux/index.ts';

/** What a round found and did. */
export interface PreCopyRound {
  pages: number;
  milliseconds: number;
}

/** Limits of pre-copy; pages are 4 KiB. */
export const PRE_COPY = {
  /** Processes with fewer resident pages are copied inside the freeze at once. */
  worthwhilePages: 2048,
  /** So few dirty pages are sent inside the freeze. */
  smallEnoughPages: 512,
  maximumRounds: 8,
  /** A round must shrink the dirty set below this share of the last, or pre-copy stops. */
  shrinkage: 0.8,
} as const;

/** True when another round is worth it. */
export function anotherRound(rounds: readonly PreCopyRound[]): boolean {
  const last = rounds.at(-1);
  if (last === undefined) return true;
  if (last.pages <= PRE_COPY.smallEnoughPages || rounds.length >= PRE_COPY.maximumRounds) return false;
  const before = rounds.at(-2);
  return before === undefined || last.pages < before.pages * PRE_COPY.shrinkage;
}

/** Pages written since the last scan of a tracked range, write-protected again; `gone` ones were discarded and must read as zero. */
export function writtenRuns(pagemap: Pagemap, start: number, end: number): { content: PageRegion[]; gone: PageRegion[] } {
  const runs = pagemap.scan(start, end, {
    all: PAGE_IS.written,
    report: PAGE_IS.present | PAGE_IS.swapped | PAGE_IS.zero,
    writeProtect: true,
  });
  const exists = (run: PageRegion): boolean => (run.categories & (PAGE_IS.present | PAGE_IS.swapped)) !== 0 && (run.categories & PAGE_IS.zero) === 0;
  return { content: runs.filter(exists), gone: runs.filter((run) => !exists(run)) };
}

/** Number of 4 KiB pages in runs. */
export function countPages(runs: readonly PageRegion[]): number {
  return runs.reduce((sum, run) => sum + (run.end - run.start) / 4096, 0);
}
