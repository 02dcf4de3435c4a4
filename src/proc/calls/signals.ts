/** Signals that programs send to processes, groups and everybody on other nodes: with their rights, and with what kill(2) returns. */
import { randomUUID } from 'node:crypto';
import { ERRNO, isKorriganError } from '../../linux/index.ts';
import type { NodeFamilies } from '../node-families.ts';
import type { Member } from '../relatives.ts';
import type { SignalPost } from '../signal-post.ts';
import { type Caller, type CallsForOthers } from './caller.ts';
import { signalCall, signalManyCall, type SignalManyRequest, type SignalRequest } from './messages.ts';
import type { Places } from './places.ts';

const SIGKILL = 9;
const SIGCONT = 18;
const SIGSTOP = 19;
const MOST_SIGNAL = 64;
/** How long the sender waits until the signal is with the process. */
const TOLD_MILLISECONDS = 1000;
const ANSWER_MILLISECONDS = 3000;
/** Looks for members that were born meanwhile. */
const ROUNDS = 5;

export class ForwardedSignals {
  private readonly families: NodeFamilies;
  private readonly post: SignalPost;
  private readonly places: Places;
  private readonly others: CallsForOthers;

  constructor(families: NodeFamilies, post: SignalPost, places: Places, others: CallsForOthers) {
    this.families = families;
    this.post = post;
    this.places = places;
    this.others = others;
    const { rpc } = families.options;
    rpc.handle(signalCall, (request) => this.signalHere(request));
    rpc.handle(signalManyCall, (request) => this.signalManyHere(request));
  }

  /** @returns what kill(2) returns */
  async signal(request: SignalRequest): Promise<number> {
    const { rpc } = this.families.options;
    if (this.places.here(request.id) === 'process') return (await this.signalHere(request)).result;
    const answer = await this.places.ask(request.id, (node) => rpc.call(node, signalCall, request, this.families.once()));
    return answer?.result ?? -ERRNO.ESRCH;
  }

  /** @param group undefined for all but the caller @returns what kill(2) returns */
  async signalMany(signal: number, information: Uint8Array, caller: Caller, group: number | undefined): Promise<number> {
    const { rpc, isLiving } = this.families.options;
    const request: SignalManyRequest = { group, signal, information, broadcast: randomUUID(), caller };
    const options = { policy: 'each', deadlineMs: ANSWER_MILLISECONDS, ...this.families.once() } as const;
    const [here, { answers }] = await Promise.all([
      this.signalManyHere(request),
      rpc.callGroup(rpc.peers.filter(isLiving), signalManyCall, request, options),
    ]);
    const all = [here, ...answers.values()];
    if (all.every(({ found }) => found === 0)) return -ERRNO.ESRCH;
    if (signal < 0 || signal > MOST_SIGNAL) return -ERRNO.EINVAL;
    // Of all processes those are left out, without an error, that the caller may not signal.
    return group === undefined || all.some(({ permitted }) => permitted > 0) ? 0 : -ERRNO.EPERM;
  }

  private async signalHere({ id, thread, signal, information, caller }: SignalRequest): Promise<{ isHere: boolean; result: number }> {
    const { table } = this.families;
    const pid = this.places.here(id) === 'process' ? table.processOf(id) : undefined;
    const isHere = pid !== undefined && (thread === undefined || table.processOf(thread) === pid);
    if (!isHere) return { isHere, result: 0 };
    const result = this.check(pid, signal, caller);
    if (result < 0 || signal === 0) return { isHere, result };
    await this.brought(
      thread === undefined || thread === pid ? this.post.bring(pid, { information }) : this.bringTo(thread, pid, information),
    );
    return { isHere, result };
  }

  private async signalManyHere(request: SignalManyRequest): Promise<{ found: number; permitted: number }> {
    const { group, signal, information, broadcast, caller } = request;
    const { table } = this.families;
    const seen = new Set<number>();
    let permitted = 0;
    const isWanted = (member: Member): boolean =>
      member.ended === undefined && member.pid > 1 && (group === undefined ? member.pid !== caller.pid : member.group === group);
    for (let round = 0; round < ROUNDS; round++) {
      const fresh = table.all().filter((member) => isWanted(member) && !seen.has(member.pid) && this.places.here(member.pid) === 'process');
      if (fresh.length === 0) break;
      for (const { pid } of fresh) {
        seen.add(pid);
        if (this.check(pid, signal, caller) < 0) continue;
        permitted++;
        if (signal !== 0) await this.brought(this.post.bring(pid, { information, broadcast }));
      }
    }
    return { found: seen.size, permitted };
  }

  /** What kill(2) would return to the caller; a signal that does not exist is refused by it as well. */
  private check(pid: number, signal: number, caller: Caller): number {
    const probe = signal >= 0 && signal <= MOST_SIGNAL ? 0 : signal;
    const result = this.others.make(caller, 'kill', [pid, probe]);
    // Who may continue whom: kill(2).
    const isContinued = signal === SIGCONT && result === -ERRNO.EPERM && this.families.table.find(pid)?.session === caller.session;
    return isContinued ? 0 : result;
  }

  private async bringTo(thread: number, pid: number, information: Uint8Array): Promise<void> {
    const signal = new DataView(information.buffer, information.byteOffset).getInt32(0, true);
    if (signal === SIGKILL || signal === SIGSTOP) return this.post.bring(pid, { information });
    await this.families
      .patiently(() => this.families.keeper.do('deliver', pid, [information], thread))
      .catch((error: unknown) => {
        if (!isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) throw error; // it has ended
      });
  }

  private async brought(bringing: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, TOLD_MILLISECONDS);
    await Promise.race([bringing, late.promise]).finally(() => clearTimeout(timer));
  }
}
