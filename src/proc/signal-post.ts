/**
 * Brings signals to processes, wherever they are just moving: all of them, each once, those of one process in their order. The home of a process sees to
 * that, so other nodes hand theirs to it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isErrno, isKorriganError, KorriganError, trySyscall } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { deliverCall, type SentSignal } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';
import { senderOf, SI_QUEUE, signalCode, signalNumber } from './records.ts';

const SIGKILL = 9;
const SIGSTOP = 19;
/** Most signals that are told to another node in one call. */
const SIGNALS_AT_ONCE = 128;
/** Most signals that are queued to a process by one program of pid 1. */
const QUEUED_AT_ONCE = 64;
const BROADCASTS_KEPT = 10_000;
/** How long a move waits while a process gets nothing of what stands in line for it. */
const PATIENCE_MILLISECONDS = 3000;

/** A signal that stands in line for a process. */
interface Waiting {
  readonly signal: SentSignal;
  /** Whether it is to be brought at all, where that is not known before its turn. */
  isWanted?: (() => Promise<boolean>) | undefined;
}

export class SignalPost {
  private readonly families: NodeFamilies;
  /** Signals that have to be brought to processes, by pid, in the order in which they came. */
  private readonly lines = new Map<number, Waiting[]>();
  /** What was seen, or is waited for, of marks in the record pipe. */
  private readonly marks = new Map<number, PromiseWithResolvers<void>>();
  /** Deliveries under way, by pid. */
  private readonly delivering = new Map<number, Promise<boolean>>();
  /** Signals to groups that came here lately, with the members that have got them. */
  private readonly seen = new Set<string>();

  private readonly locate: (pid: number) => Promise<NodeId>;

  /** @param locate where a process without a home runs */
  constructor(families: NodeFamilies, locate: (pid: number) => Promise<NodeId>) {
    this.families = families;
    this.locate = locate;
    families.options.rpc.handle(deliverCall, async ({ pid, signals }) => {
      const isHere = families.visitors.has(pid) && !families.arriving.has(pid);
      return { delivered: isHere ? await this.deliverAll(pid, signals) : 0 };
    });
  }

  /** Resolves when the signal has been brought, or handed to the home. It stands in line as soon as this returns. */
  bring(pid: number, signal: SentSignal, isWanted?: () => Promise<boolean>): Promise<void> {
    const line = this.lines.get(pid);
    if (line === undefined) this.lines.set(pid, [{ signal, isWanted }]);
    else line.push({ signal, isWanted });
    return this.families.inOrder(pid, () => this.bringAll(pid));
  }

  /** A signal that a husk has recorded. */
  bringUnlessDeath(pid: number, information: Uint8Array): Promise<void> {
    return this.bring(pid, { information }, async () => !(await this.isDeathSignal(pid, information)));
  }

  /** All that was in the record pipe before this mark has been read. */
  markRead(mark: number): void {
    this.markOf(mark).resolve();
  }

  /**
   * Resolves when processes whose husks here are held, which record nothing any more, have got everything that was recorded before: what is
   * sent to them from then on waits in the husks' own queues.
   * @param mark written to the record pipe when the husks were held
   * @throws KorriganError KRG_PROCESS_BUSY when they do not get it for a while
   */
  async allBrought(pids: readonly number[], mark: number): Promise<void> {
    await this.markOf(mark).promise;
    this.marks.delete(mark);
    for (const pid of pids) if (!(await this.lineBrought(pid))) throw notReached(pid);
    const homes = new Set(pids.filter((pid) => !this.families.isHome(pid)).map(this.families.options.homeOf));
    // The home answers when it has brought them.
    const told = Promise.all([...homes].map((home) => this.families.outbox.flushed(home)));
    const isTold = await Promise.race([told, delay(PATIENCE_MILLISECONDS, undefined, { ref: false })]);
    if (isTold === undefined) throw notReached(pids[0] ?? 0);
  }

