/**
 * The journal on the daemon's main thread: which moves are under way, and what becomes of those that nobody works on any more, because the link
 * was lost at the wrong moment or because this daemon was killed. The state machines of hand-over.ts decide; the other side is told and asked until
 * it answers.
 */
import { z } from 'zod';
import { type Clock, machineClock } from '../hotplug/index.ts';
import { KorriganError } from '../linux/index.ts';
import { defineCall, type NodeId, type RpcNode } from '../rpc/index.ts';
import { type SourceEvent, stepSource, stepTarget, type TargetEvent } from './hand-over.ts';
import { isNamed, JournalEntry, type JournalSlots, type MoveRecord, type SourceRecord, type TargetRecord } from './journal.ts';
import type { Settlement } from './settle.ts';

const RETRY_MILLISECONDS = 100;
const ANSWER_MILLISECONDS = 2000;

/** To the target, in that life: the decision has been taken. `wait`: somebody there is still at work on it. `over`: that life is. */
const commitCall = defineCall(
  'epm.commit',
  z.object({ migration: z.string(), life: z.string() }),
  z.object({ answer: z.enum(['running', 'refused', 'wait', 'over']) }),
);
/** To the source: everything is here, and complete. */
const askCall = defineCall(
  'epm.ask',
  z.object({ migration: z.string(), life: z.string() }),
  z.object({ answer: z.enum(['commit', 'abort', 'wait', 'over']) }),
);

/** To the target, in that life: the source goes on by itself. `gone`: nothing is left there of the move. */
const withdrawCall = defineCall(
  'epm.withdraw',
  z.object({ migration: z.string(), life: z.string() }),
  z.object({ answer: z.enum(['gone', 'wait', 'over']) }),
);

export interface SettlementsOptions {
  readonly rpc: Pick<RpcNode, 'call' | 'handle'>;
  readonly slots: JournalSlots;
  /** Of this node's container. */
  readonly life: string;
  /** Does it, on a thread that may trace. */
  readonly settle: (slot: number, settlement: Settlement) => Promise<void>;
  /** The processes run on the target; what is left here has not changed yet. */
  readonly onLeft: (record: SourceRecord) => Promise<void>;
  /** What was left here are husks now. */
  readonly onDeflated: (record: SourceRecord) => Promise<void>;
  /** The target has died, with them unless they had moved on. Does not wait for what becomes of that: their husks are in the hand of the move until it is over. */
  readonly onKilled: (record: SourceRecord) => void;
  /** Does the node still take part in the cluster? What ran on one that does not has ended. */
  readonly isLiving: (node: NodeId) => boolean;
  /** They go on here. */
  readonly onAborted: (record: SourceRecord) => void;
  readonly onDecided: (record: TargetRecord, runsHere: boolean) => Promise<void>;
  /** @default that of this machine */
  readonly clock?: Clock;
  /** The simulator has broken ones. @default those of `hand-over` */
  readonly decide?: { readonly stepSource: typeof stepSource; readonly stepTarget: typeof stepTarget };
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

export class Settlements {
  private readonly options: SettlementsOptions;
  private readonly entries = new Map<string, JournalEntry>();
  private isClosed = false;

  constructor(options: SettlementsOptions) {
    this.options = options;
    const { rpc } = options;
    // All of them are known before anybody is answered.
    for (const entry of this.found()) this.entries.set(entry.record.migration, entry);
    const isOver = (life: string): boolean => life !== '' && life !== options.life;
    rpc.handle(commitCall, ({ migration, life }) => ({ answer: isOver(life) ? ('over' as const) : this.answerCommit(migration) }));
    rpc.handle(withdrawCall, ({ migration, life }) => ({ answer: isOver(life) ? ('over' as const) : this.answerWithdrawal(migration) }));
    rpc.handle(askCall, ({ migration, life }) => ({ answer: isOver(life) ? ('over' as const) : this.answerQuestion(migration) }));
  }

