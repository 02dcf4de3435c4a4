/** What a daemon does for moves: its journal is that of `src/epm` (`Settlements`), its engines are simulated. */
import { z } from 'zod';
import { type JournalEntry, type Settlement, Settlements, type SourceRecord, type TargetRecord } from '../src/epm/index.ts';
import { Membership } from '../src/hotplug/index.ts';
import { isKorriganError, KorriganError } from '../src/linux/errors.ts';
import { defineCall } from '../src/rpc/index.ts';
import type { Machines } from './machines.ts';
import type { Member } from './member.ts';
import type { Move } from './hand-over-scenario.ts';
import { Connection, type Decide, type EngineOptions, runSource, runTarget } from './move-engines.ts';
import type { Container } from './simulated-container.ts';

const prepareCall = defineCall(
  'sim.prepare',
  z.object({ migration: z.string(), life: z.string(), pid: z.number(), fails: z.boolean() }),
  z.object({ life: z.string() }),
);
const PREPARE_MS = 30_000;
/** The source has to connect. */
const ACCEPT_MS = 5000;
const SETTLING_MS = 20;

export interface MovingNodeOptions {
  readonly member: Member;
  readonly container: Container;
  readonly machines: Machines;
  readonly decide: Decide;
  /** The target's ends of connections, by migration. */
  readonly accepting: Map<string, Connection>;
  readonly onChange: (pid: number) => void;
  readonly onKilled: (pid: number, node: number) => void;
  readonly count: (what: string) => void;
}

export class MovingNode {
  readonly settlements: Settlements;
  readonly #options: MovingNodeOptions;
  #moves = 0;

  constructor(options: MovingNodeOptions) {
    this.#options = options;
    const { member, container, decide, onKilled, machines } = options;
    const { daemon, store } = member;
    const membership = new Membership(member.id, () => store.known.nodes);
    const log = (details: object, message: string): void =>
      machines.trace(() => `node ${member.id}: ${message} ${JSON.stringify(details)}`);
    this.settlements = new Settlements({
      rpc: daemon.rpc,
      slots: container.slots,
      life: container.life,
      clock: daemon.clock,
      decide,
      settle: async (slot, settlement) => {
        await daemon.clock.delay(daemon.random.next() * SETTLING_MS);
        this.#settle(slot, settlement);
      },
      onLeft: () => daemon.clock.delay(daemon.random.next() * SETTLING_MS),
      onDeflated: () => Promise.resolve(),
      onKilled: ({ processes, peer }) => processes.forEach(({ pid }) => onKilled(pid, peer)),
      isLiving: (node) => membership.isLiving(node),
      onAborted: () => undefined,
      onDecided: () => Promise.resolve(),
      log: { info: log, warn: log },
    });
    daemon.rpc.handle(prepareCall, ({ migration, life, pid, fails }, { caller }) =>
      this.#prepare(migration, pid, fails, { peer: caller, peerLife: life }),
    );
    // As `MigrationService.recover`.
    for (const entry of this.settlements.known) void this.settlements.settle(entry);
  }

  #settle(slot: number, settlement: Settlement): void {
    const { container, onChange } = this.#options;
    const entry = this.settlements.known.find((known) => known.slot === slot);
    for (const { pid } of entry?.record.processes ?? []) {
      if (settlement === 'resume' || settlement === 'run') {
        if (container.copies.has(pid)) container.copies.set(pid, { state: 'runs', isHeldByGroup: false });
      } else container.copies.delete(pid);
      onChange(pid);
    }
  }

  /** Moves a process that runs here. @returns whether that was tried */
  async move({ pid, target, trouble, troubleMs }: Move): Promise<boolean> {
    const { member, container, machines, accepting, count } = this.#options;
    const { daemon } = member;
    if (target === member.id || this.settlements.of(pid) !== undefined || container.copies.get(pid)?.state !== 'runs') return false;
    const migration = `${daemon.id}.${container.life}.${member.self.daemon ?? ''}.${++this.#moves}`;
    const processes = [{ pid, hostPid: pid, startTime: 1 }];
    const entry = this.settlements.begin<SourceRecord>({
      role: 'source',
      migration,
      peer: target,
      peerLife: '',
      processes,
      pending: [],
      locks: [],
      terminals: [],
    });
    try {
      const request = { migration, life: container.life, pid, fails: trouble === 'target-fails' };
      const { life } = await daemon.rpc.call(target, prepareCall, request, { deadlineMs: PREPARE_MS });
      entry.update({ peerLife: life });
    } catch (error) {
      if (!isKorriganError(error)) throw error;
      count('not prepared');
      await this.settlements.giveUp(entry);
      return true;
    }
    const connection = new Connection(machines, daemon, target);
    const other = accepting.get(migration);
    if (other === undefined) connection.lose();
    else connection.join(other);
    if (trouble === 'connection-lost')
      daemon.after(troubleMs, () => {
        connection.lose();
        other?.lose();
      });
    const result = await runSource(entry, connection, this.#engine(pid, trouble === 'source-fails'));
    count(result);
    if (result === 'moved') this.settlements.end(entry);
    else if (result === 'aborted') await this.settlements.giveUp(entry);
    else await this.settlements.settle(entry);
    return true;
  }

  #engine(pid: number, fails: boolean): EngineOptions {
    const { member, container, decide, onChange } = this.#options;
    return { daemon: member.daemon, container, pid, decide, fails, onChange: () => onChange(pid) };
  }

  /** As `Arrivals.prepare`. */
  #prepare(migration: string, pid: number, fails: boolean, source: Pick<TargetRecord, 'peer' | 'peerLife'>): { life: string } {
    const { member, container, machines, accepting } = this.#options;
    if (this.settlements.of(pid) !== undefined)
      throw new KorriganError('KRG_PROCESS_BUSY', `an earlier move of process ${pid} is not settled yet`);
    const processes = [{ pid, hostPid: pid, startTime: 1, returning: false }];
    const entry = this.settlements.begin<TargetRecord>({
      role: 'target',
      migration,
      ...source,
      processes,
      descriptors: [],
      terminals: [],
      pending: [],
    });
    const connection = new Connection(machines, member.daemon, source.peer);
    accepting.set(migration, connection);
    member.daemon.after(ACCEPT_MS, () => {
      if (!connection.isJoined) connection.lose();
    });
    void this.#receive(entry, connection, this.#engine(pid, fails));
    return { life: container.life };
  }

  async #receive(entry: JournalEntry<TargetRecord>, connection: Connection, engine: EngineOptions): Promise<void> {
    const result = await runTarget(entry, connection, engine);
    this.#options.count(`target: ${result}`);
    if (result === 'arrived') this.settlements.end(entry);
    else if (result === 'given up') await this.settlements.giveUp(entry);
    else await this.settlements.settle(entry);
  }
}
