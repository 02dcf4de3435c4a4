/** Moves to this node, on the daemon's main thread: room is made for the processes, and a ghost worker receives them. */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError, readStatus } from '../linux/index.ts';
import { type FamilyDescription, wasProcess } from '../proc/index.ts';
import type { RelayService } from '../streams/index.ts';
import { faultPoint } from './fault-points.ts';
import type { CarriedCapabilities, ContainerReference } from './jobs.ts';
import { moveGroup } from './hold.ts';
import { identify, isNamed, JournalEntry, type TargetRecord, unnamed } from './journal.ts';
import type { MovingPid } from './parts.ts';
import type { MigrationServiceOptions } from './service.ts';
import type { Settlements } from './settlements.ts';
import { newTicket } from './ticket.ts';
import { answerQuestion } from './worker-questions.ts';

/** How long a move waits until what an earlier one, which was given up, has left here is gone. */
const EARLIER_MILLISECONDS = 5000;

export interface ArrivalsOptions extends MigrationServiceOptions {
  readonly relays: RelayService;
  readonly settlements: Settlements;
  readonly containerReference: ContainerReference;
}

/** What the source says of a move. */
export interface Arrival {
  readonly migration: string;
  readonly family: FamilyDescription;
  readonly capabilities: CarriedCapabilities[];
}

export class Arrivals {
  private readonly options: ArrivalsOptions;
  /** Those that are under way, by pid. */
  private readonly arriving = new Map<number, Promise<void>>();

  constructor(options: ArrivalsOptions) {
    this.options = options;
  }

  /** Resolves when this daemon has taken note of all that came along with a process. */
  async underWay(pid: number): Promise<void> {
    await this.arriving.get(pid);
  }

  /** What the target's side of a move has made is valid, or gone. */
  async decided({ migration, processes }: TargetRecord, runsHere: boolean): Promise<void> {
    const { proc, relays } = this.options;
    const pids = processes.map(({ pid }) => pid);
    if (runsHere) proc.arrived(pids, pids);
    else await proc.discarded(processes.filter(isNamed));
    relays.decided(migration, runsHere);
  }

  /** Makes room for processes of another node. @returns where it may connect, once, with which ticket */
  async prepare(
    { migration, family, capabilities }: Arrival,
    source: Pick<TargetRecord, 'peer' | 'peerLife'>,
  ): Promise<{ host: string; port: number; ticket: string }> {
    const { workers, host, log, container, rpc, proc, relays, settlements, containerReference } = this.options;
    const earlier = Promise.all(family.moving.map((moving) => this.underWay(moving)));
    await Promise.race([earlier, delay(EARLIER_MILLISECONDS, undefined, { ref: false })]);
    const taken = family.moving.find((moving) => settlements.of(moving) !== undefined);
    if (taken !== undefined)
      throw new KorriganError('KRG_PROCESS_BUSY', `an earlier move of process ${taken} is not settled yet; try again`);
    const ticket = newTicket();
    const entry = settlements.begin<TargetRecord>({
      role: 'target',
      migration,
      ...source,
      processes: family.moving.map((moving) => ({ ...unnamed(moving), returning: false })),
      descriptors: [],
      terminals: [],
      pending: [],
    });
    // Pids and thread ids of higher ranges can be given only while they are admitted: until all threads are restored.
    const admission = container.foreignPids.admit();
    let husks: MovingPid[];
    try {
      faultPoint(rpc.id, 'target.begun');
      await proc.prepare(family, moveGroup(container.cgroup.child('processes'), migration));
      faultPoint(rpc.id, 'target.made');
      husks = family.moving.map((moving) => this.find(moving));
      entry.update({ processes: husks.map((husk) => ({ ...identify(husk), returning: wasProcess(husk.hostPid, container.initPid) })) });
      faultPoint(rpc.id, 'target.planned');
    } catch (error) {
      proc.arrived(family.moving, []);
      settlements.end(entry);
      admission[Symbol.dispose]();
      throw error;
    }
    const job = { container: containerReference, slot: entry.slot, ticket, migration, host, node: rpc.id, husks, capabilities } as const;
    return new Promise((resolve, reject) => {
      const work = workers
        .run({ kind: 'target', ...job }, (message) => {
          if (message.kind === 'question') void answerQuestion(message, migration, { relays, proc });
          if (message.kind === 'listening') resolve({ host, port: message.port, ticket });
        })
        .then(async (result) => {
          // The worker has written the rest of the record.
          const written = JournalEntry.open(container.records, entry.slot) as JournalEntry<TargetRecord>;
          if (result.kind === 'undecided') await settlements.settle(written);
          if (result.kind !== 'arrived') return;
          await this.decided(written.record, result.pids.length > 0);
          settlements.end(entry);
        })
        .catch(async (error: unknown) => {
          const written = JournalEntry.open(container.records, entry.slot) as JournalEntry<TargetRecord>;
          log.warn({ migration, error }, 'a migration did not arrive');
          if (written.state === 'discarded') await this.decided(written.record, false);
          await settlements.giveUp(written);
          reject(error);
        })
        .finally(() => {
          admission[Symbol.dispose]();
          for (const here of family.moving) if (this.arriving.get(here) === work) this.arriving.delete(here);
        });
      for (const here of family.moving) this.arriving.set(here, work);
    });
  }

  private find(wanted: number): MovingPid {
    const hostPid = this.options.container.hostPidOf(wanted);
    if (hostPid === undefined || readStatus(hostPid) === undefined)
      throw new KorriganError('KRG_PROCESS_BUSY', `the husk of process ${wanted} has just ended; try again`);
    return { pid: wanted, hostPid };
  }
}
