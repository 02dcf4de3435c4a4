/** After a restart of the daemon: who is here is seen in the container, where the others are is asked of the other nodes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReapedProcess } from '../container/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { type Notice, reconcileCall } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';

const ANSWER_MILLISECONDS = 1000;
const RECONCILE_MILLISECONDS = 500;
/** How often in a row nobody may claim a process before it counts as lost with its node. */
const RECONCILE_ROUNDS = 4;

type Ended = Pick<ReapedProcess, 'pid' | 'status'>;

export class Reconciliation {
  private readonly families: NodeFamilies;
  private readonly take: (notice: Notice, from: NodeId) => void;

  private readonly lost: (pid: number) => Promise<void>;

  /** @param take carries out what has been found @param lost the same for a process that is nowhere */
  constructor(families: NodeFamilies, take: (notice: Notice, from: NodeId) => void, lost: (pid: number) => Promise<void>) {
    this.families = families;
    this.lost = lost;
    this.take = take;
    families.options.rpc.handle(reconcileCall, ({ running, husks, ended }, { caller }) => this.answer(caller, running, husks, ended));
  }

  /** @param ended children of pid 1 that it has collected lately */
  async run(ended: readonly Ended[]): Promise<void> {
    const { rpc, isLiving } = this.families.options;
    let undecided = await Promise.all(rpc.peers.map((peer) => this.ask(peer, ended)));
    const misses = new Map<number, number>();
    for (let unclaimed = this.families.unclaimed; unclaimed.length > 0 && !this.families.isClosed; unclaimed = this.families.unclaimed) {
      for (const pid of unclaimed) misses.set(pid, undecided.flat().includes(pid) ? 0 : (misses.get(pid) ?? 0) + 1);
      for (const pid of unclaimed) if ((misses.get(pid) ?? 0) > RECONCILE_ROUNDS) await this.lost(pid);
      await delay(RECONCILE_MILLISECONDS, undefined, { ref: false });
      undecided = await Promise.all(rpc.peers.filter(isLiving).map((peer) => this.ask(peer, [])));
    }
  }

  /** @returns the processes of this home of which the peer does not know yet whether they run there */
  private async ask(peer: NodeId, ended: readonly Ended[]): Promise<readonly number[]> {
    const { families } = this;
    const { rpc, homeOf, isLiving } = families.options;
    const ofPeer = (pid: number): boolean => homeOf(pid) === peer;
    // Of two that are started together one makes the link.
    if (rpc.id < peer) await delay(RECONCILE_MILLISECONDS, undefined, { ref: false });
    for (; !families.isClosed && isLiving(peer); await delay(RECONCILE_MILLISECONDS, undefined, { ref: false })) {
      const request = {
        running: [...families.visitors].filter(ofPeer),
        husks: [...families.present].filter(ofPeer),
        // What is here with the pid of one that was collected came after it, which was a husk.
        ended: ended.filter(({ pid }) => ofPeer(pid) && !this.isAnythingHere(pid)).map(({ pid, status }) => ({ pid, status })),
      };
      try {
        const { running, husks, undecided } = await rpc.call(peer, reconcileCall, request, { deadlineMs: ANSWER_MILLISECONDS });
        for (const pid of running) if (!families.isHere(pid)) families.directory.moved(pid, rpc.id, peer);
        for (const pid of husks) families.directory.held(pid, peer);
        await families.keeper.do(
          'watch',
          husks.filter((pid) => !families.present.has(pid)),
        );
        return undecided;
      } catch (error) {
        if (families.isClosed) throw error; // else it is not up yet
      }
    }
    return [];
  }

  /** A daemon was started again and says what it has. */
  private answer(
    from: NodeId,
    running: readonly number[],
    husks: readonly number[],
    ended: readonly Ended[],
  ): { running: number[]; husks: number[]; undecided: number[] } {
    const { directory, present, visitors, arriving, node, options } = this.families;
    for (const pid of running) if (!this.families.isHere(pid)) directory.moved(pid, node, from);
    for (const pid of husks) directory.held(pid, from);
    const statuses = new Map(ended.map(({ pid, status }) => [pid, status]));
    for (const { pid, node: place } of directory.away) {
      const status = statuses.get(pid);
      if (place === from && !running.includes(pid) && status !== undefined) this.take({ kind: 'ended', pid, status }, from);
    }
    const isTheirs = (pid: number): boolean => options.homeOf(pid) === from;
    return {
      running: [...visitors].filter(isTheirs),
      husks: [...present].filter(isTheirs),
      undecided: [...arriving].filter(isTheirs),
    };
  }

  private isAnythingHere(pid: number): boolean {
    return this.families.options.container.hostPidOf(pid) !== undefined;
  }
}
