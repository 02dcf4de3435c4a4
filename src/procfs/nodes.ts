/** Questions to the nodes of the cluster, none of which keeps anybody waiting: one that did not answer in time is not waited for again for a while. */
import type { z } from 'zod';
import { KorriganError } from '../linux/index.ts';
import type { CallDefinition, NodeId, RpcNode } from '../rpc/index.ts';

/** How long a node may take. Whoever lists /proc waits for no more than that and what this node takes itself. */
export const ANSWER_MILLISECONDS = 700;
/** How long one that did not answer is passed over. */
const PASSED_OVER_MILLISECONDS = 1000;

export class Nodes {
  private readonly rpc: RpcNode;
  private readonly takesPart: (node: NodeId) => boolean;
  private readonly passedOver = new Map<NodeId, number>();

  /** @param isLiving whether a node takes part in the cluster */
  constructor(rpc: RpcNode, isLiving: (node: NodeId) => boolean) {
    this.rpc = rpc;
    this.takesPart = isLiving;
  }

  get own(): NodeId {
    return this.rpc.id;
  }

  /** Those that take part, this one first. */
  get living(): NodeId[] {
    return [this.own, ...this.rpc.peers.filter((node) => this.takesPart(node)).toSorted((a, b) => a - b)];
  }

  isLiving(node: NodeId): boolean {
    return node === this.own || this.takesPart(node);
  }

  /** @throws KorriganError KRG_NODE_DEAD, also for one that has not answered lately; KRG_DEADLINE */
  async ask<Request extends z.ZodType, Response extends z.ZodType>(
    node: NodeId,
    call: CallDefinition<Request, Response>,
    request: z.input<Request>,
  ): Promise<z.output<Response>> {
    return (await this.askForBytes(node, call, request)).response;
  }

  /** The same, with the raw bytes that come with the response. */
  async askForBytes<Request extends z.ZodType, Response extends z.ZodType>(
    node: NodeId,
    call: CallDefinition<Request, Response>,
    request: z.input<Request>,
  ): Promise<{ readonly response: z.output<Response>; readonly bytes: Uint8Array }> {
    if (!this.isLiving(node)) throw new KorriganError('KRG_NODE_DEAD', `node ${node} takes no part in the cluster`);
    if ((this.passedOver.get(node) ?? 0) > performance.now())
      throw new KorriganError('KRG_NODE_DEAD', `node ${node} has not answered lately`);
    try {
      const answer = await this.rpc.callWithBytes(node, call, request, { deadlineMs: ANSWER_MILLISECONDS });
      this.passedOver.delete(node);
      return answer;
    } catch (error) {
      const isSilent = error instanceof KorriganError && (error.code === 'KRG_DEADLINE' || error.code === 'KRG_NODE_DEAD');
      if (isSilent) this.passedOver.set(node, performance.now() + PASSED_OVER_MILLISECONDS);
      throw error;
    }
  }

  /** What all of these answer; of one that does not, what `otherwise` gives. */
  async askAll<Request extends z.ZodType, Response extends z.ZodType, T>(
    nodes: readonly NodeId[],
    call: CallDefinition<Request, Response>,
    request: z.input<Request>,
    use: (answer: z.output<Response>, node: NodeId) => T,
    otherwise: (node: NodeId) => T | undefined = () => undefined,
  ): Promise<{ node: NodeId; value: T }[]> {
    const answers = await Promise.all(
      nodes.map(async (node) => {
        try {
          return { node, value: use(await this.ask(node, call, request), node) };
        } catch (error) {
          if (!(error instanceof KorriganError)) throw error;
          return { node, value: otherwise(node) };
        }
      }),
    );
    return answers.flatMap(({ node, value }) => (value === undefined ? [] : [{ node, value }]));
  }
}
