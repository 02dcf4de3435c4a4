/**
 * The source's engine: brings processes to another node over a channel, or leaves them running as they were. Blocking; runs in a ghost worker.
 */
import { givenTo, groupNameOf } from '../capability/index.ts';
import { type ControlGroup, currentProcessor, isDeath, KorriganError, RemoteProcess } from '../linux/index.ts';
import {
  captureProcess,
  captureRegionSize,
  continueLeftBehind,
  countSignals,
  discardPending,
  letSignalsBeTaken,
  type ObservedThreads,
  type MovingChild,
  observeThreads,
  processorFeatures,
  releaseWaiting,
  type ProcessImage,
  vdsoDigest,
} from '../ghost/index.ts';
import { type Area, resolveAliases, FileContents, isNamelessMapping, type MigrationChannel } from '../mm/index.ts';
import { kernelIdentity } from '../fs/index.ts';
import { type Effect, type SourceEvent, type SourceState, stepSource } from './hand-over.ts';
import { faultPoint } from './fault-points.ts';
import { Hold, moveGroup } from './hold.ts';
import { type HeldFamily, releaseUnchanged } from './held-family.ts';
import type { JournalEntry, SourceRecord } from './journal.ts';
import { childrenByParent, refuseBondsToThreads } from './moving-children.ts';
import { realTime } from './real-time.ts';
import { parseToSource, type ToSource } from './messages.ts';
import { SourceMemory } from './source-memory.ts';
import type { FrozenPid, MovingPid, SourceParts } from './parts.ts';
import { IMAGE_VERSION } from '../ghost/index.ts';

/** What a migration took. Times in microseconds. */
export interface MigrationReport {
  /** From the first thread's stop to the last thread's start on the other node, by CLOCK_REALTIME. */
  downtimeMicroseconds: number;
  totalMicroseconds: number;
  /** Bytes of pages sent. */
  bytes: number;
  preCopyRounds: number;
  /** Where the downtime went, by step. */
  phases: Record<string, number>;
}

interface Frozen extends FrozenPid {
  observed: ObservedThreads;
  /** Once it has been captured. */
  image: ProcessImage | undefined;
}

export interface SourceOptions {
  readonly journal: JournalEntry<SourceRecord>;
  /** The container's group of groups of processes. */
  readonly processGroups: ControlGroup;
  /** This node. */
  readonly node: number;
}

function refusePages(): never {
  throw new KorriganError('KRG_PEER_PROTOCOL', 'the target sent pages');
}

export class SourceMigration {
  private readonly channel: MigrationChannel;
  private readonly processes: readonly MovingPid[];
  private readonly parts: SourceParts;
  private state: SourceState = 'preparing';
  private memories: readonly { readonly process: MovingPid; readonly memory: SourceMemory }[] = [];
  private frozen: Frozen[] = [];
  /** Children that move along, by the host pid of their parent. */
  private children = new Map<number, MovingChild[]>();
  private hold: Hold | undefined;
  private readonly journal: JournalEntry<SourceRecord>;
  private readonly options: SourceOptions;
  private readonly phases: Record<string, number> = {};

  constructor(channel: MigrationChannel, processes: readonly MovingPid[], parts: SourceParts, options: SourceOptions) {
    this.channel = channel;
    this.processes = processes;
    this.parts = parts;
    this.options = options;
    this.journal = options.journal;
  }

  /**
   * Runs the migration to its end. On any failure before the decision the processes go on here and the failure is thrown.
   * @param migration its id
   * @param family the processes, when they were held still to be described: nothing of them is sent while they run then
   * @returns undefined when something failed after the decision: what is left here is frozen or parked, and must be settled
   */
  run(migration: string, family?: HeldFamily): MigrationReport | undefined {
    // A family that is held stands still while its move is prepared.
    const startedAt = family?.since ?? realTime();
    this.frozen = (family?.handOver() ?? []).map((held) => ({ ...held, image: undefined }));
    try {
      this.prepare(migration);
      if (family === undefined) this.sendAhead();
      // The target lets us stop them when they have got what was sent to their husks there.
      this.parts.letSignalsThrough();
      this.channel.send({ kind: 'freezing', kernel: kernelIdentity(), processor: currentProcessor() });
      this.expect('awake');
      this.parts.keepSignalsBack();
      this.channel.isAttentive = true;
      if (family === undefined) for (const { hostPid } of this.processes) letSignalsBeTaken(hostPid);
      const observed = family === undefined ? this.processes.map(({ hostPid }) => observeThreads(hostPid)) : [];
      const frozenAt = family?.since ?? realTime();
      if (family === undefined) this.timed('stop', () => this.stop(observed));
      this.freeze();
      const runningAt = this.handOver();
      return {
        downtimeMicroseconds: Number(runningAt - frozenAt) / 1000,
        totalMicroseconds: Number(realTime() - startedAt) / 1000,
        bytes: this.channel.pageBytes,
        preCopyRounds: Math.max(0, ...this.memories.map(({ memory }) => memory.rounds)),
        phases: this.phases,
      };
    } catch (error) {
      if (this.state === 'preparing' || this.state === 'frozen') this.abortWith(error);
      if (this.state !== 'committed' && this.state !== 'done') throw error;
      this.letGo();
      return undefined;
    } finally {
      this.hold?.[Symbol.dispose]();
      for (const { memory } of this.memories) memory[Symbol.dispose]();
    }
  }