  /** Waits until all that stands in line now has been brought. @returns false when nothing of it was for a while */
  private async lineBrought(pid: number): Promise<boolean> {
    const last = this.lines.get(pid)?.at(-1);
    if (last === undefined) return true;
    const standing = (): number => (this.lines.get(pid)?.indexOf(last) ?? -1) + 1;
    for (let [least, since] = [standing(), performance.now()]; standing() > 0; await this.families.again()) {
      if (standing() < least) [least, since] = [standing(), performance.now()];
      if (performance.now() - since > PATIENCE_MILLISECONDS) return false;
    }
    return true;
  }

  private markOf(mark: number): PromiseWithResolvers<void> {
    let found = this.marks.get(mark);
    if (found === undefined) this.marks.set(mark, (found = Promise.withResolvers()));
    return found;
  }

  /** Until {@link SignalPost.disturb} signals for these wait here, so that a move finds nobody at work on them. */
  async leaveAlone(pids: readonly number[]): Promise<void> {
    for (const pid of pids) this.families.leaving.add(pid);
    await Promise.allSettled(pids.flatMap((pid) => this.delivering.get(pid) ?? []));
  }

  disturb(pids: readonly number[]): void {
    for (const pid of pids) this.families.leaving.delete(pid);
  }

  /** @returns false when it was noted before */
  note(broadcast: string): boolean {
    if (this.seen.has(broadcast)) return false;
    this.seen.add(broadcast);
    const [oldest] = this.seen;
    if (this.seen.size > BROADCASTS_KEPT && oldest !== undefined) this.seen.delete(oldest);
    return true;
  }

  private async bringAll(pid: number): Promise<void> {
    const { families } = this;
    const home = families.options.homeOf(pid);
    for (; !families.isClosed; await families.again()) {
      const line = this.lines.get(pid);
      if (line === undefined) return;
      await sortOut(line);
      const isHomeless = families.isHomeless(pid);
      const node = isHomeless ? await this.whereItIs(pid) : families.isHome(pid) ? families.directory.nodeOf(pid) : home;
      // Also while its husk becomes the process, which runs elsewhere until it is complete here.
      const next = line.map(({ signal }) => signal);
      if (families.runsHere(pid)) line.splice(0, await this.deliverAll(pid, next));
      else if (!families.isHome(pid) && !isHomeless)
        for (const { signal } of line.splice(0)) families.outbox.put(home, { kind: 'signal', pid, ...signal });
      else if (!this.hasHusk(pid))
        line.splice(0); // its husk has ended, as it has itself
      else if (node === undefined) line.splice(0);
      else if (node !== families.node) line.splice(0, await this.deliverThere(node, pid, next.slice(0, SIGNALS_AT_ONCE)));
      if (line.length === 0) {
        this.lines.delete(pid);
        return;
      }
    }
  }

  private async whereItIs(pid: number): Promise<NodeId | undefined> {
    if (this.families.runsHere(pid)) return this.families.node;
    return this.locate(pid).catch((error: unknown) => {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return undefined;
      throw error;
    });
  }

  /** The kernel sends a husk what it has sent to the process itself, on the node where that runs: the signal of its parent's death. */
  private async isDeathSignal(pid: number, information: Uint8Array): Promise<boolean> {
    const { present, arriving, table, keeper } = this.families;
    const sender = senderOf(information);
    // A husk that is becoming a process is in the hand of another thread and cannot be asked.
    if (sender === undefined || !present.has(pid) || arriving.has(pid)) return false;
    const member = table.find(sender);
    if (member !== undefined && member.ended === undefined) return false;
    try {
      return (await keeper.do('deathSignal', pid)) === signalNumber(information);
    } catch (error) {
      if (error instanceof KorriganError) return false; // a move has just begun
      throw error;
    }
  }

  private hasHusk(pid: number): boolean {
    return this.families.present.has(pid) && !this.families.ending.has(pid);
  }

  /** @returns how many of the signals the process has got there */
  private async deliverThere(node: NodeId, pid: number, signals: SentSignal[]): Promise<number> {
    const { families } = this;
    const once = families.once();
    for (; !families.isClosed; await families.again()) {
      try {
        return (await families.options.rpc.call(node, deliverCall, { pid, signals }, once)).delivered;
      } catch (error) {
        // The node or the link is down; it is tried until it is up again, or the process counts as lost.
        const isThere = families.isHomeless(pid) ? families.options.isLiving(node) : families.directory.nodeOf(pid) === node;
        if (!isThere || !this.hasHusk(pid)) return 0;
        if (!(error instanceof KorriganError)) throw error;
      }
    }
    return 0;
  }

