/**
 * Import: a held husk becomes the process of an image. Three steps, so that pages can arrive between them and the decision to run
 * comes last: {@link Inflation.mapMemory}, {@link Inflation.complete}, {@link Inflation.resume}. Until `resume` nothing of the program has run.
 */
import {
  continuesLater,
  errnoName,
  isErrno,
  KorriganError,
  readMaps,
  readProcessLink,
  RECORD_SIZE,
  Registers,
  resumption,
  type Program,
  type RemoteProcess,
  type StoppedThread,
  syscall,
  tolerateDeath,
} from '../linux/index.ts';
import {
  type Area,
  discardPages,
  finishBytes,
  finishLayout,
  intersect,
  isNamelessMapping,
  isSameArea,
  mapAreas,
  mapNamelessFiles,
  normalize,
  type OpenedFile,
  pathBytes,
  type Range,
  RECORDS_PER_AREA,
  startsOfContent,
  subtract,
} from '../mm/index.ts';
import { isPrivileged } from './credentials.ts';
import { CLOCK_MONOTONIC, timeInside } from './clocks.ts';
import { comeBack } from './home-coming.ts';
import type { Credentials, ProcessImage, ThreadImage } from './image.ts';
import { restoreLimits } from './limits.ts';
import { setMemoryMap } from './memory-map.ts';
import { isRealTime, otherSignals, restoreRealTimeSignals } from './queued-signals.ts';
import { restoreNumber, restoreScheduling } from './outside.ts';
import { restoreActions, restorePending } from './signals.ts';
import { adoptThreads, CLONE_ARGS_SIZE, holdThreads, spawnThreads } from './thread-births.ts';
import { adjustWaits, armWaits, putTimesBack } from './restored-waits.ts';
import { restoreThread, threadCapacity } from './threads.ts';
import { restoreIntervalTimers, restorePosixTimers, withoutRepeating } from './timers.ts';

const SIGSTOP = 19;
const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_THP_DISABLE = 41;
const PR_SET_MEMORY_MERGE = 67;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_FIXED_ANONYMOUS = 0x2 | 0x20 | 0x100000;
/** Most restores need no other region than the first. */
const MINIMUM_REGION = 256 << 10;
/** What an inflation knows before its image has come. */
const EMPTY_IMAGE = { areas: [] as readonly Area[], threads: [] as ThreadImage[] } as ProcessImage;

export interface InflationOptions {
  /** True for a husk that was this process before: its executable is still known to the kernel and may not be replaced. */
  returning: boolean;
  /** Makes the root of the container the working directory of the husk, which has a root directory of its own. */
  enterContainerRoot: () => void;
  /** Makes the next process or thread of the container get this id, unless another is born first. */
  chooseNextPid: (pid: number) => void;
}

export class Inflation {
  private readonly remote: RemoteProcess;
  private readonly options: InflationOptions;
  /** Known from {@link Inflation.mapMemory} on. */
  private image: ProcessImage;
  private filled: ReadonlySet<number> = new Set();
  private ahead: Range[] = [];
  /** Areas that were mapped before the freeze, by their places. */
  private layout = new Map<number, Area>();
  private cleared = false;
  /** Credentials of a husk that was this process before. */
  private readonly present: Credentials | undefined;
  /** Registers of threads whose calls were begun again here, by their places. */
  private armed: ReadonlyMap<number, Registers> = new Map();
  /** What the threads go on with, by their places; known from {@link Inflation.leaveMemory} on. */
  private running: readonly Registers[] = [];
  private replaced: ReturnType<typeof adjustWaits> = [];

  /** @param remote the held husk; its main thread becomes the leader of the process */
  constructor(remote: RemoteProcess, options: InflationOptions) {
    this.remote = remote;
    this.options = options;
    this.image = EMPTY_IMAGE;
    if (options.returning) this.present = comeBack(remote, options.enterContainerRoot);
    remote.park();
  }

  /**
   * Unmaps what the husk does not need; may be done before the image is known, so that it takes no time from a frozen process.
   * @param keep ranges of our own that stay mapped, e.g. the husk's pages
   */
  clear(keep: readonly Range[]): void {
    if (this.cleared) return;
    const all = readMaps(this.remote.pid).filter((area) => area.name !== '[vsyscall]');
    this.inRegion({ records: all.length * 2 + 8, data: 64 }, (program) => {
      const own = normalize([...keep, { start: this.remote.regionAddress, end: this.remote.regionAddress + this.remote.regionSize }]);
      for (const { start, end } of subtract(normalize(all), own)) program.call('munmap', start, end - start);
    });
    this.cleared = true;
  }