  private prepare(migration: string): void {
    if (this.processes.length === 0) throw new KorriganError('KRG_BAD_REQUEST', 'no process to move was named');
    this.channel.send({
      kind: 'hello',
      imageVersion: IMAGE_VERSION,
      pids: this.processes.map(({ pid }) => pid),
      vdso: vdsoDigest(),
      features: processorFeatures(),
    });
    const { processGroups, node } = this.options;
    const held = this.processes.map(({ pid, hostPid }) => ({ hostPid, capabilities: groupNameOf(pid, hostPid, givenTo(pid, hostPid)) }));
    this.hold = Hold.gather(moveGroup(processGroups, migration), held, (cgroup) => this.journal.update({ cgroup }));
    this.memories = this.processes.map((process) => ({ process, memory: new SourceMemory(this.channel, process) }));
    this.expect('ready');
    faultPoint(node, 'source.prepared');
  }

  private sendAhead(): void {
    for (const { memory } of this.memories) memory.preCopy();
    const files = this.parts.captureFilesAhead(this.memories.map(({ process, memory }) => ({ ...process, areas: memory.sendLayout() })));
    if (files !== undefined) this.channel.send({ kind: 'files-ahead', files });
  }

  private stop(observed: readonly ObservedThreads[]): void {
    for (const [n, process] of this.processes.entries()) {
      const remote = RemoteProcess.stop(process.hostPid);
      this.frozen.push({ ...process, remote, observed: observed[n], image: undefined });
    }
  }

  private freeze(): void {
    const { node } = this.options;
    this.step({ kind: 'frozen' });
    faultPoint(node, 'source.stopped');
    this.children = childrenByParent(this.frozen);
    const objects = new Map<string, Area>();
    const send = (frozen: Frozen): void => {
      this.timed('memory', () => this.memoryOf(frozen).sendUnchanged());
      this.timed('capture', () => this.sendImage(frozen, objects));
    };
    const [first, ...others] = this.frozen;
    if (first !== undefined) send(first);
    const positions = this.timed('files', () => this.parts.findPositions());
    if (positions === undefined) {
      for (const frozen of others) send(frozen);
      faultPoint(node, 'source.captured');
      const mapping = this.frozen.map((each) => ({ ...each, areas: each.image?.areas ?? [] }));
      this.timed('files', () => this.channel.send({ kind: 'files', files: this.parts.captureFiles(mapping) }));
      this.timed('contents', () => this.sendContents());
      for (const frozen of this.frozen) this.sendRest(frozen);
    } else {
      this.channel.send({ kind: 'positions', positions });
      // The target completes one process while this side captures the next.
      for (const [n, frozen] of this.frozen.entries()) {
        if (n > 0) send(frozen);
        this.refuseNamelessMappings(frozen);
        this.sendRest(frozen);
        if (n < others.length) this.channel.send({ kind: 'process-complete', pid: frozen.pid });
      }
      faultPoint(node, 'source.captured');
    }
    this.notePending();
    this.channel.send({ kind: 'complete' });
    // Whatever becomes of this daemon now, they do not run until it is decided where.
    this.hold?.freeze();
    faultPoint(node, 'source.complete');
    this.timed('verify', () => this.parts.verify());
  }

  private sendImage(frozen: Frozen, objects: Map<string, Area>): void {
    const { remote, pid, observed } = frozen;
    remote.openRegion(captureRegionSize(remote.threads.length));
    const memory = this.memoryOf(frozen);
    const image = captureProcess(remote, memory.flags, observed, this.children.get(remote.pid));
    frozen.image = image;
    refuseBondsToThreads(frozen, image, this.frozen);
    image.areas = resolveAliases(image.areas, objects);
    const discarded = memory.discarded(image.areas);
    const sameLayout = memory.isLayout(image.areas);
    this.channel.send({ kind: 'image', pid, image: sameLayout ? { ...image, areas: [] } : image, discarded, sameLayout });
  }

  private memoryOf({ pid }: Frozen): SourceMemory {
    const found = this.memories.find(({ process }) => process.pid === pid);
    if (found === undefined) throw new Error(`process ${pid} is frozen, but nothing is known of its memory`);
    return found.memory;
  }

  private sendRest(frozen: Frozen): void {
    this.timed('memory', () => this.memoryOf(frozen).sendRest(frozen.image?.areas ?? []));
  }

