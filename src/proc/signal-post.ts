/**
 * Brings signals to processes, wherever they are just moving: all of them, each once, those of one process in their order. The home of a process sees to
 * that, so other nodes hand theirs to it.
 */
import { isErrno, isKorriganError, KorriganError, trySyscall } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { deliverCall, type SentSignal } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';
import { SI_QUEUE, signalCode, signalNumber } from './records.ts';

const SIGKILL = 9;
const SIGSTOP = 19;
/** Most signals that are told to another node in one call. */
const SIGNALS_AT_ONCE = 128;
const BROADCASTS_KEPT = 10_000;

export class SignalPost {
  private readonly families: NodeFamilies;
  /** Signals that have to be brought to processes, by pid. */
  private readonly signals = new Map<number, SentSignal[]>();
  /** Deliveries under way, by pid. */
  private readonly delivering = new Map<number, Promise<boolean>>();
  /** Signals to groups that came here lately, with the members that have got them. */
  private readonly seen = new Set<string>();

  constructor(families: NodeFamilies) {
    this.families = families;
    families.options.rpc.handle(deliverCall, async ({ pid, signals }) => {
      const isHere = families.visitors.has(pid) && !families.arriving.has(pid);
      return { delivered: isHere ? await this.deliverAll(pid, signals) : 0 };
    });
  }

  /** Resolves when the signal has been brought, or handed to the home. */
  bring(pid: number, signal: SentSignal): Promise<void> {
    const waiting = this.signals.get(pid);
    if (waiting === undefined) this.signals.set(pid, [signal]);
    else waiting.push(signal);
    return this.families.inOrder(pid, () => this.bringAll(pid));
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
      const waiting = this.signals.get(pid) ?? [];
      const node = families.isHome(pid) ? families.directory.nodeOf(pid) : home;
      if (families.runsHere(pid)) waiting.splice(0, await this.deliverAll(pid, waiting));
      else if (families.arriving.has(pid)) continue;
      else if (!families.isHome(pid)) for (const signal of waiting.splice(0)) families.outbox.put(home, { kind: 'signal', pid, ...signal });
      else if (!this.hasHusk(pid))
        waiting.splice(0); // its husk has ended, as it has itself
      else if (node !== families.node) waiting.splice(0, await this.deliverThere(node, pid, waiting.slice(0, SIGNALS_AT_ONCE)));
      if (waiting.length === 0) {
        this.signals.delete(pid);
        return;
      }
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
        if (families.directory.nodeOf(pid) !== node || !this.hasHusk(pid)) return 0;
        if (!(error instanceof KorriganError)) throw error;
      }
    }
    return 0;
  }

  /** @returns how many of the signals the process, which is here, has got; all when it has ended */
  private async deliverAll(pid: number, signals: readonly SentSignal[]): Promise<number> {
    for (const [delivered, signal] of [...signals].entries()) {
      if (this.families.options.container.hostPidOf(pid) === undefined) return signals.length;
      const name = signal.broadcast === undefined ? undefined : `${signal.broadcast} ${pid}`;
      if (name !== undefined && this.seen.has(name)) continue;
      if (!(await this.deliver(pid, signal.information))) return delivered;
      if (name !== undefined) this.note(name);
    }
    return signals.length;
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

  /** @returns false when it has to be tried again: somebody is at work on the process, or as many signals wait as may wait */
  private async queue(pid: number, information: Uint8Array): Promise<boolean> {
    const { keeper, options } = this.families;
    if (signalCode(information) === SI_QUEUE) {
      try {
        // In the container anybody who may signal a process may say this of a signal; of others only the process itself may: rt_sigqueueinfo(2).
        options.container.lane.call('rt_sigqueueinfo', pid, signalNumber(information), information);
      } catch (error) {
        if (isErrno(error, 'EAGAIN')) return false;
        if (!isErrno(error, 'ESRCH')) throw error;
      }
      return true;
    }
    try {
      await keeper.do('deliver', pid, [information]);
      return true;
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return true; // it has ended: a signal to a zombie has no effect
      if (isKorriganError(error, 'KRG_TRACED')) return false;
      throw error;
    }
  }
}
