/** Moves from this node, on the daemon's main thread: the target is asked to prepare, and a ghost worker does the rest. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { givenSchema, givenTo } from '../capability/index.ts';
import { KorriganError, readStatus } from '../linux/index.ts';
import { ContainerTable, describeFamily, familySchema, treeBelow } from '../proc/index.ts';
import { defineCall, type NodeId } from '../rpc/index.ts';
import type { RelayService } from '../streams/index.ts';
import { faultPoint } from './fault-points.ts';
import type { ContainerReference, MovePlan, SourceJob } from './jobs.ts';
import { identify, type JournalEntry, type SourceRecord } from './journal.ts';
import type { MovingPid } from './parts.ts';
import { preflight } from './preflight.ts';
import { answer } from './questions.ts';
import { processesOfContainer } from './relations.ts';
import type { MigrationServiceOptions } from './service.ts';
import type { Settlements } from './settlements.ts';
import type { MigrationReport } from './source.ts';
import { ticketSchema } from './ticket.ts';
import { answerQuestion } from './worker-questions.ts';

/**
 * The target makes room for the processes and opens a port for one connection, whose keys come from the ticket. Each side names the life of its
 * container: another one knows nothing of the move.
 */
export const prepareCall = defineCall(
  'epm.prepare',
  z.object({
    migration: z.string(),
    life: z.string(),
    family: familySchema,
    /** Of those that have been given any. They are not changed while they move. */
    capabilities: z.array(z.object({ pid: z.int().positive(), given: givenSchema })).default([]),
  }),
  z.object({ life: z.string(), host: z.string(), port: z.number(), ticket: ticketSchema }),
);
const PREPARE_MILLISECONDS = 30_000;
const HOME_RETRY_MILLISECONDS = 200;

export interface DeparturesOptions extends MigrationServiceOptions {
  readonly relays: RelayService;
  readonly settlements: Settlements;
  readonly containerReference: ContainerReference;
}

/** A finished move. */
export interface Migration extends MigrationReport {
  readonly pids: readonly number[];
  readonly from: NodeId;
  readonly to: NodeId;
}

export interface Departure {
  readonly root: MovingPid;
  readonly withTree: boolean;
  readonly target: NodeId;
  /** They are stopped before they are looked at: it takes longer for them, and nothing about them changes any more. */
  readonly isStill: boolean;
}

export class Departures {
  private readonly options: DeparturesOptions;
  private readonly busy = new Set<number>();

  constructor(options: DeparturesOptions) {
    this.options = options;
  }

  /** Is it on its way to another node? */
  isLeaving(pid: number): boolean {
    return this.busy.has(pid);
  }

  /** @throws KorriganError; the processes go on here then */
  async attempt({ root, withTree, target, isStill }: Departure): Promise<Migration> {
    const { settlements, proc, relays } = this.options;
    const claimed: number[] = [];
    try {
      this.claim([root.pid], claimed);
      const processes = [identify(root)];
      const migration = randomBytes(8).toString('hex');
      const entry = settlements.begin<SourceRecord>({
        role: 'source',
        migration,
        peer: target,
        peerLife: '',
        processes,
        pending: [],
        locks: [],
        terminals: [],
      });
      faultPoint(this.options.rpc.id, 'source.begun');
      const started = performance.now();
      let result: Awaited<ReturnType<Departures['run']>>;
      try {
        const plan = (moving: readonly MovingPid[]): Promise<MovePlan> => this.plan(moving, entry, claimed);
        const work = isStill ? { root, withTree } : await plan(this.familyOf(root, withTree));
        result = await this.run(entry, work, plan);
      } catch (error) {
        await settlements.giveUp(entry);
        relays.aborted(migration);
        throw error;
      }
      return await this.finish(entry, result, started);
    } finally {
      proc.disturb(claimed);
      for (const pid of claimed) this.busy.delete(pid);
    }
  }

