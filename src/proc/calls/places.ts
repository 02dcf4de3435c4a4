/** Where a process or thread is, for one call: asked of its home first, then of all. */
import { KorriganError } from '../../linux/index.ts';
import type { NodeId } from '../../rpc/index.ts';
import type { NodeFamilies } from '../node-families.ts';
import { hasCall } from './messages.ts';

const ANSWER_MILLISECONDS = 1000;
/** How long a process is waited for that is just being moved. */
const MOVE_MILLISECONDS = 10_000;

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

  /** What has this id on this node: a process or a thread of it, a husk, or nothing. */
  here(id: number): Place {
    if (this.families.options.container.hostPidOf(id) === undefined) return 'nowhere';
    return this.isHusk(id) ? 'husk' : 'process';
  }

  /**
   * Asks one node after the other until one has it.
   * @returns undefined when there is no such process
   */
  async ask<Answer extends { readonly isHere: boolean }>(
    id: number,
    question: (node: NodeId) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    for (const until = performance.now() + MOVE_MILLISECONDS; performance.now() < until && !this.families.isClosed; ) {
      const first = await this.located(id);
      const answer = first === undefined ? undefined : await this.answerOf(question, first);
      if (answer?.isHere === true) return answer;
      const { holder, isUndecided } = await this.everywhere(id);
      const second = holder === undefined ? undefined : await this.answerOf(question, holder);
      if (second?.isHere === true) return second;
      // Between two answers it may have moved from the node that was asked last to the one that was asked first.
      if (holder === undefined && !isUndecided) return undefined;
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

  private async located(id: number): Promise<NodeId | undefined> {
    const node = await this.locate(id).catch(ignoreUnreachable);
    return node === this.families.node ? undefined : node;
  }

  private async answerOf<Answer>(question: (node: NodeId) => Promise<Answer>, node: NodeId): Promise<Answer | undefined> {
    return question(node).catch(ignoreUnreachable);
  }

  private async everywhere(id: number): Promise<{ holder: NodeId | undefined; isUndecided: boolean }> {
    const { rpc, isLiving } = this.families.options;
    const options = { policy: 'each', deadlineMs: ANSWER_MILLISECONDS } as const;
    const { answers } = await rpc.callGroup(rpc.peers.filter(isLiving), hasCall, { id }, options);
    const [holder] = [...answers].find(([, { isHere }]) => isHere) ?? [];
    return { holder, isUndecided: this.families.arriving.has(id) || [...answers.values()].some((answer) => answer.isUndecided) };
  }
}

function ignoreUnreachable(error: unknown): undefined {
  if (!(error instanceof KorriganError)) throw error;
  return undefined;
}