  /** A new move. @throws KorriganError KRG_LIMIT */
  begin<R extends MoveRecord>(record: R): JournalEntry<R> {
    const { slots } = this.options;
    const slot = Array.from({ length: slots.count }, (_, n) => n).find((n) => slots.isFree(n));
    if (slot === undefined)
      throw new KorriganError('KRG_LIMIT', `${slots.count} moves are under way on this node or wait for an answer; try again`);
    const entry = JournalEntry.create(slots, slot, record);
    this.entries.set(record.migration, entry);
    return entry;
  }

  /** The move is over on this node. */
  end(entry: { readonly record: MoveRecord; clear(): void }): void {
    this.entries.delete(entry.record.migration);
    entry.clear();
  }

  /** All moves of the journal: at first those that an earlier daemon did not bring to their end. */
  get known(): JournalEntry[] {
    return [...this.entries.values()];
  }

  /**
   * Moves whose processes do not run here, or do not any more, with what there is of them here: nobody else may hold that. Husks that were still being
   * made are not among them.
   */
  get elsewhere(): { record: MoveRecord; processes: MoveRecord['processes'] }[] {
    const isElsewhere = ({ record: { role }, state }: JournalEntry): boolean =>
      role === 'target' ? state !== 'running' : state === 'committed' || state === 'done';
    return this.known.filter(isElsewhere).map(({ record }) => ({ record, processes: record.processes.filter(isNamed) }));
  }

  /** The pids of those. */
  get undecided(): ReadonlySet<number> {
    return new Set(this.elsewhere.flatMap(({ processes }) => processes.map(({ pid }) => pid)));
  }

  private found(): JournalEntry[] {
    const { slots } = this.options;
    return Array.from({ length: slots.count }, (_, n) => n).flatMap((n) => (slots.isFree(n) ? [] : [JournalEntry.open(slots, n)]));
  }

  /** The move, by the process that takes part in it. */
  of(pid: number): JournalEntry | undefined {
    return [...this.entries.values()].find(({ record }) => record.processes.some((process) => process.pid === pid));
  }

  /** Brings a move that nobody works on to its end. */
  async settle(entry: JournalEntry): Promise<void> {
    this.entries.set(entry.record.migration, entry);
    const { migration, role, peer } = entry.record;
    this.options.log.info({ migration, role, peer, state: entry.state }, 'a move is being settled');
    if (entry.record.role === 'source') await this.settleSource(entry as JournalEntry<SourceRecord>);
    else await this.settleTarget(entry as JournalEntry<TargetRecord>);
    this.options.log.info({ migration, role, peer, state: entry.state }, 'a move is settled');
    if (entry.state === 'aborted') await this.withdraw(entry);
    else this.end(entry);
  }

  /** A move that has failed: what its worker did not undo is undone. */
  async giveUp(entry: JournalEntry<SourceRecord> | JournalEntry<TargetRecord>): Promise<void> {
    const { state } = entry;
    const isUntouched = state === 'preparing' && JournalEntry.open(this.options.slots, entry.slot).record.cgroup === undefined;
    if (state === 'aborted') void this.withdraw(entry);
    else if (state === 'discarded' || (isUntouched && entry.record.role === 'source')) this.end(entry);
    else await this.settle(entry);
  }

  /**
   * The processes do not move again until the target has nothing of them: if this node dies, a copy that waits there is the only one left, unless they
   * have moved on.
   */
  private async withdraw(entry: JournalEntry): Promise<void> {
    const { peer, peerLife, cgroup } = JournalEntry.open(this.options.slots, entry.slot).record;
    // Otherwise they were not even gathered, and nothing complete has been sent.
    for (let isThere = peerLife !== '' && cgroup !== undefined; isThere; ) {
      const answer = await this.call({ ...entry.record, peerLife }, withdrawCall);
      isThere = answer !== 'gone' && answer !== 'over' && (answer !== undefined || this.options.isLiving(peer));
    }
    this.end(entry);
  }

  /** Asks and tells nobody any more. */
  close(): void {
    this.isClosed = true;
  }