  /**
   * Maps areas whose pages arrive while the process still runs elsewhere; {@link Inflation.mapMemory} keeps what is still true of them.
   * @param keep ranges of our own that stay mapped, e.g. the husk's pages
   */
  mapAhead(areas: readonly Area[], keep: readonly Range[]): void {
    this.clear(keep);
    this.ahead = normalize(areas.map(({ start, end }) => ({ start, end })));
    this.inRegion({ records: areas.length + 8, data: 64 }, (program) => {
      for (const { start, end } of this.ahead)
        program.call('mmap', start, end - start, PROT_READ_WRITE, MAP_PRIVATE_FIXED_ANONYMOUS, -1, 0);
    });
  }

  /**
   * Maps areas as they are while the process still runs elsewhere; {@link Inflation.mapMemory} keeps those that have not changed by then. Memory
   * that is shared with other processes waits for it.
   * @param keep ranges of our own that stay mapped, e.g. the husk's pages
   */
  mapLayout(areas: readonly Area[], keep: readonly Range[]): void {
    this.clear(keep);
    const own = areas.filter((area) => area.kind !== 'shared-anonymous' && area.kind !== 'shared-alias' && !isNamelessMapping(area));
    this.mapInRegion({ records: own.length * RECORDS_PER_AREA + this.ahead.length * 4 + 8, data: pathBytes(own) + 64 }, (program) =>
      mapAreas(program, own, startsOfContent(own), this.ahead),
    );
    this.layout = new Map(own.map((area) => [area.start, area]));
    const anonymous = areas.filter(({ kind }) => kind === 'anonymous');
    this.ahead = intersect(this.ahead, anonymous); // the rest was unmapped
  }

  /**
   * Maps all areas of the image.
   * @param discarded what was mapped ahead and lost its content again
   * @param objects where shared memory of processes that were restored before can be opened, by object; this process's are added
   */
  mapMemory(image: ProcessImage, keep: readonly Range[], discarded: readonly Range[] = [], objects: Map<string, string> = new Map()): void {
    this.image = image;
    this.filled = startsOfContent(image.areas);
    this.clear(keep);
    const mapped = this.keepLayout(image.areas);
    const anonymous = normalize(image.areas.filter((area) => area.kind === 'anonymous'));
    const stillThere = subtract(discarded, subtract(discarded, anonymous));
    const missing = image.areas.filter((area) => !mapped.has(area));
    if (missing.length > 0 || stillThere.length > 0) {
      const records = missing.length * RECORDS_PER_AREA + this.ahead.length * 4 + stillThere.length + 64;
      this.mapInRegion({ records, data: pathBytes(missing) + 4096 }, (program) => {
        const opened = mapAreas(program, image.areas, this.filled, this.ahead, objects, (area) => mapped.has(area));
        discardPages(program, stillThere);
        return opened;
      });
    }
    for (const { kind, object, start, end } of image.areas) {
      if (kind === 'shared-anonymous' && object !== undefined)
        objects.set(object, `/proc/${image.pid}/map_files/${start.toString(16)}-${end.toString(16)}`);
    }
    this.openRegion(this.spaceToComplete());
  }

  /** Maps the files without a name. @param descriptors of the process, by the start of the area; closed then */
  mapNameless(descriptors: ReadonlyMap<number, number>): void {
    const { areas } = this.image;
    this.inRegion({ records: descriptors.size * 2 + 8, data: 64 }, (program) => {
      mapNamelessFiles(program, areas, descriptors);
      for (const descriptor of new Set(descriptors.values())) program.call('close', descriptor);
    });
  }

  /** Unmaps what has changed since {@link Inflation.mapLayout}, but for memory that holds pages. @returns the areas that have not */
  private keepLayout(areas: readonly Area[]): ReadonlySet<Area> {
    const same = areas.filter((area) => isSameArea(area, this.layout.get(area.start)));
    // The kernel's own areas are mapped together.
    const vdso = areas.filter(({ kind }) => kind === 'vdso');
    const kept = new Set(vdso.every((area) => same.includes(area)) ? same : same.filter(({ kind }) => kind !== 'vdso'));
    const keptStarts = new Set([...kept].map(({ start }) => start));
    const changed = normalize([...this.layout.values()].filter(({ start }) => !keptStarts.has(start)));
    const gone = subtract(changed, this.ahead);
    if (gone.length > 0) {
      this.inRegion({ records: gone.length + 8, data: 64 }, (program) => {
        for (const { start, end } of gone) program.call('munmap', start, end - start);
      });
    }
    return kept;
  }

