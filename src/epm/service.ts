/**
 * Migration as the daemon's main thread sees it: asks the target to prepare, lets a ghost worker do the rest, and tells proc where the
 * processes are.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Container } from '../container/index.ts';
import { examineFiles } from '../fs/index.ts';
import {
  isErrno,
  isKorriganError,
  KorriganError,
  pidfdOpen,
  readProcessFile,
  readProcessLink,
  readStat,
  readStatus,
  shareMemory,
  syscall,
} from '../linux/index.ts';
import { ContainerTable, describeFamily, type FamilyDescription, familySchema, type ProcService, treeBelow } from '../proc/index.ts';
import { defineCall, type NodeId, type RpcNode } from '../rpc/index.ts';
import { examineProcess, type Finding } from '../ghost/index.ts';
import { RelayService } from '../streams/index.ts';
import type { MovingPid } from './parts.ts';
import { answerAboutRelay } from './relay-questions.ts';
import { allKinds, containerClocks } from './source-parts.ts';
import type { ContainerReference } from './jobs.ts';
import { childrenOf, processesOfContainer, traceeOf } from './relations.ts';
import type { MigrationReport } from './source.ts';
import type { GhostWorkers } from './workers.ts';

/** The target makes room for the processes and opens a port for one connection that carries the ticket. */
const prepareCall = defineCall(
  'epm.prepare',
  z.object({ migration: z.string(), family: familySchema }),
  z.object({ host: z.string(), port: z.number(), ticket: z.string() }),
);
const PREPARE_MILLISECONDS = 10_000;
/** A family that changes while it is being prepared is asked again. */
const ATTEMPTS = 10;
const CHANGE_MILLISECONDS = 5;

export interface MigrationServiceOptions {
  readonly rpc: RpcNode;
  readonly container: Container;
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
  /** Moves to this node that are under way, by pid. */
  private readonly arriving = new Map<number, Promise<void>>();

  constructor(options: MigrationServiceOptions) {
    this.options = options;
    this.relays = new RelayService(options);
    options.rpc.handle(prepareCall, ({ migration, family }) => this.prepare(migration, family));
  }

  /**
   * Moves a process of this node, alone or with its tree.
   * @throws KorriganError KRG_NOT_MOVABLE, KRG_PROCESS_BUSY, KRG_NO_SUCH_PROCESS …; the processes go on here then
   */
  async migrate(moving: number, target: NodeId, withTree: boolean): Promise<Migration> {
    if (target === this.options.rpc.id) throw new KorriganError('KRG_BAD_REQUEST', `process ${moving} runs on node ${target} already`);
    for (let attempt = 1; ; attempt++) {
      // The source tells of a move as soon as the process runs here; this daemon may not have taken note of all that came along.
      await this.arriving.get(moving);
      const before = likeness(this.find(moving), withTree);
      try {
        return await this.attempt(moving, target, withTree);
      } catch (error) {
        if (attempt === ATTEMPTS || (this.busy.has(moving) && isKorriganError(error, 'KRG_PROCESS_BUSY'))) throw error;
        // A child between vfork and exec, or one that has just ended, looks like an obstacle and is none a moment later.
        await new Promise((resolve) => setTimeout(resolve, CHANGE_MILLISECONDS));
        if (likeness(this.find(moving), withTree) === before && !isKorriganError(error, 'KRG_PROCESS_BUSY')) throw error;
      }
    }
  }

  /** Lets go of the relays; what they hold is lost with the daemon. */
  [Symbol.dispose](): void {
    this.relays[Symbol.dispose]();
  }

  /** What a move would do to each open file of a process of this node. */
  explainFiles(examined: number): Finding[] {
    const { container } = this.options;
    const { pid: moving, hostPid } = this.find(examined);
    const pidfd = pidfdOpen(hostPid);
    try {
      const { verdicts } = examineFiles({
        processes: [{ pid: moving, hostPid, pidfd }],
        kinds: allKinds(this.relays.examination),
        initHostPid: container.initPid,
        others: processesOfContainer(container.cgroup).filter((other) => other !== hostPid),
        clocks: containerClocks(container.lane),
        relatives: new Set(),
      });
      return verdicts.map(({ resource, outcome, reason }) => ({ resource, verdict: outcome, reason }));
    } finally {
      syscall('close', pidfd);
    }
  }

