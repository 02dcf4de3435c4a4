/**
 * The target's engine: receives processes over a channel and holds them, complete and stopped, until the source has decided. Blocking; runs
 * in a ghost worker.
 */
import { type Given, groupNameOf } from '../capability/index.ts';
import { avoidProcessor, type ControlGroup, KorriganError, type RemoteProcess } from '../linux/index.ts';
import { countSignals, Inflation, missingFeatures, type ProcessImage, vdsoDigest } from '../ghost/index.ts';
import { enterDirectories, kernelIdentity, type LentDescriptors } from '../fs/index.ts';
import { type Area, type MigrationChannel, type Receivers, writePages } from '../mm/index.ts';
import { ArrivingStops, type StoppingProcess } from './arriving-stops.ts';
import { type Effect, stepTarget, type TargetEvent, type TargetState } from './hand-over.ts';
import { faultPoint } from './fault-points.ts';
import { Hold, moveGroup } from './hold.ts';
import { identify, type JournalEntry, type TargetRecord } from './journal.ts';
import { checkImageVersion, parseToTarget, type ToTarget } from './messages.ts';
import type { HeldHusk, Lend, TargetParts } from './parts.ts';
import { realTime } from './real-time.ts';
import type { Settlement } from './settle.ts';

/** How long the source may take to hear that it is refused. */
const REFUSED_MILLISECONDS = 5000;

interface Arriving {
  husk: HeldHusk;
  inflation: Inflation;
  /** The husk is stopped by job control. */
  isHuskStopped: boolean;
  image: ProcessImage | undefined;
  /** Areas that came ahead of the freeze. */
  layout: readonly Area[];
  /** Known from the time when its files were installed. */
  lent: LentDescriptors | undefined;
  /** Signals that came along, of the process and its leader. */
  pending: readonly Uint8Array[];
  isComplete: boolean;
}

export interface TargetOptions {
  readonly journal: JournalEntry<TargetRecord>;
  /** The container's group of groups of processes. */
  readonly processGroups: ControlGroup;
  /** Capabilities of those that have been given any, by pid. */
  readonly given: ReadonlyMap<number, Given>;
  /** This node. */
  readonly node: number;
  /** Does what a decision means for processes that nobody holds any more. */
  readonly settle: (settlement: Settlement) => void;
}

export class TargetMigration {
  private readonly channel: MigrationChannel;
  private readonly parts: TargetParts;
  private state: TargetState = 'preparing';
  private readonly arriving = new Map<number, Arriving>();
  private readonly stops = new ArrivingStops((pid) => this.stopping(pid));
  /** Where shared memory of the processes restored so far can be opened. */
  private readonly objects = new Map<string, string>();
  private ownProcessor: Disposable | undefined;
  private readonly options: TargetOptions;
  private hold: Hold | undefined;

  constructor(channel: MigrationChannel, parts: TargetParts, options: TargetOptions) {
    this.channel = channel;
    this.parts = parts;
    this.options = options;
  }

  /**
   * Runs the import to its end.
   * @returns whether the processes run here, or were given up by the source, or, because the link was lost, are frozen until somebody asks
   * @throws what made the import fail; the source has been told and nothing is left here
   */
  run(migration: string): 'running' | 'given-up' | 'undecided' {
    try {
      this.prepare(migration);
      for (;;) {
        const message = this.receive();
        if (message.kind === 'abort') {
          this.step({ kind: 'message', message: 'abort' });
          return 'given-up';
        }
        if (message.kind === 'commit') {
          faultPoint(this.options.node, 'target.decided');
          this.step({ kind: 'message', message: 'commit' });
          faultPoint(this.options.node, 'target.arrived');
          return 'running';
        }
        if (this.state !== 'preparing')
          throw new KorriganError('KRG_PEER_PROTOCOL', `"${message.kind}" came after the import was complete`);
        this.take(message);
      }
    } catch (error) {
      if (this.state === 'preparing') this.refuse(error);
      if (this.state === 'imported') return 'undecided';
      throw error;
    } finally {
      this.parts.releaseFiles();
      this.hold?.[Symbol.dispose]();
      this.ownProcessor?.[Symbol.dispose]();
    }
  }