  /** The processes run on the target. The home of each is told, until it knows: what is left of them here may end only then. */
  async left({ migration, processes, peer }: SourceRecord): Promise<void> {
    const { proc, log, relays } = this.options;
    relays.committed(migration, peer);
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

  private async run(
    entry: JournalEntry<SourceRecord>,
    work: SourceJob['work'],
    plan: (moving: readonly MovingPid[]) => Promise<MovePlan>,
  ): ReturnType<MigrationServiceOptions['workers']['run']> {
    const { rpc, workers, relays, proc, containerReference: container } = this.options;
    const { migration } = entry.record;
    return workers.run({ kind: 'source', container, slot: entry.slot, migration, node: rpc.id, work }, (message) => {
      if (message.kind === 'plan') void answer(message, () => plan(message.moving));
      if (message.kind === 'question') void answerQuestion(message, migration, { relays, proc });
      if (message.kind === 'committed') void this.left(entry.record).finally(() => acknowledge(message.acknowledged));
    });
  }

  private async finish(
    entry: JournalEntry<SourceRecord>,
    result: Awaited<ReturnType<Departures['run']>>,
    started: number,
  ): Promise<Migration> {
    const { rpc, proc, settlements, log } = this.options;
    const { migration, peer: target } = entry.record;
    const pids = entry.record.processes.map(({ pid }) => pid);
    if (result.kind === 'unconfirmed') {
      await settlements.settle(entry);
      const microseconds = (performance.now() - started) * 1000;
      const report = { downtimeMicroseconds: microseconds, totalMicroseconds: microseconds, bytes: 0, preCopyRounds: 0, phases: {} };
      log.info({ migration, pids, target }, 'migrated, after the link was lost');
      return { ...report, pids, from: rpc.id, to: target };
    }
    await proc.deflated(pids);
    settlements.end(entry);
    if (result.kind !== 'moved') throw new Error(`a source worker answered "${result.kind}"`);
    log.info({ migration, pids, target, ...result.report }, 'migrated');
    return { ...result.report, pids, from: rpc.id, to: target };
  }

  /** Whatever forbids the move is found here; then the target is made ready. */
  private async plan(moving: readonly MovingPid[], entry: JournalEntry<SourceRecord>, claimed: number[]): Promise<MovePlan> {
    const { rpc, proc, container, relays, checkMigrate } = this.options;
    const { migration, peer: target } = entry.record;
    const pids = moving.map(({ pid }) => pid);
    this.claim(pids, claimed);
    // From the claim on it cannot be taken from them.
    for (const pid of pids) checkMigrate(pid);
    entry.update({ processes: moving.map(identify) });
    await proc.leaveAlone(pids);
    preflight(moving, container);
    const family = describeFamily(pids, new ContainerTable(container.procfsPath));
    const options = { deadlineMs: PREPARE_MILLISECONDS, idempotencyKey: `prepare ${migration}` };
    const capabilities = moving.flatMap(({ pid: carrier, hostPid }) => {
      const given = givenTo(carrier, hostPid);
      return given === undefined ? [] : [{ pid: carrier, given }];
    });
    const request = { migration, life: container.life, family, capabilities };
    const { life, ...prepared } = await rpc.call(target, prepareCall, request, options);
    entry.update({ peerLife: life });
    const inMove = new Set(moving.map(({ hostPid }) => hostPid));
    const others = processesOfContainer(container.cgroup).filter((hostPid) => !inMove.has(hostPid));
    return { ...prepared, moving: [...moving], family, others, relays: relays.known };
  }

  /** @throws KorriganError KRG_PROCESS_BUSY when another move has one of them */
  private claim(pids: readonly number[], claimed: number[]): void {
    const { settlements } = this.options;
    for (const pid of pids) {
      if (claimed.includes(pid)) continue;
      if (this.busy.has(pid) || settlements.of(pid) !== undefined)
        throw new KorriganError('KRG_PROCESS_BUSY', `process ${pid} is being moved already`);
      this.busy.add(pid);
      claimed.push(pid);
    }
  }

  /** The process and, if asked for, everything below it that runs here; parents before children. */
  private familyOf(root: MovingPid, withTree: boolean): MovingPid[] {
    const { container, proc } = this.options;
    if (!withTree) return [root];
    return treeBelow(root.pid, new ContainerTable(container.procfsPath))
      .filter((candidate) => !proc.isHusk(candidate))
      .map((candidate) => {
        const hostPid = container.hostPidOf(candidate);
        if (hostPid !== undefined && readStatus(hostPid) !== undefined) return { pid: candidate, hostPid };
        throw new KorriganError('KRG_PROCESS_BUSY', `process ${candidate} has just ended; try again`);
      });
  }
}

function acknowledge(word: Int32Array): void {
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
}
