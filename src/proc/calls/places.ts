/** Where a process or thread is, for one call: asked of its home first, then of all. */
import { KorriganError } from '../../linux/index.ts';
import type { NodeId } from '../../rpc/index.ts';
import type { NodeFamilies } from '../node-families.ts';
import { hasCall } from './messages.ts';

const ANSWER_MILLISECONDS = 1000;
/** How long a process is waited for that is just being moved, or a node whose daemon is being started again: longer than until that counts as dead. */
const PATIENCE_MILLISECONDS = 30_000;
/** In place of an answer, or of a node: a node that takes part cannot be asked now. */
const UNREACHABLE = Symbol('unreachable');

export type Place = 'process' | 'husk' | 'nowhere';

export class Places {
  private readonly families: NodeFamilies;
  private readonly locate: (pid: number) => Promise<NodeId>;
  private readonly isHusk: (pid: number) => boolean;

  constructor(families: NodeFamilies, locate: (pid: number) => Promise<NodeId>, isHusk: (pid: number) => boolean) {
    this.families = families;
    this.locate = locate;
    this.isHusk = isHusk;
    families.options.rpc.handle(hasCall, ({ id }) => ({ isHere: this.here(id) === 'process', isUndecided: families.arriving.has(id) }));
  }

  /** What has this id on this node: a process or a thread of it, a husk (also one that has ended, as its process has elsewhere), or nothing. */
  here(id: number): Place {
    const { visitors, directory, endedHusks, table, node, options } = this.families;
    if (options.container.hostPidOf(id) === undefined) return 'nowhere';
    if (this.isHusk(id) || endedHusks.has(id)) return 'husk';
    if (visitors.has(id)) return 'process';
    if (this.families.isHome(id) && directory.nodeOf(id) === node) return 'process';
    const pid = table.processOf(id);
    if (pid === undefined) return 'nowhere';
    return pid === id ? 'husk' : this.here(pid);
  }

  /**
   * Asks one node after the other until one has it. A node whose daemon is being started again is waited for, until it counts as dead.
   * @returns undefined when there is no such process
   */
  async ask<Answer extends { readonly isHere: boolean }>(
    id: number,
    question: (node: NodeId) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    // Who visited, and is not here any more, has ended.
    if (this.families.visitors.has(id)) return undefined;
    for (const until = performance.now() + PATIENCE_MILLISECONDS; performance.now() < until && !this.families.isClosed; ) {
      // Most processes run at home.
      const home = this.families.isHomeless(id) ? undefined : this.families.options.homeOf(id);
      const there = await this.answerOf(question, home);
      if (isAnswer(there) && there.isHere) return there;
      const located = there === UNREACHABLE ? there : await this.locate(id).catch(orUnreachable);
      const first = located === home ? there : await this.answerOf(question, located);
      if (isAnswer(first) && first.isHere) return first;
      const { holder, isDecided } = await this.everywhere(id);
      const second = await this.answerOf(question, holder);
      if (isAnswer(second) && second.isHere) return second;
      // Between two answers it may have moved from the node that was asked last to the one that was asked first.
      if (isDecided && holder === undefined && first !== UNREACHABLE) return undefined;
      await this.families.again();
    }
    return undefined;
  }

  /** The node on which it runs; undefined when there is none. */
  async find(id: number): Promise<NodeId | undefined> {
    const { node, options } = this.families;
    if (this.here(id) === 'process') return node;
    return (await this.ask(id, async (asked) => ({ ...(await options.rpc.call(asked, hasCall, { id })), node: asked })))?.node;
  }

  private async answerOf<Answer>(
    question: (node: NodeId) => Promise<Answer>,
    node: NodeId | typeof UNREACHABLE | undefined,
  ): Promise<Answer | typeof UNREACHABLE | undefined> {
    if (node === undefined || node === UNREACHABLE) return node;
    if (node === this.families.node) return undefined;
    const answer = await question(node).catch(orUnreachable);
    return answer === UNREACHABLE && !this.families.options.isLiving(node) ? undefined : answer;
  }

  private async everywhere(id: number): Promise<{ holder: NodeId | undefined; isDecided: boolean }> {
    const { rpc, isLiving } = this.families.options;
    const options = { policy: 'each', deadlineMs: ANSWER_MILLISECONDS } as const;
    const { answers, failures } = await rpc.callGroup(rpc.peers.filter(isLiving), hasCall, { id }, options);
    const [holder] = [...answers].find(([, { isHere }]) => isHere) ?? [];
    const isMoving = this.families.arriving.has(id) || [...answers.values()].some(({ isUndecided }) => isUndecided);
    return { holder, isDecided: !isMoving && ![...failures.keys()].some(isLiving) };
  }
}

function orUnreachable(error: unknown): typeof UNREACHABLE | undefined {
  if (!(error instanceof KorriganError)) throw error;
  return error.code === 'KRG_NO_SUCH_PROCESS' ? undefined : UNREACHABLE;
}

function isAnswer<Answer>(answer: Answer | typeof UNREACHABLE | undefined): answer is Answer {
  return answer !== undefined && answer !== UNREACHABLE;
}