  private prepare(migration: string): void {
    const hello = this.receive();
    if (hello.kind !== 'hello') throw new KorriganError('KRG_PEER_PROTOCOL', `the migration stream begins with "${hello.kind}"`);
    checkImageVersion(hello.imageVersion);
    if (hello.vdso !== vdsoDigest()) {
      throw new KorriganError('KRG_NOT_MOVABLE', "the nodes' kernels have different vDSOs; the program may hold pointers into its own");
    }
    const missing = missingFeatures(hello.features);
    if (missing.length > 0) {
      throw new KorriganError(
        'KRG_NOT_MOVABLE',
        `the processor of this node lacks what the program may have found where it started: ${missing.join(', ')}`,
      );
    }
    this.parts.holdHusks();
    for (const pid of hello.pids) {
      const husk = this.parts.takeHusk(pid);
      const inflation = new Inflation(husk.remote, {
        returning: husk.returning,
        enterContainerRoot: () => this.parts.enterContainerRoot(pid, husk.remote),
        chooseNextPid: (next) => this.parts.chooseNextPid(next),
      });
      this.arriving.set(pid, {
        husk,
        inflation,
        isHuskStopped: husk.remote.main.groupStop !== 0,
        image: undefined,
        layout: [],
        lent: undefined,
        pending: [],
        isComplete: false,
      });
      inflation.clear(husk.own);
    }
    const { journal, processGroups, given, node } = this.options;
    const moving = [...this.arriving].map(([pid, { husk }]) => ({
      ...identify({ pid, hostPid: husk.remote.pid }),
      returning: husk.returning,
    }));
    const held = moving.map(({ pid, hostPid }) => ({ hostPid, capabilities: groupNameOf(pid, hostPid, given.get(pid)) }));
    this.hold = Hold.gather(moveGroup(processGroups, migration), held, (cgroup) => journal.update({ cgroup, processes: moving }));
    faultPoint(node, 'target.ready');
    this.channel.send({ kind: 'ready' });
  }

  private take(message: ToTarget): void {
    switch (message.kind) {
      case 'ahead': {
        const { inflation, husk } = this.process(message.pid);
        inflation.mapAhead(message.areas, husk.own);
        return;
      }
      case 'freezing':
        this.parts.awaitSignals();
        this.channel.isAttentive = true;
        if (message.kernel === kernelIdentity()) this.ownProcessor = avoidProcessor(message.processor);
        this.channel.send({ kind: 'awake' });
        return;
      case 'layout': {
        const arriving = this.process(message.pid);
        arriving.layout = message.areas;
        arriving.inflation.mapLayout(message.areas, arriving.husk.own);
        return;
      }
      case 'image': {
        const { inflation, husk, layout } = this.process(message.pid);
        checkImageVersion(message.image.version);
        if (message.sameLayout) message.image.areas = layout;
        inflation.mapMemory(message.image, husk.own, message.discarded, this.objects);
        this.process(message.pid).image = message.image;
        this.process(message.pid).pending = [...message.image.pending, ...(message.image.threads[0]?.pending ?? [])];
        faultPoint(this.options.node, 'target.image');
        return;
      }
      case 'files-ahead':
        this.parts.installFilesAhead(message.files, this.remotes(), this.lend);
        return;
      case 'positions':
        this.parts.setPositions(message.positions);
        return;
      case 'files':
        this.parts.installFiles(message.files, this.remotes(), this.lend);
        return;
      case 'process-complete':
        if (this.concernsStops) return;
        this.completeProcess(message.pid);
        this.process(message.pid).inflation.leaveMemory();
        return;
      case 'complete': {
        this.complete();
        this.step({ kind: 'imported' });
        faultPoint(this.options.node, 'target.imported');
        return;
      }
      default:
        throw new KorriganError('KRG_PEER_PROTOCOL', `"${message.kind}" came at the wrong time`);
    }
  }