  private async attempt(moving: number, target: NodeId, withTree: boolean): Promise<Migration> {
    const family = this.familyOf(moving, withTree);
    const taken = family.find(({ pid: relative }) => this.busy.has(relative));
    if (taken !== undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${taken.pid} is being moved already`);
    for (const { pid: relative } of family) this.busy.add(relative);
    try {
      this.preflight(family);
      return await this.move(family, target);
    } finally {
      for (const { pid: relative } of family) this.busy.delete(relative);
    }
  }

  private preflight(family: readonly MovingPid[]): void {
    const { container } = this.options;
    const tracing = traceeOf(family, processesOfContainer(container.cgroup));
    if (tracing !== undefined) {
      const { tracer, tracee } = tracing;
      const reason = `it traces process ${container.containerPidOf(tracee) ?? tracee}; end that first`;
      throw new KorriganError('KRG_NOT_MOVABLE', `process ${tracer.pid} cannot move: tracing: ${reason}`);
    }
    for (const { pid: examined, hostPid } of family) {
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
      const foreign = NAMESPACES.find(
        (name) => readProcessLink(hostPid, `ns/${name}`) !== readProcessLink(this.options.container.initPid, `ns/${name}`),
      );
      if (foreign !== undefined) {
        throw new KorriganError('KRG_NOT_MOVABLE', `process ${examined} cannot move: it has a ${foreign} namespace of its own`);
      }
    }
  }

  private async move(family: readonly MovingPid[], target: NodeId): Promise<Migration> {
    const { rpc, workers, proc, container, log } = this.options;
    const migration = randomBytes(8).toString('hex');
    const pids = family.map(({ pid: moving }) => moving);
    const described = describeFamily(pids, new ContainerTable(container.procfsPath));
    const prepared = await rpc.call(target, prepareCall, { migration, family: described }, { deadlineMs: PREPARE_MILLISECONDS });
    const inMove = new Set(family.map(({ hostPid }) => hostPid));
    let told: Promise<void> | undefined;
    const work = workers.run(
      {
        kind: 'source',
        container: this.containerReference,
        ...prepared,
        migration,
        moving: [...family],
        family: described,
        others: processesOfContainer(container.cgroup).filter((hostPid) => !inMove.has(hostPid)),
        node: rpc.id,
        relays: this.relays.known,
      },
      (message) => {
        if (message.kind === 'relay') answerAboutRelay(message, migration, this.relays);
        if (message.kind !== 'committed') return;
        this.relays.committed(migration);
        told = proc.left(pids, target);
        Atomics.store(message.acknowledged, 0, 1);
        Atomics.notify(message.acknowledged, 0);
      },
    );
    const result = await work.finally(() => this.relays.aborted(migration)); // unless it was committed
    await told;
    proc.deflated(pids);
    if (result.kind !== 'moved') throw new Error(`a source worker answered "${result.kind}"`);
    log.info({ migration, pids, target, ...result.report }, 'migrated');
    return { ...result.report, pids, from: rpc.id, to: target };
  }

  private async prepare(migration: string, family: FamilyDescription): Promise<{ host: string; port: number; ticket: string }> {
    const { workers, host, log, container, rpc, proc } = this.options;
    const ticket = randomBytes(32).toString('hex');
    // Pids and thread ids of higher ranges can be given only while they are admitted: until all threads are restored.
    const admission = container.foreignPids.admit();
    const cgroup = container.newApplication();
    const release = (): void => {
      container.settle(cgroup);
      container.removeEndedApplications();
      admission[Symbol.dispose]();
    };
    let husks: MovingPid[];
    try {
      await proc.prepare(family);
      husks = family.moving.map((moving) => this.find(moving));
    } catch (error) {
      proc.arrived(family.moving, []);
      release();
      throw error;
    }
    return new Promise((resolve, reject) => {
      const job = { kind: 'target', container: this.containerReference, ticket, migration, host, node: rpc.id, husks, cgroup: cgroup.path } as const;
      const work = workers
        .run(job, (message) => {
          if (message.kind === 'relay') answerAboutRelay(message, migration, this.relays);
          if (message.kind === 'listening') resolve({ host, port: message.port, ticket });
        })
        .then((result) => {
          if (result.kind !== 'arrived') return [];
          this.relays.decided(migration, result.pids.length > 0);
          this.relays.arrived(result.relays);
          return result.pids.map(({ pid: here }) => here);
        })
        .catch((error: unknown): number[] => {
          this.relays.decided(migration, false);
          log.warn({ migration, error }, 'a migration did not arrive');
          reject(error);
          return [];
        })
        .then((running) => {
          proc.arrived(family.moving, running);
          release();
          for (const here of family.moving) if (this.arriving.get(here) === work) this.arriving.delete(here);
        });
      for (const here of family.moving) this.arriving.set(here, work);
    });
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
    return { initPid: container.initPid, recordPipe, procfs: container.procfsPath };
  }
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
