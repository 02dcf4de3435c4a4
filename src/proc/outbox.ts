/** Notices on their way to another node: all arrive, in their order, however often the link is lost. What a node has not got before it died comes back. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeId, RpcNode } from '../rpc/index.ts';
import { type Notice, tellCall } from './messages.ts';

const RETRY_MILLISECONDS = 50;
const AT_ONCE = 200;

export class Outbox {
  private readonly rpc: Pick<RpcNode, 'call'>;
  private readonly waiting = new Map<NodeId, Notice[]>();
  private readonly sending = new Map<NodeId, Promise<void>>();
  private readonly isLiving: (node: NodeId) => boolean;
  private readonly onUndelivered: (notice: Notice) => void;
  private isClosed = false;

  /** @param onUndelivered told of what a node that has died may not have got, in its order */
  constructor(rpc: Pick<RpcNode, 'call'>, isLiving: (node: NodeId) => boolean, onUndelivered: (notice: Notice) => void) {
    this.rpc = rpc;
    this.isLiving = isLiving;
    this.onUndelivered = onUndelivered;
  }

  put(node: NodeId, notice: Notice): void {
    if (!this.isLiving(node)) return;
    const queue = this.waiting.get(node);
    if (queue !== undefined) queue.push(notice);
    else this.waiting.set(node, [notice]);
    if (this.sending.has(node)) return;
    this.sending.set(
      node,
      this.send(node).finally(() => this.sending.delete(node)),
    );
  }

  /** Resolves when everything that was put for the node has arrived. */
  async flushed(node: NodeId): Promise<void> {
    await this.sending.get(node);
  }

  close(): void {
    this.isClosed = true;
  }

  private async send(node: NodeId): Promise<void> {
    for (let queue = this.waiting.get(node); queue !== undefined && queue.length > 0 && !this.isClosed; queue = this.waiting.get(node)) {
      const notices = queue.slice(0, AT_ONCE);
      const key = randomUUID();
      let isDelivered = false;
      while (!isDelivered && !this.isClosed && this.isLiving(node)) {
        isDelivered = await this.deliver(node, notices, key);
        if (!isDelivered) await delay(RETRY_MILLISECONDS, undefined, { ref: false });
      }
      if (isDelivered) queue.splice(0, notices.length);
      else if (!this.isClosed) for (const notice of queue.splice(0)) this.onUndelivered(notice);
    }
  }

  private async deliver(node: NodeId, notices: Notice[], key: string): Promise<boolean> {
    try {
      // What is told twice to a daemon that was started between does no harm.
      await this.rpc.call(node, tellCall, { notices }, { idempotencyKey: key, acrossRestarts: true });
      return true;
    } catch {
      return false; // the node or the link is down; it is tried until it is up again
    }
  }
}