  /** Everything is as it will be; the group alone holds the processes, whatever becomes of this daemon. */
  private complete(): void {
    const { node } = this.options;
    this.parts.sealFiles();
    const left = [...this.arriving].filter(([, { isComplete }]) => !isComplete);
    // Children before their parents, who hear nothing of what is done to them until they are complete.
    for (const [pid] of left.toReversed()) this.completeProcess(pid);
    for (const [pid, { inflation }] of left) {
      const process = this.stopping(pid);
      if (process !== undefined) this.stops.finish(process);
      inflation.leaveMemory();
    }
    faultPoint(node, 'target.completed');
    this.hold?.freeze();
    faultPoint(node, 'target.frozen');
    for (const { inflation } of this.arriving.values()) inflation.resume();
    this.parts.letGo();
  }

  private completeProcess(pid: number): void {
    const arriving = this.process(pid);
    const process = this.stopping(pid);
    if (arriving.isComplete) return;
    if (process === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `process ${pid} is complete without an image`);
    const { husk, lent } = arriving;
    this.stops.complete(process, () =>
      arriving.inflation.complete(husk.own, (program) => lent !== undefined && enterDirectories(program, lent)),
    );
    this.notePending(pid, arriving.pending);
    arriving.isComplete = true;
  }

  /** Is anybody stopped, or not yet known to go on? Parents are completed after all of their children then. */
  private get concernsStops(): boolean {
    return [...this.arriving.values()].some(({ isHuskStopped, image }) => isHuskStopped || (image?.changedChildren.length ?? 0) > 0);
  }

  private stopping(pid: number): StoppingProcess | undefined {
    const arriving = this.arriving.get(pid);
    if (arriving?.image === undefined) return undefined;
    return { image: arriving.image, remote: arriving.husk.remote, isHuskStopped: arriving.isHuskStopped };
  }

  /** Signals that have come along, so that a husk that takes the process's place again does not bring them to it. */
  private notePending(pid: number, pending: readonly Uint8Array[]): void {
    const { journal } = this.options;
    if (pending.length === 0) return;
    const counted = countSignals(pending).map((signals) => ({ pid, thread: 0, ...signals }));
    journal.update({ pending: [...journal.record.pending, ...counted] });
  }

  private step(event: TargetEvent): void {
    const { state, effects } = stepTarget(this.state, event);
    this.state = state;
    this.options.journal.setState(state);
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        if (effect.message === 'imported') this.channel.send({ kind: 'imported' });
        return;
      case 'run': {
        this.hold?.thaw();
        const at = realTime();
        faultPoint(this.options.node, 'target.running');
        this.channel.send({ kind: 'running', at });
        for (const { inflation } of this.arriving.values()) inflation.settle();
        this.parts.releaseTerminals();
        return;
      }
      case 'discard':
        this.parts.discard();
        this.options.settle('discard');
        return;
      default:
        throw new Error(`the target does not ${effect.kind}`);
    }
  }

  private refuse(error: unknown): void {
    const { code, message } = error instanceof KorriganError ? error : { code: 'KRG_INTERNAL', message: (error as Error).message };
    try {
      this.step({ kind: 'failed' });
    } finally {
      // Also when something here cannot be undone: the source goes on, and its user learns why.
      this.tellRefusal({ code, message });
    }
  }

  private tellRefusal(error: { code: string; message: string }): void {
    try {
      this.channel.finish({ kind: 'refused', error }, REFUSED_MILLISECONDS);
    } catch (lost) {
      if (!(lost instanceof KorriganError)) throw lost; // the link is what failed; the source notices by itself
    }
  }

  private receive(): ToTarget {
    return parseToTarget(this.channel.receive(this.receivers));
  }

  private remotes(): Map<number, RemoteProcess> {
    return new Map([...this.arriving].map(([pid, { husk }]) => [pid, husk.remote]));
  }

  private process(pid: number): Arriving {
    const arriving = this.arriving.get(pid);
    if (arriving === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `process ${pid} is not part of this migration`);
    return arriving;
  }

  private readonly lend: Lend = (pid, lent) => {
    const arriving = this.process(pid);
    arriving.lent = lent;
    if (lent.mapped.size > 0) arriving.inflation.mapNameless(lent.mapped);
  };

  private readonly receivers: Receivers = {
    pages: (pid, address, native, length) => writePages(this.process(pid).husk.remote.pid, address, native, length),
    contents: (object, offset, native, length) => this.parts.writeContents(object, offset, native, length),
  };
}