  /** @returns how many of the signals the process, which is here, has got; all when it has ended */
  private async deliverAll(pid: number, signals: readonly SentSignal[]): Promise<number> {
    const line = [...signals];
    for (let delivered = 0; delivered < line.length; delivered++) {
      const signal = line[delivered];
      if (signal === undefined || this.families.options.container.hostPidOf(pid) === undefined) return line.length;
      const batch = queuedTogether(line, delivered);
      if (batch.length > 0) {
        const queued = this.families.leaving.has(pid) ? 0 : this.queueTogether(pid, batch);
        if (queued < batch.length) return delivered + queued;
        delivered += queued - 1;
        continue;
      }
      const name = signal.broadcast === undefined ? undefined : `${signal.broadcast} ${pid}`;
      if (name !== undefined && this.seen.has(name)) continue;
      if (!(await this.deliver(pid, signal.information))) return delivered;
      if (name !== undefined) this.note(name);
    }
    return line.length;
  }

  /** @returns false when the process is just being moved */
  private async deliver(pid: number, information: Uint8Array): Promise<boolean> {
    const signal = signalNumber(information);
    if (signal === SIGKILL || signal === SIGSTOP) {
      trySyscall('kill', this.families.options.container.hostPidOf(pid) ?? 0, signal);
      return true;
    }
    if (this.families.leaving.has(pid)) return false;
    const done = this.queue(pid, information);
    this.delivering.set(pid, done);
    try {
      return await done;
    } finally {
      if (this.delivering.get(pid) === done) this.delivering.delete(pid);
    }
  }

  /**
   * In the container anybody who may signal a process may say of a signal that it was queued; other codes only the process itself may use:
   * rt_sigqueueinfo(2).
   * @returns how many there was room for
   */
  private queueTogether(pid: number, batch: readonly Uint8Array[]): number {
    const { lane } = this.families.options.container;
    const program = lane.newProgram({ records: batch.length, data: batch.reduce((sum, { length }) => sum + length, 64) });
    for (const information of batch) program.call('rt_sigqueueinfo', pid, signalNumber(information), program.data(information));
    try {
      lane.run(program);
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return batch.findIndex((_, n) => program.result(n) < 0);
      if (!isErrno(error, 'ESRCH')) throw error;
    }
    return batch.length;
  }

  /** @returns false when it has to be tried again: somebody is at work on the process */
  private async queue(pid: number, information: Uint8Array): Promise<boolean> {
    try {
      await this.families.keeper.do('deliver', pid, [information]);
      return true;
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return true; // it has ended: a signal to a zombie has no effect
      if (isKorriganError(error, 'KRG_TRACED')) return false;
      throw error;
    }
  }
}

function notReached(pid: number): KorriganError {
  return new KorriganError('KRG_PROCESS_BUSY', `signals that were sent to process ${pid} have not reached it yet; try again`);
}

/** Those that can be queued at once, from a place in the line on. */
function queuedTogether(line: readonly SentSignal[], from: number): Uint8Array[] {
  const isQueued = ({ information, broadcast }: SentSignal): boolean =>
    broadcast === undefined && signalCode(information) === SI_QUEUE && ![SIGKILL, SIGSTOP].includes(signalNumber(information));
  const batch = line.slice(from, from + QUEUED_AT_ONCE);
  const end = batch.findIndex((signal) => !isQueued(signal));
  return (end < 0 ? batch : batch.slice(0, end)).map(({ information }) => information);
}

/** Asks about those of which it is not known yet whether they are wanted, in their order; more may come meanwhile. */
async function sortOut(line: Waiting[]): Promise<void> {
  for (let at = 0; at < line.length; ) {
    const waiting = line[at];
    if (waiting?.isWanted !== undefined && !(await waiting.isWanted())) line.splice(at, 1);
    else at++;
    if (waiting !== undefined) waiting.isWanted = undefined;
  }
}
