/**
 * Processes whose node, or whose home, takes part in the cluster no more: who has them? All nodes are asked; what nobody has was lost with its node, and its
 * relatives see it killed. While the home of a process is away nobody stands in for it: what would be told to the home is told to all, and where the
 * process runs is asked of all.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { claimCall, type Notice } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';

const ANSWER_MILLISECONDS = 1000;
const AGAIN_MILLISECONDS = 50;
/** Who tells what no node has told. */
const NOBODY: NodeId = 0;
const SIGKILL = 9;

export class Claims {
  private readonly families: NodeFamilies;
  private readonly take: (notice: Notice, from: NodeId) => Promise<void>;

  /** Of which it has been found, and has not been carried out yet. */
  private readonly losing = new Set<number>();

  /** @param take carries out what has been found */
  constructor(families: NodeFamilies, take: (notice: Notice, from: NodeId) => Promise<void>) {
    this.families = families;
    this.take = take;
    const { visitors, arriving } = families;
    families.options.rpc.handle(claimCall, ({ pids }) => ({
      running: pids.filter((pid) => visitors.has(pid) || (families.isHome(pid) && families.isHere(pid))),
      undecided: pids.filter((pid) => arriving.has(pid)),
    }));
  }

  /** Other nodes take part than before. */
  async membersChanged(): Promise<void> {
    const { directory, present, node, options } = this.families;
    directory.forgetNodes((place) => options.isLiving(place));
    const isLost = (pid: number): boolean => (this.families.isHome(pid) ? directory.nodeOf(pid) === node : this.families.isHomeless(pid));
    await this.review([...present].filter(isLost));
  }

  /** A process may have moved to a node that had died before this one heard of it. */
  checkPlaces(): void {
    const { directory, options } = this.families;
    if (!directory.away.every(({ node }) => options.isLiving(node))) this.begin(this.membersChanged());
  }

  /** Husks here of processes that may be nowhere. */
  check(pids: readonly number[]): void {
    this.begin(this.review(pids));
  }

  /** Where a process without a home runs. @throws KorriganError KRG_NO_SUCH_PROCESS */
  async locate(pid: number): Promise<NodeId> {
    for (;;) {
      const { running, undecided } = await this.ask([pid]);
      const node = running.get(pid);
      if (node !== undefined) return node;
      if (!undecided.has(pid)) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} was lost with the node that it was on`);
      await delay(AGAIN_MILLISECONDS);
    }
  }

  /** A process is nowhere any more. */
  async lost(pid: number): Promise<void> {
    if (this.losing.has(pid)) return;
    this.losing.add(pid);
    this.families.options.log.warn({ pid }, 'a process was lost with its node; its relatives see it killed');
    this.families.options.onLost?.(pid);
    await this.take({ kind: 'ended', pid, status: SIGKILL }, NOBODY).finally(() => this.losing.delete(pid));
  }

  private begin(work: Promise<void>): void {
    work.catch((error: unknown) => this.families.complain(error, 'it is not known where processes are'));
  }

  private async review(pids: readonly number[]): Promise<void> {
    const { directory, node, present } = this.families;
    const missed = new Set<number>();
    for (let open = [...pids]; open.length > 0 && !this.families.isClosed; await delay(AGAIN_MILLISECONDS, undefined, { ref: false })) {
      const { running, undecided } = await this.ask(open);
      for (const pid of open) {
        const place = running.get(pid);
        if (place !== undefined && this.families.isHome(pid)) directory.moved(pid, node, place);
      }
      // Who moved while all were asked has told its home before it left, and is seen by the second look where it has none.
      const isClaimed = (pid: number): boolean => running.has(pid) || (this.families.isHome(pid) && directory.nodeOf(pid) !== node);
      open = open.filter((pid) => present.has(pid) && !isClaimed(pid));
      for (const pid of open) if (!undecided.has(pid) && (this.families.isHome(pid) || missed.has(pid))) await this.lost(pid);
      for (const pid of open) if (!undecided.has(pid)) missed.add(pid);
      open = open.filter((pid) => present.has(pid));
    }
  }

  /** What a node does not say is not decided. */
  private async ask(pids: number[]): Promise<{ running: Map<number, NodeId>; undecided: Set<number> }> {
    const { rpc, isLiving } = this.families.options;
    const running = new Map<number, NodeId>();
    const undecided = new Set(pids.filter((pid) => this.families.arriving.has(pid)));
    await Promise.all(
      rpc.peers.filter(isLiving).map(async (peer) => {
        try {
          const answer = await rpc.call(peer, claimCall, { pids }, { deadlineMs: ANSWER_MILLISECONDS });
          for (const pid of answer.running) running.set(pid, peer);
          for (const pid of answer.undecided) undecided.add(pid);
        } catch (error) {
          if (!(error instanceof KorriganError)) throw error;
          if (isLiving(peer)) for (const pid of pids) undecided.add(pid);
        }
      }),
    );
    return { running, undecided };
  }
}
