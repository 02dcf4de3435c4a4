/** Migration as the daemon's main thread sees it: moves are tried until the family holds still, and earlier ones are brought to their end. */
import type { Container } from '../container/index.ts';
import type { Finding } from '../ghost/index.ts';
import { attempt, type Conversation, converse, isKorriganError, KorriganError, readProcessFile, readStatus } from '../linux/index.ts';
import type { ProcService, Resident } from '../proc/index.ts';
import type { NodeId, RpcNode } from '../rpc/index.ts';
import { RelayService, type Streams } from '../streams/index.ts';
import { Arrivals } from './arrivals.ts';
import { Departures, type Migration, prepareCall } from './departures.ts';
import { thawGroup } from './hold.ts';
import type { ContainerReference } from './jobs.ts';
import { JournalEntry } from './journal.ts';
import type { MovingPid } from './parts.ts';
import { examineOpenFiles } from './examination.ts';
import { childrenOf } from './relations.ts';
import { Settlements } from './settlements.ts';
import type { GhostWorkers } from './workers.ts';

/** A family that changes, and a process that waits for a disk, are tried again for so long, and at least so often. */
const PATIENCE_MILLISECONDS = 5000;
const LEAST_ATTEMPTS = 5;
const CHANGE_MILLISECONDS = 5;

