/**
 * How many messages went each way in this epoch. Every message tells how many the sender has received, so that what was handed over need not be kept when
 * it is known to have arrived; who has nothing to say tells it with DELIVERED.
 */
import type { NodeId } from '../rpc/index.ts';
import type { HandedOver } from './entry.ts';

interface Link {
  sent: number;
  received: number;
  /** What the other was told last. */
  told: number;
  /** In the order in which they were sent. */
  readonly unconfirmed: { readonly sequence: number; readonly handedOver: HandedOver }[];
}

export class Delivery {
  readonly #links = new Map<NodeId, Link>();

  #link(node: NodeId): Link {
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    const link = { sent: 0, received: 0, told: 0, unconfirmed: [] };
    this.#links.set(node, link);
    return link;
  }

  /** A message is sent. @returns what it tells of those that came */
  sending(node: NodeId, isCounted: boolean): number {
    const link = this.#link(node);
    if (isCounted) link.sent++;
    link.told = link.received;
    return link.received;
  }

  /** What was just sent to the node carries this. */
  expect(node: NodeId, handedOver: HandedOver): void {
    const link = this.#link(node);
    link.unconfirmed.push({ sequence: link.sent, handedOver });
  }

  /** A message was handled. */
  handled(node: NodeId): void {
    this.#link(node).received++;
  }

  /** The node has handled so many. */
  confirm(node: NodeId, received: number): void {
    const { unconfirmed } = this.#link(node);
    let count = 0;
    for (const { sequence, handedOver } of unconfirmed) {
      if (sequence > received) break;
      handedOver.isDelivered = true;
      handedOver.content = undefined;
      count++;
    }
    unconfirmed.splice(0, count);
  }

  /** Nodes that have not been told of all that came from them. */
  untold(): NodeId[] {
    return [...this.#links].flatMap(([node, { received, told }]) => (received > told ? [node] : []));
  }
}
