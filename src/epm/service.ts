/**
 * Migration as the daemon's main thread sees it: asks the target to prepare, lets a ghost worker do the rest, and tells proc where the
 * processes are.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Container } from '../container/index.ts';
import {
  attempt,
  type Conversation,
  converse,
  isErrno,
  isKorriganError,
  KorriganError,
  readProcessFile,
  readProcessLink,
  readStat,
  readStatus,
  shareMemory,
} from '../linux/index.ts';
import { ContainerTable, describeFamily, familySchema, type ProcService, type Resident, treeBelow } from '../proc/index.ts';
import { defineCall, type NodeId, type RpcNode } from '../rpc/index.ts';
import { examineProcess, type Finding } from '../ghost/index.ts';
import { RelayService, type Streams } from '../streams/index.ts';
import { Arrivals } from './arrivals.ts';
import type { ContainerReference } from './jobs.ts';
import { thawGroup } from './hold.ts';
import { identify, JournalEntry, type SourceRecord } from './journal.ts';
import type { MovingPid } from './parts.ts';
import { examineOpenFiles } from './examination.ts';
import { answerQuestion } from './questions.ts';
import { childrenOf, processesOfContainer, traceeOf } from './relations.ts';
import { Settlements } from './settlements.ts';
import type { MigrationReport } from './source.ts';
import type { GhostWorkers } from './workers.ts';

/** The target makes room for the processes and opens a port for one connection that carries the ticket. */
const prepareCall = defineCall(
  'epm.prepare',
  z.object({ migration: z.string(), family: familySchema }),
  z.object({ host: z.string(), port: z.number(), ticket: z.string() }),
);
const PREPARE_MILLISECONDS = 30_000;
const HOME_RETRY_MILLISECONDS = 200;
/** A family that changes while it is being prepared, and a process that waits for a disk, are asked again for so long. */
const PATIENCE_MILLISECONDS = 2000;
/** States in /proc/PID/stat: stopped by job control; no signal wakes it. */
const STOPPED = 'T';
const UNINTERRUPTIBLE = 'D';
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
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

/** A finished move. */
export interface Migration extends MigrationReport {
  readonly pids: readonly number[];
  readonly from: NodeId;
  readonly to: NodeId;
}

export class MigrationService implements Disposable {
  private readonly options: MigrationServiceOptions;
  private readonly busy = new Set<number>();
  private readonly relays: RelayService;
  private readonly arrivals: Arrivals;
  private readonly settlements: Settlements;