  /**
   * Everything else: protections, kernel fields, signals, timers, threads. Pages and descriptors are in place.
   * @param own ranges of ours to unmap, e.g. the husk's pages
   * @param begin appends a few records that come before everything but what the kernel knows of the memory
   */
  complete(own: readonly Range[] = [], begin: (program: Program) => void = () => undefined): void {
    const { remote, image } = this;
    const now = timeInside(remote.pid, CLOCK_MONOTONIC);
    // While the husk's limits are raised and there is one thread.
    restoreRealTimeSignals(remote, image);
    const program = remote.newProgram(this.completionCapacity());
    setMemoryMap(program, image, this.hasExecutable(image));
    begin(program);
    for (const { start, end } of own) program.call('munmap', start, end - start);
    finishLayout(program, image.areas, this.filled);
    restoreActions(program, image.actions);
    if (image.childSubreaper) program.call('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const huge = image.transparentHugePagesDisabled;
    if (huge !== 0) program.call('prctl', PR_SET_THP_DISABLE, 1, huge & ~1, 0, 0);
    if (image.memoryMerged) program.call('prctl', PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
    for (let command = 1; command <= image.memoryBarriers; command <<= 1) {
      if ((image.memoryBarriers & command) !== 0) program.call('membarrier', command, 0, 0);
    }
    const [leader, ...others] = image.threads;
    if (leader === undefined) throw new Error('an image has at least one thread');
    // Threads read credentials and memory of the leader at their birth, so they are made before it gives up its privileges.
    const adopts = this.present !== undefined && !isPrivileged(this.present);
    if (adopts) remote.threads = [remote.main, ...adoptThreads(remote, others, this.options.chooseNextPid)];
    else spawnThreads(program, others, (thread) => this.restoreOne(program, thread));
    restorePosixTimers(program, image.posixTimers, [...image.pending, ...image.threads.flatMap((thread) => thread.pending)]);
    restoreIntervalTimers(program, image.intervalTimers, now);
    restorePending(program, image.pid, undefined, otherSignals(image));
    if (image.lockedFuture !== 0) program.call('mlockall', image.lockedFuture);
    restoreLimits(program, image.limits);
    this.restoreOne(program, { ...leader, pending: leader.pending.filter((information) => !isRealTime(information)) });
    program.call('personality', image.personality);
    program.call('prctl', PR_SET_DUMPABLE, image.dumpable === 2 ? 0 : image.dumpable, 0, 0, 0);
    const jobs = [{ program, thread: remote.main }];
    if (adopts) jobs.push(...this.programsOfThreads());
    this.runAsProcess(jobs);
    const held = adopts ? remote.threads.slice(1) : holdThreads(remote.pid, others);
    remote.threads = [remote.main, ...held].map((thread, n) => {
      const { registers, signalMask } = image.threads[n] ?? leader;
      return { ...thread, registers: Registers.fromRecord(registers), signalMask };
    });
    this.setFromOutside();
    this.armed = armWaits(
      remote,
      image.threads.map(({ wait }) => wait),
    );
  }

  /** Our memory goes; the threads wait, without anything of the program having run. */
  leaveMemory(): void {
    const { remote, image } = this;
    this.running = remote.threads.map(({ registers }, n) => this.armed.get(n) ?? registers);
    this.replaced = adjustWaits(
      remote,
      remote.threads.map(({ tracee, registers }, n) => ({ tid: tracee.tid, registers: this.running[n] ?? registers })),
      image.threads.map(({ wait }) => wait),
    );
    remote.closeRegion();
  }

  /**
   * Registers and masks become the program's own, and it is let go: it runs at once unless something else holds it, such as a frozen cgroup.
   * {@link Inflation.leaveMemory} comes before. One that is stopped by job control stays so.
   */
  resume(): void {
    const { remote, image } = this;
    image.threads.forEach((thread, n) => {
      const tracee = remote.threads[n]?.tracee;
      if (tracee === undefined) throw new Error(`thread ${thread.tid} is not held`);
      tracee.setExtendedState(thread.extendedState);
      tracee.setSignalMask(thread.signalMask);
      tracee.setRegisters(resumption(this.running[n] ?? new Registers()));
    });
    remote.leaveVdso();
    if (remote.stopArrived && !continuesLater(remote.main.tracee)) syscall('kill', remote.pid, SIGSTOP);
    for (const { tracee } of remote.threads) tolerateDeath(tracee, () => tracee.detach());
  }

  /** To be called once the threads run: what they were lent in their own memory is given back. */
  settle(): void {
    putTimesBack(this.remote, this.replaced);
  }

  /** As {@link Inflation.inRegion}. @throws KorriganError KRG_NOT_MOVABLE that names the mapped file which is not to be had here */
  private mapInRegion(capacity: { records: number; data: number }, build: (program: Program) => OpenedFile[]): void {
    this.openRegion(capacity);
    const program = this.remote.newProgram(capacity);
    const opened = build(program);
    try {
      this.remote.run(program);
    } catch (error) {
      const failed = opened.find(({ record }) => program.result(record) < 0);
      if (failed === undefined) throw error;
      const why = errnoName(-program.result(failed.record));
      throw new KorriganError('KRG_NOT_MOVABLE', `the process has mapped ${failed.path}, which this node cannot open (${why})`, {
        cause: error,
      });
    }
  }

  /** Runs one program in a region that is large enough for it. */
  private inRegion(capacity: { records: number; data: number }, build: (program: Program) => void): void {
    this.openRegion(capacity);
    const program = this.remote.newProgram(capacity);
    build(program);
    this.remote.run(program);
  }

  private openRegion(capacity: { records: number; data: number }): void {
    const size = Math.max(MINIMUM_REGION, sizeOf(capacity));
    this.remote.openRegion(size, Math.max(1, this.image.threads.length));
  }

  /** Of all programs that run at the same time. */
  private spaceToComplete(): { records: number; data: number } {
    const { records, data } = this.completionCapacity();
    const own = this.present === undefined ? 0 : this.image.threads.reduce((sum, thread) => sum + sizeOf(threadCapacity(thread)), 0);
    return { records, data: data + own };
  }

  private completionCapacity(): { records: number; data: number } {
    const { image } = this;
    let records = image.areas.length * RECORDS_PER_AREA + 256 + image.posixTimers.length * 2;
    let data =
      8192 + finishBytes(image.areas) + image.executable.length * 3 + image.posixTimers.length * 112 + image.auxiliaryVector.length;
    image.threads.forEach((thread, n) => {
      const capacity = threadCapacity(thread, n === 0 ? otherSignals(image) : []);
      records += capacity.records + 4;
      data += capacity.data + CLONE_ARGS_SIZE + 16;
    });
    return { records, data };
  }

  private hasExecutable({ executable }: ProcessImage): boolean {
    return this.options.returning && readProcessLink(this.remote.pid, 'exe') === executable;
  }

  private restoreOne(program: Program, thread: ThreadImage): void {
    const pending = withoutRepeating(thread.pending, this.image.posixTimers);
    restoreThread(program, this.image.pid, { ...thread, pending }, this.present);
  }

  /** What threads that were adopted do for themselves; their programs lie behind the main thread's. */
  private programsOfThreads(): { program: Program; thread: StoppedThread }[] {
    const { remote, image } = this;
    let offset = sizeOf(this.completionCapacity());
    return remote.threads.slice(1).map((thread, n) => {
      const own = image.threads[n + 1];
      if (own === undefined) throw new Error('more threads than the image has');
      const capacity = threadCapacity(own);
      const program = remote.newProgram(capacity, offset);
      offset += sizeOf(capacity);
      this.restoreOne(program, own);
      return { program, thread };
    });
  }

  /** @throws KorriganError KRG_NOT_MOVABLE when a husk that came to be an ordinary user's may not become what its process is by now */
  private runAsProcess(jobs: Parameters<RemoteProcess['runTogether']>[0]): void {
    try {
      this.remote.runTogether(jobs);
    } catch (error) {
      if (this.present === undefined || !isErrno(error, 'EPERM')) throw error;
      const { message } = error as Error;
      throw new KorriganError(
        'KRG_NOT_MOVABLE',
        `process ${this.image.pid} left this node with fewer rights than it has now, and cannot get them back here (${message})`,
        { cause: error },
      );
    }
  }

  private setFromOutside(): void {
    const { remote, image } = this;
    restoreNumber(remote.pid, 'oom_score_adj', image.oomScoreAdjustment);
    restoreNumber(remote.pid, 'coredump_filter', image.coreDumpFilter, 16);
    remote.threads.forEach(({ tracee }, n) => {
      const thread = image.threads[n];
      if (thread !== undefined) restoreScheduling(tracee.tid, thread.scheduling);
    });
  }
}

/** Bytes of the region that a program takes, with what ends it. */
function sizeOf({ records, data }: { records: number; data: number }): number {
  return Math.ceil(((records + 1) * RECORD_SIZE + data) / RECORD_SIZE) * RECORD_SIZE;
}