export interface MigrationServiceOptions {
  readonly rpc: RpcNode;
  readonly container: Container;
  readonly streams: Streams;
  readonly workers: GhostWorkers;
  readonly proc: ProcService;
  /** Address of this node on which migrations arrive. */
  readonly host: string;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  readonly recordPipe: number;
  readonly homeOf: (pid: number) => NodeId;
  /** Does the node take part in the cluster? */
  readonly isLiving: (node: NodeId) => boolean;
  /** @throws KorriganError KRG_CAPABILITY_MISSING when a process may not be moved */
  readonly checkMigrate: (pid: number) => void;
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export class MigrationService implements Disposable {
  private readonly options: MigrationServiceOptions;
  private readonly relays: RelayService;
  private readonly arrivals: Arrivals;
  private readonly departures: Departures;
  private readonly settlements: Settlements;

  constructor(options: MigrationServiceOptions) {
    this.options = options;
    this.relays = new RelayService(options);
    const { rpc, proc, container, log } = options;
    this.settlements = new Settlements({
      rpc,
      slots: container.records,
      life: container.life,
      log,
      settle: async (slot, settlement) => {
        const { record } = JournalEntry.open(container.records, slot);
        // They need not wait for a thread that can trace.
        if (settlement === 'run' || (record.role === 'source' && settlement === 'resume' && record.locks.length === 0))
          thawGroup(record.cgroup);
        if (settlement !== 'run' || record.terminals.length > 0)
          await options.workers.run({ kind: 'settle', container: this.containerReference, slot, settlement });
      },
      onLeft: (record) => this.departures.left(record),
      onDeflated: ({ processes }) => proc.deflated(pidsOf(processes)),
      onKilled: ({ processes }) => proc.mayHaveDied(pidsOf(processes)),
      isLiving: options.isLiving,
      onAborted: ({ migration }) => this.relays.aborted(migration),
      onDecided: (record, runsHere) => this.arrivals.decided(record, runsHere),
    });
    this.relays.settleAllBut(new Set(this.settlements.known.map(({ record }) => record.migration)));
    const { relays, settlements, containerReference } = this;
    this.arrivals = new Arrivals({ ...options, relays, settlements, containerReference });
    this.departures = new Departures({ ...options, relays, settlements, containerReference });
    rpc.handle(prepareCall, async ({ life, ...arrival }, { caller }) => ({
      ...(await this.arrivals.prepare(arrival, { peer: caller, peerLife: life })),
      life: container.life,
    }));
    for (const { record, processes } of this.settlements.elsewhere) {
      for (const { pid: moving } of processes)
        if (options.homeOf(moving) === rpc.id) proc.left([moving], record.peer).catch(() => undefined);
    }
  }

  /** See Settlements. */
  get undecided(): ReadonlySet<number> {
    return this.settlements.undecided;
  }

  /** Brings to their end the moves that an earlier daemon left behind, and takes away what it left in processes. */
  recover(residents: readonly (Resident & { readonly hostPid: number })[]): void {
    const { log, workers } = this.options;
    const entries = this.settlements.known;
    for (const entry of entries) {
      this.closeDescriptors(entry);
      this.settlements
        .settle(entry)
        .catch((error: unknown) => log.warn({ migration: entry.record.migration, error }, 'a move could not be settled'));
    }
    const moving = new Set(entries.flatMap(({ record }) => record.processes.map((process) => process.pid)));
    const hostPids = residents
      .filter(({ pid: resident, kind }) => kind === 'process' && !moving.has(resident))
      .map(({ hostPid }) => hostPid);
    workers
      .run({ kind: 'tidy', hostPids })
      .catch((error: unknown) => log.warn({ error }, 'memory that an earlier daemon left in processes could not be taken away'));
  }

  /** Files that pid 1 would keep open for nobody. */
  private closeDescriptors(entry: JournalEntry): void {
    const { record } = entry;
    if (record.role !== 'target' || record.descriptors.length === 0) return;
    const { lane } = this.options.container;
    converse(lane, closeAll(record.descriptors));
    entry.update({ descriptors: [] });
  }

  /**
   * Moves a process of this node, alone or with its tree.
   * @throws KorriganError KRG_CAPABILITY_MISSING, KRG_NOT_MOVABLE, KRG_PROCESS_BUSY, KRG_PROCESS_ELSEWHERE, KRG_NO_SUCH_PROCESS …; the processes go on where they are then
   */
  async migrate(moving: number, target: NodeId, withTree: boolean): Promise<Migration> {
    if (target === this.options.rpc.id) throw new KorriganError('KRG_BAD_REQUEST', `process ${moving} runs on node ${target} already`);
    const started = performance.now();
    for (let attempts = 1; ; attempts++) {
      // The source tells of a move as soon as the process runs here; this daemon may not have taken note of all that came along.
      await this.arrivals.underWay(moving);
      const root = this.find(moving);
      const before = likeness(root, withTree);
      try {
        return await this.departures.attempt({ root, withTree, target, isStill: attempts > 1 });
      } catch (error) {
        const isOver = performance.now() - started > PATIENCE_MILLISECONDS && attempts >= LEAST_ATTEMPTS;
        if (isOver || (this.departures.isLeaving(moving) && isKorriganError(error, 'KRG_PROCESS_BUSY'))) throw error;
        // A child between vfork and exec, or one that has just ended, looks like an obstacle and is none a moment later.
        await new Promise((resolve) => setTimeout(resolve, CHANGE_MILLISECONDS));
        if (likeness(this.find(moving), withTree) === before && !isKorriganError(error, 'KRG_PROCESS_BUSY')) throw error;
      }
    }
  }

  /** Is it on its way to another node? */
  isLeaving(pid: number): boolean {
    return this.departures.isLeaving(pid);
  }

  /** Is a move at work on it, to another node or from one? */
  isMoving(pid: number): boolean {
    return this.departures.isLeaving(pid) || this.settlements.of(pid) !== undefined;
  }

  /** Other nodes take part in the cluster than before. */
  membersChanged(): void {
    this.relays.membersChanged();
  }

  /** Lets go of the relays: they wait for the next daemon. */
  [Symbol.dispose](): void {
    this.settlements.close();
    this.relays[Symbol.dispose]();
  }

  /** What a move would do to each open file of a process of this node. */
  explainFiles(examined: number): Finding[] {
    return examineOpenFiles(this.find(examined), this.options.container, this.relays.examination);
  }

  private find(wanted: number): MovingPid {
    const hostPid = this.options.container.hostPidOf(wanted);
    if (hostPid === undefined || readStatus(hostPid) === undefined) {
      throw new KorriganError('KRG_NO_SUCH_PROCESS', `there is no process ${wanted} on this node`);
    }
    if (this.options.proc.isHusk(wanted))
      throw new KorriganError('KRG_PROCESS_ELSEWHERE', `process ${wanted} runs on another node, or is on its way; try again`);
    return { pid: wanted, hostPid };
  }

  private get containerReference(): ContainerReference {
    const { container, recordPipe } = this.options;
    return {
      initPid: container.initPid,
      recordPipe,
      processGroups: container.cgroup.child('processes').path,
      procfs: container.procfsPath,
    };
  }
}

function* closeAll(fds: readonly number[]): Conversation<void> {
  yield fds.map((fd) => attempt('close', fd));
}

function pidsOf(processes: readonly { readonly pid: number }[]): number[] {
  return processes.map(({ pid }) => pid);
}

/** Changes when a process of the family is born, ends or executes another program. */
function likeness(root: MovingPid, withTree: boolean): string {
  const hostPids = [root.hostPid];
  for (const hostPid of hostPids) if (withTree || hostPid === root.hostPid) hostPids.push(...childrenOf(hostPid));
  return hostPids.map((hostPid) => `${hostPid} ${readProcessFile(hostPid, 'auxv') ?? 'ended'}`).join('\n');
}