  constructor(options: MigrationServiceOptions) {
    this.options = options;
    this.relays = new RelayService(options);
    const { rpc, proc, container, log } = options;
    this.settlements = new Settlements({
      rpc,
      slots: container.records,
      log,
      settle: async (slot, settlement) => {
        const { record } = JournalEntry.open(container.records, slot);
        // They need not wait for a thread that can trace.
        if (settlement === 'run' || (record.role === 'source' && settlement === 'resume' && record.locks.length === 0))
          thawGroup(record.cgroup);
        if (settlement !== 'run' || record.terminals.length > 0)
          await options.workers.run({ kind: 'settle', container: this.containerReference, slot, settlement });
      },
      onLeft: (record) => this.left(record),
      onDeflated: ({ processes }) => proc.deflated(pidsOf(processes)),
      onAborted: ({ migration }) => this.relays.aborted(migration),
      onDecided: (record, runsHere) => this.arrivals.decided(record, runsHere),
    });
    this.relays.settleAllBut(new Set(this.settlements.known.map(({ record }) => record.migration)));
    this.arrivals = new Arrivals({
      ...options,
      relays: this.relays,
      settlements: this.settlements,
      containerReference: this.containerReference,
    });
    rpc.handle(prepareCall, ({ migration, family }, { caller }) => this.arrivals.prepare(migration, family, caller));
    for (const { record, state } of this.settlements.known) {
      const isElsewhere = record.role === 'target' ? state !== 'running' : state === 'committed' || state === 'done';
      for (const { pid: moving } of record.processes) {
        if (isElsewhere && options.homeOf(moving) === rpc.id) proc.left([moving], record.peer).catch(() => undefined);
      }
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
   * @throws KorriganError KRG_NOT_MOVABLE, KRG_PROCESS_BUSY, KRG_NO_SUCH_PROCESS …; the processes go on here then
   */
  async migrate(moving: number, target: NodeId, withTree: boolean): Promise<Migration> {
    if (target === this.options.rpc.id) throw new KorriganError('KRG_BAD_REQUEST', `process ${moving} runs on node ${target} already`);
    const started = performance.now();
    for (;;) {
      // The source tells of a move as soon as the process runs here; this daemon may not have taken note of all that came along.
      await this.arrivals.underWay(moving);
      const before = likeness(this.find(moving), withTree);
      try {
        return await this.attempt(moving, target, withTree);
      } catch (error) {
        const isOver = performance.now() - started > PATIENCE_MILLISECONDS;
        if (isOver || (this.busy.has(moving) && isKorriganError(error, 'KRG_PROCESS_BUSY'))) throw error;
        // A child between vfork and exec, or one that has just ended, looks like an obstacle and is none a moment later.
        await new Promise((resolve) => setTimeout(resolve, CHANGE_MILLISECONDS));
        if (likeness(this.find(moving), withTree) === before && !isKorriganError(error, 'KRG_PROCESS_BUSY')) throw error;
      }
    }
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

  private async attempt(moving: number, target: NodeId, withTree: boolean): Promise<Migration> {
    const family = this.familyOf(moving, withTree);
    const taken = family.find((relative) => this.busy.has(relative.pid) || this.settlements.of(relative.pid) !== undefined);
    if (taken !== undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${taken.pid} is being moved already`);
    const pids = family.map(({ pid }) => pid);
    for (const pid of pids) this.busy.add(pid);
    try {
      await this.options.proc.leaveAlone(pids);
      this.preflight(family);
      return await this.move(family, target);
    } finally {
      this.options.proc.disturb(pids);
      for (const pid of pids) this.busy.delete(pid);
    }
  }

  private preflight(family: readonly MovingPid[]): void {
    const { container } = this.options;
    const own = (name: string): string | undefined => readProcessLink(container.initPid, `ns/${name}`);
    const tracing = traceeOf(family, processesOfContainer(container.cgroup));
    if (tracing !== undefined) {
      const { tracer, tracee } = tracing;
      const reason = `it traces process ${container.containerPidOf(tracee) ?? tracee}; end that first`;
      throw new KorriganError('KRG_NOT_MOVABLE', `process ${tracer.pid} cannot move: tracing: ${reason}`);
    }
    for (const { pid: examined, hostPid } of family) {
      const state = readStat(hostPid)?.state;
      if (state === undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${examined} has just ended`);
      if (state === UNINTERRUPTIBLE) {
        throw new KorriganError('KRG_PROCESS_BUSY', `process ${examined} waits in the kernel (a disk, a vfork) and cannot be stopped now`);
      }
      const mate = [readStat(hostPid)?.parent ?? 0, ...childrenOf(hostPid)].find(
        (relative) => relative > 0 && sharesMemory(hostPid, relative),
      );
      if (mate !== undefined) {
        // A vfork ends in a moment; a shared address space that stays is refused after the last attempt.
        throw new KorriganError(
          'KRG_PROCESS_BUSY',
          `process ${examined} cannot move: it shares its address space with another process (vfork or CLONE_VM)`,
        );
      }
      const obstacle = examineProcess(hostPid).find(({ verdict }) => verdict === 'refused');
      if (obstacle !== undefined) {
        throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: ${obstacle.resource}: ${obstacle.reason}`);
      }
      if (state === STOPPED && family.some((other) => other.hostPid === readStat(hostPid)?.parent)) {
        const reason = 'it is stopped, and its parent, which moves too, would be told of it a second time; continue it first';
        throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: ${reason}`);
      }
      const foreign = NAMESPACES.find((name) => (readProcessLink(hostPid, `ns/${name}`) ?? own(name)) !== own(name));
      if (foreign !== undefined) {
        throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: it has a ${foreign} namespace of its own`);
      }
    }
  }

  private async move(family: readonly MovingPid[], target: NodeId): Promise<Migration> {
    const { rpc, workers, proc, container, log } = this.options;
    const pids = pidsOf(family);
    const migration = randomBytes(8).toString('hex');
    const started = performance.now();
    const entry = this.settlements.begin<SourceRecord>({
      role: 'source',
      migration,
      peer: target,
      processes: family.map(identify),
      pending: [],
      locks: [],
      terminals: [],
    });
    let result;
    try {
      const described = describeFamily(pids, new ContainerTable(container.procfsPath));
      const options = { deadlineMs: PREPARE_MILLISECONDS, idempotencyKey: `prepare ${migration}` };
      const prepared = await rpc.call(target, prepareCall, { migration, family: described }, options);
      const inMove = new Set(family.map(({ hostPid }) => hostPid));
      result = await workers.run(
        {
          kind: 'source',
          container: this.containerReference,
          slot: entry.slot,
          ...prepared,
          migration,
          moving: [...family],
          family: described,
          others: processesOfContainer(container.cgroup).filter((hostPid) => !inMove.has(hostPid)),
          node: rpc.id,
          relays: this.relays.known,
        },
        (message) => {
          if (message.kind === 'question') void answerQuestion(message, migration, { relays: this.relays, proc });
          if (message.kind === 'committed') void this.left(entry.record).finally(() => acknowledge(message.acknowledged));
        },
      );
    } catch (error) {
      await this.settlements.giveUp(entry);
      this.relays.aborted(migration);
      throw error;
    }
    if (result.kind === 'unconfirmed') {
      await this.settlements.settle(entry);
      const microseconds = (performance.now() - started) * 1000;
      const report = { downtimeMicroseconds: microseconds, totalMicroseconds: microseconds, bytes: 0, preCopyRounds: 0, phases: {} };
      log.info({ migration, pids, target }, 'migrated, after the link was lost');
      return { ...report, pids, from: rpc.id, to: target };
    }
    await proc.deflated(pids);
    this.settlements.end(entry);
    if (result.kind !== 'moved') throw new Error(`a source worker answered "${result.kind}"`);
    log.info({ migration, pids, target, ...result.report }, 'migrated');
    return { ...result.report, pids, from: rpc.id, to: target };
  }

  /** The processes run on the target. The home of each is told, until it knows: what is left of them here may end only then. */
  private async left({ migration, processes, peer }: SourceRecord): Promise<void> {
    const { proc, log } = this.options;
    this.relays.committed(migration);
    await Promise.all(
      processes.map(async ({ pid: gone }) => {
        for (;;) {
          try {
            await proc.left([gone], peer);
            return;
          } catch (error) {
            log.warn({ pid: gone, error }, 'the home of a process does not answer; it is told again where the process is');
            await new Promise((resolve) => setTimeout(resolve, HOME_RETRY_MILLISECONDS));
          }
        }
      }),
    );
  }

  /** The process and, if asked for, everything below it that runs here; parents before children. */
  private familyOf(root: number, withTree: boolean): MovingPid[] {
    const { container, proc } = this.options;
    const pids = withTree ? treeBelow(root, new ContainerTable(container.procfsPath)) : [root];
    return pids
      .filter((candidate) => !proc.isHusk(candidate))
      .map((candidate) => {
        try {
          return this.find(candidate);
        } catch (error) {
          if (candidate === root) throw error;
          throw new KorriganError('KRG_PROCESS_BUSY', `a process below ${root} has just ended; try again`, { cause: error });
        }
      });
  }

  private find(wanted: number): MovingPid {
    const hostPid = this.options.container.hostPidOf(wanted);
    if (hostPid === undefined || readStatus(hostPid) === undefined) {
      throw new KorriganError('KRG_NO_SUCH_PROCESS', `there is no process ${wanted} on this node`);
    }
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

function acknowledge(word: Int32Array): void {
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}

/** Changes when a process of the family is born, ends or executes another program. */
function likeness(root: MovingPid, withTree: boolean): string {
  const hostPids = [root.hostPid];
  for (const hostPid of hostPids) if (withTree || hostPid === root.hostPid) hostPids.push(...childrenOf(hostPid));
  return hostPids.map((hostPid) => `${hostPid} ${readProcessFile(hostPid, 'auxv') ?? 'ended'}`).join('\n');
}

/** Those that a process of the container shares with its pid 1. */
const NAMESPACES = ['mnt', 'uts', 'ipc', 'net', 'user', 'pid', 'time'] as const;

function sharesMemory(one: number, other: number): boolean {
  try {
    return shareMemory(one, other);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false; // it ended meanwhile
    throw error;
  }
}