  /** @throws KorriganError KRG_PROCESS_BUSY: the files went ahead without those */
  private refuseNamelessMappings({ image }: Frozen): void {
    if (image?.areas.some(isNamelessMapping) === true)
      throw new KorriganError('KRG_PROCESS_BUSY', 'the process mapped a file without a name while the move was being prepared; try again');
  }

  private sendContents(): void {
    for (const { object, fd, extents } of this.parts.contents) {
      using contents = new FileContents(fd);
      for (const { offset, length } of extents) this.channel.sendContents(object, offset, offset + length, contents.read);
    }
  }

  /** @returns when the processes started on the target */
  private handOver(): bigint {
    const { node } = this.options;
    this.timed('import', () => this.expect('imported'));
    faultPoint(node, 'source.voted');
    this.step({ kind: 'message', message: 'imported' });
    faultPoint(node, 'source.committed');
    const running = this.timed('commit', () => this.expect('running'));
    faultPoint(node, 'source.confirmed');
    this.timed('deflate', () => this.step({ kind: 'message', message: 'running' }));
    return running.at;
  }

  private step(event: SourceEvent): void {
    const { state, effects } = stepSource(this.state, event);
    this.state = state;
    this.journal.setState(state);
    for (const effect of effects) this.perform(effect);
  }

  /** Signals that travel along, so that they are found again whoever makes husks of the processes. */
  private notePending(): void {
    const pending = this.frozen.flatMap(({ pid, remote, image }) => [
      ...countSignals(image?.pending ?? []).map((counted) => ({ pid, thread: 0, ...counted })),
      ...(image?.threads ?? []).flatMap((thread, n) =>
        countSignals(thread.pending).map((counted) => ({ pid, thread: remote.threads[n]?.tracee.tid ?? 0, ...counted })),
      ),
    ]);
    if (pending.length > 0) this.journal.update({ pending });
  }

  /** The decision stands: nobody of this thread holds the processes any longer; the group does, or they wait for ever. */
  private letGo(): void {
    for (const { remote } of this.frozen) remote.abandon();
    this.parts.releaseFiles();
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        if (effect.message === 'commit') this.channel.send({ kind: 'commit' });
        return;
      case 'resume':
        this.resume();
        return;
      case 'deflate':
        faultPoint(this.options.node, 'source.done');
        this.parts.committed();
        // None of them may go on here, whoever lets go of it.
        for (const { remote } of this.frozen) remote.park();
        this.hold?.thaw();
        continueLeftBehind(this.frozen);
        // Children before their parents, who would end threads of which they are the children.
        for (const frozen of this.frozen.toReversed()) {
          const { image, remote } = frozen;
          discardPending(remote, image?.pending ?? [], image?.threads.map((thread) => thread.pending) ?? []);
          this.parts.deflate(frozen, remote);
        }
        this.parts.releaseFiles();
        this.parts.releaseTerminals();
        faultPoint(this.options.node, 'source.deflated');
        return;
      default:
        throw new Error(`the source does not ${effect.kind}`);
    }
  }

  /** Every process goes on, whatever becomes of the others. */
  private resume(): void {
    this.hold?.thaw();
    const failures: unknown[] = [];
    const attempt = (action: () => void, otherwise: () => void = () => undefined): void => {
      try {
        action();
      } catch (error) {
        otherwise();
        if (!isDeath(error)) failures.push(error);
      }
    };
    attempt(() => this.parts.retakeLocks());
    for (const frozen of this.frozen) {
      const { remote, image } = frozen;
      const waits = image?.threads.map(({ wait }) => wait) ?? [];
      attempt(
        () => (image === undefined && !remote.hasRegion ? releaseUnchanged(frozen) : releaseWaiting(remote, waits)),
        () => remote.leave(),
      );
    }
    this.parts.releaseFiles();
    this.parts.releaseTerminals();
    if (failures.length > 0) throw failures[0];
  }

  private abortWith(error: unknown): void {
    this.step({ kind: 'failed' });
    const { code, message } = error instanceof KorriganError ? error : { code: 'KRG_INTERNAL', message: (error as Error).message };
    try {
      this.channel.send({ kind: 'abort', error: { code, message } });
    } catch (lost) {
      // The link is what failed: the target notices by itself.
      if (!(lost instanceof KorriganError)) throw lost;
    }
  }

  private expect<Kind extends ToSource['kind']>(kind: Kind): Extract<ToSource, { kind: Kind }> {
    const message = parseToSource(this.channel.receive({ pages: refusePages, contents: refusePages }));
    if (message.kind === kind) return message as Extract<ToSource, { kind: Kind }>;
    if (message.kind === 'refused') throw new KorriganError(message.error.code, message.error.message);
    throw new KorriganError('KRG_PEER_PROTOCOL', `the target answered "${message.kind}" where "${kind}" was due`);
  }

  private timed<T>(phase: string, action: () => T): T {
    const started = performance.now();
    try {
      return action();
    } finally {
      this.phases[phase] = (this.phases[phase] ?? 0) + (performance.now() - started) * 1000;
    }
  }
}
