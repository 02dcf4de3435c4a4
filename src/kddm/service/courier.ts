/** Carries what this node's object manager says to those of other nodes: over rpc, once and in order as long as both daemons live. */
import { KorriganError } from '../../linux/errors.ts';
import type { NodeId, RpcLog, RpcNode } from '../../rpc/index.ts';
import type { Envelope } from '../messages.ts';
import { Channel } from './channel.ts';
import { bodiesOf, type Body, fromWire, lifeNumber, packetNotice, Pieces, toWire } from './packets.ts';

export interface CourierOptions {
  readonly rpc: RpcNode;
  /** Names this daemon's memory. */
  readonly life: string;
  readonly now: () => number;
  readonly log: RpcLog;
  /** What has come, in order. */
  readonly deliver: (from: NodeId, body: Exclude<Body, { kind: 'piece' }>) => void;
}

interface Correspondent {
  readonly channel: Channel<Body>;
  readonly pieces: Pieces;
  /** The life from which pieces came. */
  life: number;
  /** The oldest packet that is not confirmed, and since when it is. */
  oldest: number;
  oldestAt: number;
}

/** A packet that is not confirmed for so long is sent again: the peer had no ears for it yet, or the link was lost unnoticed. */
const RESEND_MILLISECONDS = 1000;

export class Courier {
  readonly #options: CourierOptions;
  readonly #self: number;
  readonly #correspondents = new Map<NodeId, Correspondent>();
  readonly #takeListenerOff: () => void;
  #isClosed = false;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#self = lifeNumber(options.life);
    const { rpc } = options;
    rpc.handleNotice(packetNotice, (wire, { caller }) => this.#receive(caller, fromWire(wire)));
    this.#takeListenerOff = rpc.onLinkChange(({ peer, up }) => {
      const correspondent = this.#correspondents.get(peer);
      if (!up || correspondent === undefined) return;
      correspondent.channel.rewind();
      this.#flush(peer, correspondent);
    });
  }

  /** These lives of other nodes are meant from now on. Who is not among them is spoken to no more. */
  bind(lives: ReadonlyMap<NodeId, string>): void {
    for (const [node, correspondent] of this.#correspondents) if (!lives.has(node)) correspondent.channel.bind(0);
    for (const [node, life] of lives) if (node !== this.#options.rpc.id) this.#correspondent(node).channel.bind(lifeNumber(life));
  }

  send(node: NodeId, envelope: Envelope): void {
    const correspondent = this.#correspondent(node);
    for (const { body, sizeBytes } of bodiesOf(envelope)) correspondent.channel.push(body, sizeBytes);
    this.#flush(node, correspondent);
  }

  tell(node: NodeId, body: Extract<Body, { epoch: number }>): void {
    if (node === this.#options.rpc.id) {
      this.#options.deliver(node, body);
      return;
    }
    const correspondent = this.#correspondent(node);
    correspondent.channel.push(body, 64);
    this.#flush(node, correspondent);
  }

  /** Time has passed: what came is confirmed, what is not confirmed is sent again. */
  tick(): void {
    const { now } = this.#options;
    for (const [node, correspondent] of this.#correspondents) {
      const { channel } = correspondent;
      this.#confirm(node, channel, true);
      if (channel.oldest !== correspondent.oldest) {
        correspondent.oldest = channel.oldest;
        correspondent.oldestAt = now();
      } else if (channel.isWaiting && now() - correspondent.oldestAt > RESEND_MILLISECONDS) {
        correspondent.oldestAt = now();
        channel.rewind();
        this.#flush(node, correspondent);
      }
    }
  }

  /** Whether something that was sent to the node is not known to have come. */
  isWaitingFor(node: NodeId): boolean {
    return this.#correspondents.get(node)?.channel.isWaiting === true;
  }

  close(): void {
    this.#isClosed = true;
    this.#takeListenerOff();
  }

  #correspondent(node: NodeId): Correspondent {
    const known = this.#correspondents.get(node);
    if (known !== undefined) return known;
    const correspondent = { channel: new Channel<Body>(this.#self), pieces: new Pieces(), life: 0, oldest: 0, oldestAt: 0 };
    this.#correspondents.set(node, correspondent);
    return correspondent;
  }

  #flush(node: NodeId, { channel }: Correspondent): void {
    const packets = channel.take();
    if (packets.length === 0) return;
    // Without a link one packet is enough to have one made; all go when it is there.
    if (!this.#options.rpc.isConnected(node)) packets.length = 1;
    for (const packet of packets) this.#notify(node, packet);
  }

  #notify(node: NodeId, packet: Parameters<typeof toWire>[0]): void {
    if (this.#isClosed) return;
    try {
      this.#options.rpc.notify(node, packetNotice, toWire(packet));
    } catch (error) {
      // A node that is not known to rpc (yet, or any more).
      if (!(error instanceof KorriganError)) throw error;
      this.#options.log.debug({ peer: node, code: error.code }, 'an object manager cannot be reached');
    }
  }

  #confirm(node: NodeId, channel: Channel<Body>, isDue: boolean): void {
    if (isDue && !this.#options.rpc.isConnected(node)) return;
    const confirmation = channel.confirmation(isDue);
    if (confirmation !== undefined) this.#notify(node, confirmation);
  }

  #receive(from: NodeId, packet: Parameters<typeof toWire>[0]): void {
    if (this.#isClosed) return;
    const correspondent = this.#correspondent(from);
    const { channel, pieces } = correspondent;
    if (correspondent.life !== packet.from) {
      correspondent.life = packet.from;
      pieces.clear();
    }
    const isWaiting = channel.isWaiting;
    const body = channel.receive(packet, packet.body?.kind === 'piece' ? packet.body.bytes.length : 256);
    if (body?.kind === 'piece') {
      const envelope = pieces.add(body.bytes, body.isLast, from);
      if (envelope !== undefined) this.#options.deliver(from, { kind: 'envelope', envelope });
    } else if (body !== undefined) {
      this.#options.deliver(from, body);
    }
    this.#confirm(from, channel, false);
    if (isWaiting) this.#flush(from, correspondent);
  }
}
