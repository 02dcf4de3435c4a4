/**
 * Pre-copy: pages travel while the process runs; each round sends what was written since the last. The decision when to stop is pure.
 *
 * Tracking is the kernel's: a write-protect-async userfaultfd on every large private area, PAGEMAP_SCAN to ask and re-arm. The process is
 * stopped once for some 100 us, to create the descriptor in it.
 */
import {
  isErrno,
  PAGE_IS,
  Pagemap,
  type PageRegion,
  type RemoteProcess,
  syscall,
  WriteTracker,
  USERFAULTFD_FLAGS,
} from '../linux/index.ts';
import type { Area } from './areas.ts';
import type { MigrationChannel } from './channel.ts';
import { contentRuns, ProcessPages } from './pages.ts';
import { intersect, normalize, type Range, subtract } from './ranges.ts';

const PAGE = 4096;
const PROT_WRITE = 2;

/** What a round found and did. */
export interface PreCopyRound {
  pages: number;
  milliseconds: number;
}

/** Limits of pre-copy; pages are 4 KiB. */
export const PRE_COPY = {
  /** Processes with fewer resident pages are copied inside the freeze at once. */
  worthwhilePages: 512,
  /** Smaller areas are left to the freeze, bytes. */
  smallestArea: 1 << 18,
  /** So few dirty pages are sent inside the freeze. */
  smallEnoughPages: 64,
  maximumRounds: 10,
  /** A round must shrink the dirty set below this share of the last, or pre-copy stops. */
  shrinkage: 0.9,
} as const;

/** True when another round is worth it. */
export function anotherRound(rounds: readonly PreCopyRound[]): boolean {
  const last = rounds.at(-1);
  if (last === undefined) return true;
  if (last.pages <= PRE_COPY.smallEnoughPages || rounds.length >= PRE_COPY.maximumRounds) return false;
  const before = rounds.at(-2);
  return before === undefined || last.pages < before.pages * PRE_COPY.shrinkage;
}

/** True for areas whose pages are sent ahead. Growing stacks and small areas wait for the freeze. */
export function isTrackable(area: Area): boolean {
  return (
    area.kind === 'anonymous' &&
    (area.protection & PROT_WRITE) !== 0 &&
    !area.flags.includes('gd') &&
    area.end - area.start >= PRE_COPY.smallestArea
  );
}

interface FinalState {
  readonly content: readonly Range[];
  readonly written: readonly Range[];
}

/** Pages that exist and are not the shared zero page. */
const CONTENT = { all: PAGE_IS.zero, inverted: PAGE_IS.zero, any: PAGE_IS.present | PAGE_IS.swapped } as const;

/** Memory of a running process whose writes are noted, and what of it was sent. */
export class TrackedMemory implements Disposable {
  private readonly tracker: WriteTracker;
  private readonly pagemap: Pagemap;
  private readonly pages: ProcessPages;
  private readonly areas: Area[];
  private sent: Range[] = [];
  /** Of what was sent, runs that broke off: the target may have old contents. */
  private readonly doubtful: Range[] = [];
  private readonly finalStates = new Map<number, FinalState>();
  readonly rounds: PreCopyRound[] = [];

  /**
   * @param remote the process, stopped for the moment; it may be released afterwards
   * @param areas candidates; those that the kernel cannot track are left out
   */
  constructor(remote: RemoteProcess, areas: readonly Area[]) {
    const fd = remote.stepSystemCall('userfaultfd', USERFAULTFD_FLAGS);
    const pidfd = syscall('pidfd_open', remote.pid, 0);
    const copy = syscall('pidfd_getfd', pidfd, fd, 0);
    syscall('close', pidfd);
    remote.stepSystemCall('close', fd);
    this.tracker = new WriteTracker(copy);
    this.pagemap = new Pagemap(remote.pid);
    this.pages = new ProcessPages(remote.pid);
    this.areas = areas.filter((area) => isTrackable(area) && this.tracker.register(area.start, area.end - area.start));
  }

  /** The areas that are being sent ahead. */
  get tracked(): readonly Area[] {
    return this.areas;
  }

  /** Sends what was written since the last round (all content in the first) while the process runs. */
  round(channel: MigrationChannel, process: number): void {
    const started = performance.now();
    let pages = 0;
    for (const area of this.areas) {
      for (const run of this.written(area)) {
        try {
          channel.sendPages(process, run.start, run.end, this.pages.reader(area));
        } catch (error) {
          // Part of it was unmapped meanwhile. It is protected now and no longer counts as written: what is left of it has to be sent again.
          if (!isErrno(error, 'EFAULT')) throw error;
          this.doubtful.push({ start: run.start, end: run.end });
        }
        pages += (run.end - run.start) / PAGE;
        this.sent.push({ start: run.start, end: run.end });
      }
    }
    channel.flush();
    this.sent = normalize(this.sent);
    this.rounds.push({ pages, milliseconds: performance.now() - started });
  }

  /** Inside the freeze: the runs of an area that still have to be sent. */
  remaining(area: Area): readonly Range[] {
    if (area.kind !== 'anonymous') return contentRuns(this.pagemap, area);
    const { content, written } = this.finalState(area);
    return subtract(content, subtract(intersect(content, this.sent), normalize([...written, ...this.doubtful])));
  }

  /** Inside the freeze: what was sent ahead and holds no content any more; it must read as zero again. */
  discarded(areas: readonly Area[]): Range[] {
    const content = normalize(areas.filter((area) => area.kind === 'anonymous').flatMap((area) => this.finalState(area).content));
    return subtract(this.sent, content);
  }

  [Symbol.dispose](): void {
    this.tracker[Symbol.dispose]();
    this.pagemap[Symbol.dispose]();
    this.pages[Symbol.dispose]();
  }

  /** Pages with content, and those of them that were written since the last round; one walk, which takes 1.5 ms per GiB. */
  private finalState(area: Range): FinalState {
    let state = this.finalStates.get(area.start);
    if (state === undefined) {
      const runs = this.pagemap.scan(area.start, area.end, { ...CONTENT, report: PAGE_IS.written | PAGE_IS.writeTracked });
      // A page that mremap(2) brought from elsewhere may still bear a protection, though its new place is not tracked.
      const isUnchanged = ({ categories }: PageRegion): boolean =>
        (categories & (PAGE_IS.written | PAGE_IS.writeTracked)) === PAGE_IS.writeTracked;
      state = { content: normalize(runs), written: normalize(runs.filter((run) => !isUnchanged(run))) };
      this.finalStates.set(area.start, state);
    }
    return state;
  }

  /** Pages with content that were written since they were last protected, protected again. Memory that was mapped anew is left to the freeze. */
  private written(area: Range): Range[] {
    return this.pagemap.scan(area.start, area.end, {
      all: PAGE_IS.written | PAGE_IS.zero,
      inverted: PAGE_IS.zero,
      any: PAGE_IS.present | PAGE_IS.swapped,
      writeProtect: true,
    });
  }
}
