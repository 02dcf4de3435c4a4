/** The memory of one process that moves: sent ahead while the process runs, and the rest when it stands still. */
import { captureWaits, observeThreads, releaseWaiting } from '../ghost/index.ts';
import { Pagemap, RemoteProcess } from '../linux/index.ts';
import {
  anotherRound,
  type Area,
  AreaFlags,
  contentRuns,
  isNamelessMapping,
  isTrackable,
  type MigrationChannel,
  PRE_COPY,
  ProcessPages,
  totalLength,
  TrackedMemory,
} from '../mm/index.ts';
import type { MovingPid } from './parts.ts';

const PAGE_SIZE = 4096;

export class SourceMemory implements Disposable {
  /** As they were before the freeze. */
  readonly flags: AreaFlags;
  private readonly channel: MigrationChannel;
  private readonly process: MovingPid;
  private tracked: TrackedMemory | undefined;
  private layout: readonly Area[] | undefined;
  private isSent = false;

  constructor(channel: MigrationChannel, process: MovingPid) {
    this.channel = channel;
    this.process = process;
    this.flags = AreaFlags.read(process.hostPid);
  }

  /** Rounds of pre-copy. */
  get rounds(): number {
    return this.tracked?.rounds.length ?? 0;
  }

  /** Sends the memory of a large process while it runs. */
  preCopy(): void {
    const { pid, hostPid } = this.process;
    const areas = this.flags.describe(hostPid).filter(isTrackable);
    using pagemap = new Pagemap(hostPid);
    const pages = areas.reduce((sum, area) => sum + totalLength(contentRuns(pagemap, area)) / PAGE_SIZE, 0);
    if (pages < PRE_COPY.worthwhilePages) return;
    const observed = observeThreads(hostPid);
    const remote = RemoteProcess.stop(hostPid);
    let waits: ReturnType<typeof captureWaits> = [];
    try {
      waits = captureWaits(remote, observed);
      this.tracked = new TrackedMemory(remote, areas);
    } finally {
      releaseWaiting(remote, waits);
    }
    this.channel.send({ kind: 'ahead', pid, areas: this.tracked.tracked });
    while (anotherRound(this.tracked.rounds)) this.tracked.round(this.channel, pid);
  }

  /** The target maps the areas while the process runs. @returns them */
  sendLayout(): readonly Area[] {
    const { pid, hostPid } = this.process;
    this.layout = this.flags.describe(hostPid);
    this.channel.send({ kind: 'layout', pid, areas: this.layout });
    return this.layout;
  }

  /** Are these areas the ones that went ahead? */
  isLayout(areas: readonly Area[]): boolean {
    return areas === this.layout;
  }

  /** What went ahead of these areas and has lost its content again. */
  discarded(areas: readonly Area[]): ReturnType<TrackedMemory['discarded']> {
    return this.tracked?.discarded(areas) ?? [];
  }

  /**
   * Of a process that stands still, if the target has mapped all areas as they are: it writes the pages while this side goes on. Areas of shared memory
   * and of files without a name wait for the image, or for the files.
   */
  sendUnchanged(): void {
    const { layout } = this;
    const isMapped =
      layout !== undefined &&
      layout.every((area) => area.kind !== 'shared-anonymous' && !isNamelessMapping(area)) &&
      this.isLayout(this.flags.describe(this.process.hostPid));
    if (!isMapped) return;
    this.flags.keep();
    this.sendRest(layout);
  }

  /** All that has not been sent yet, once. @param areas all of them, mapped on the target */
  sendRest(areas: readonly Area[]): void {
    if (this.isSent) return;
    this.isSent = true;
    const { pid, hostPid } = this.process;
    using pagemap = new Pagemap(hostPid);
    using pages = new ProcessPages(hostPid);
    for (const area of areas) {
      const read = pages.reader(area);
      for (const run of this.tracked?.remaining(area) ?? contentRuns(pagemap, area)) this.channel.sendPages(pid, run.start, run.end, read);
    }
  }

  [Symbol.dispose](): void {
    this.tracked?.[Symbol.dispose]();
  }
}