  private async settleSource(entry: JournalEntry<SourceRecord>): Promise<void> {
    const { settle, onLeft, onDeflated, onKilled, onAborted, isLiving, decide } = this.options;
    for (let event: SourceEvent = { kind: 'restarted' }; ; ) {
      const { state, effects } = (decide?.stepSource ?? stepSource)(entry.state, event);
      entry.setState(state);
      for (const { kind } of effects) {
        if (kind === 'resume') {
          await settle(entry.slot, 'resume');
          onAborted(entry.record);
        } else if (kind === 'deflate') {
          await onLeft(entry.record);
          await settle(entry.slot, 'deflate');
          await onDeflated(entry.record);
        } else if (kind === 'declare-killed') onKilled(entry.record);
      }
      if (state !== 'committed') return;
      const answer = await this.call(entry.record, commitCall);
      if (answer === 'over' || (answer === undefined && !isLiving(entry.record.peer))) event = { kind: 'peer-dead' };
      else event = answer === 'running' || answer === 'refused' ? { kind: 'message', message: answer } : { kind: 'tick' };
    }
  }

  private async settleTarget(entry: JournalEntry<TargetRecord>): Promise<void> {
    const { settle, onDecided, isLiving, decide } = this.options;
    for (let event: TargetEvent = { kind: 'restarted' }; ; ) {
      const { state, effects } = (decide?.stepTarget ?? stepTarget)(entry.state, event);
      entry.setState(state);
      for (const { kind } of effects) {
        if (kind === 'run' || kind === 'discard') {
          await settle(entry.slot, kind);
          await onDecided(entry.record, kind === 'run');
        }
      }
      if (state !== 'imported') return;
      const answer = await this.call(entry.record, askCall);
      if (answer === 'over' || (answer === undefined && !isLiving(entry.record.peer))) event = { kind: 'peer-dead' };
      else event = answer === 'commit' || answer === 'abort' ? { kind: 'message', message: answer } : { kind: 'tick' };
    }
  }

  /** @returns undefined when the other side has not answered, after a pause */
  private async call<Call extends typeof commitCall | typeof askCall | typeof withdrawCall>(
    { peer, peerLife: life, migration }: MoveRecord,
    call: Call,
  ): Promise<z.output<Call['response']>['answer'] | undefined> {
    let answer: string | undefined;
    try {
      ({ answer } = (await this.options.rpc.call(
        peer,
        call as typeof askCall,
        { migration, life },
        { deadlineMs: ANSWER_MILLISECONDS },
      )) as {
        answer: string;
      });
    } catch (error) {
      if (!(error instanceof KorriganError)) throw error;
      this.options.log.warn({ migration, peer, code: error.code }, 'the other side of a move does not answer; it is asked again');
    }
    if (answer !== 'running' && answer !== 'commit' && answer !== 'abort' && answer !== 'gone' && answer !== 'over')
      await (this.options.clock ?? machineClock).delay(RETRY_MILLISECONDS);
    if (this.isClosed) await new Promise(() => undefined); // the next daemon goes on
    return answer === 'wait' ? undefined : (answer as z.output<Call['response']>['answer']);
  }

  /** A target that does not know a move any more has let it run: it forgets one that it gave up only after the source did. */
  private answerCommit(migration: string): 'running' | 'refused' | 'wait' {
    const entry = this.entries.get(migration);
    if (entry === undefined || entry.state === 'running') return 'running';
    return entry.state === 'imported' ? 'wait' : 'refused';
  }

  private answerWithdrawal(migration: string): 'gone' | 'wait' {
    return (this.entries.get(migration)?.state ?? 'discarded') === 'discarded' ? 'gone' : 'wait';
  }

  /** A source that does not know a move any more has given it up: it forgets one that it committed only when the target runs. */
  private answerQuestion(migration: string): 'commit' | 'abort' | 'wait' {
    const entry = this.entries.get(migration);
    if (entry === undefined || entry.state === 'aborted') return 'abort';
    return entry.state === 'committed' || entry.state === 'done' ? 'commit' : 'wait';
  }
}
