/**
 * The membership, as an oracle that makes no mistakes: it renews leases, removes who was away for too long when its lease has certainly run out, adds who comes back,
 * and begins an epoch with each change and whenever a link has lost messages. Nodes learn of an epoch at different times.
 */
import type { NodeId } from '../src/kddm/index.ts';
import type { Random } from './random.ts';

export const LEASE_MS = 300;
const RENEWAL_MS = 80;
/** Who is away that long is removed. */
export const SUSPICION_MS = 700;

export interface EpochChange {
  readonly epoch: number;
  readonly members: readonly NodeId[];
  readonly dead: readonly NodeId[];
  readonly leaving: readonly NodeId[];
  /** Of the members, where the world has them. */
  readonly lives: ReadonlyMap<NodeId, string>;
}

export interface MembershipHost {
  /** Names the node that is there now among all that were. */
  lifeOf?(node: NodeId): string;
  readonly nowMs: number;
  schedule(timeMs: number, run: () => void): void;
  /** Whether the oracle can reach the node. */
  isReachable(node: NodeId): boolean;
  renewLease(node: NodeId, untilMs: number): void;
  tell(node: NodeId, change: EpochChange): void;
  /** All have recovered in this epoch. */
  settled(node: NodeId, epoch: number): void;
  /** The node is out: what it holds counts no more. */
  removed(node: NodeId): void;
  /** The others have what a leaving node had. */
  gone(node: NodeId): void;
}

export class Membership {
  readonly #host: MembershipHost;
  readonly #random: Random;
  members: readonly NodeId[];
  readonly leaving = new Set<NodeId>();
  epoch = 0;
  /** To be removed: gets no lease any more. */
  readonly #doomed = new Set<NodeId>();
  readonly #tellAfterMs = new Map<NodeId, number>();
  /** How often a node was added. */
  readonly #additions = new Map<NodeId, number>();
  readonly #running = new Set<NodeId>();
  /** Who died or left, and the last epoch that began with it. */
  readonly #unsettled = new Map<NodeId, number>();
  isStopped = false;

  constructor(host: MembershipHost, random: Random, members: readonly NodeId[]) {
    this.#host = host;
    this.#random = random;
    this.members = members;
  }

  start(): void {
    this.#begin([]);
    this.#renew();
  }

  #renew(): void {
    if (this.isStopped) return;
    const { nowMs } = this.#host;
    for (const node of [...this.members, ...this.leaving]) {
      if (!this.#doomed.has(node) && this.#host.isReachable(node)) this.#host.renewLease(node, nowMs + LEASE_MS);
    }
    this.#host.schedule(nowMs + RENEWAL_MS, () => this.#renew());
  }

  #begin(dead: readonly NodeId[]): void {
    this.epoch++;
    this.#running.clear();
    const leaving = [...this.leaving].toSorted((a, b) => a - b);
    for (const node of [...dead, ...leaving]) this.#unsettled.set(node, this.epoch);
    const lives = new Map(this.members.map((node) => [node, this.#host.lifeOf?.(node) ?? '']));
    const change = { epoch: this.epoch, members: this.members, dead, leaving, lives };
    for (const node of [...this.members, ...this.leaving]) this.#tell(node, change);
  }

  /** In the order of the epochs, at different times. */
  #tell(node: NodeId, change: EpochChange): void {
    const after = this.#tellAfterMs.get(node) ?? 0;
    const timeMs = Math.max(after, this.#host.nowMs + this.#random.next() * 40);
    this.#tellAfterMs.set(node, timeMs);
    const addition = this.#additions.get(node);
    this.#host.schedule(timeMs, () => {
      // Another node in its place has no part in what was meant for the one before.
      if (addition !== this.#additions.get(node)) return;
      if (change.members.includes(node) || change.leaving.includes(node)) this.#host.tell(node, change);
    });
  }

  /** A link has lost messages and works again. */
  linkHealed(): void {
    this.#begin([]);
  }

  /** Removes a node when its lease has certainly run out. */
  remove(node: NodeId): void {
    if (this.#doomed.has(node) || !(this.members.includes(node) || this.leaving.has(node))) return;
    this.#doomed.add(node);
    this.#host.schedule(this.#host.nowMs + LEASE_MS + 20, () => {
      this.#doomed.delete(node);
      if (!this.members.includes(node) && !this.leaving.has(node)) return;
      this.members = this.members.filter((member) => member !== node);
      this.leaving.delete(node);
      this.#host.removed(node);
      this.#begin([node]);
    });
  }

  isMember(node: NodeId): boolean {
    return this.members.includes(node) || this.leaving.has(node) || this.#doomed.has(node);
  }

  /** Is it to be removed? */
  isDoomed(node: NodeId): boolean {
    return this.#doomed.has(node);
  }

  add(node: NodeId): void {
    this.#additions.set(node, (this.#additions.get(node) ?? 0) + 1);
    this.members = [...this.members, node].toSorted((a, b) => a - b);
    this.#begin([]);
  }

  /** The node is drained. */
  leave(node: NodeId): void {
    if (!this.members.includes(node) || this.#doomed.has(node) || this.members.length < 2) return;
    this.members = this.members.filter((member) => member !== node);
    this.leaving.add(node);
    this.#begin([]);
  }

  /** @param epoch in which it left: later ones, which wait for it, begin anew */
  left(node: NodeId, epoch: number): void {
    this.leaving.delete(node);
    this.#host.gone(node);
    if (epoch < this.epoch) this.#begin([]);
  }

  recovered(node: NodeId, epoch: number): void {
    if (epoch !== this.epoch) return;
    const isNew = !this.#running.has(node);
    this.#running.add(node);
    if (!isNew || !this.members.every((member) => this.#running.has(member))) return;
    for (const member of this.members)
      this.#host.schedule(this.#host.nowMs + this.#random.next() * 40, () => this.#host.settled(member, epoch));
    // They know it then.
    this.#host.schedule(this.#host.nowMs + 40, () => {
      for (const [gone, since] of this.#unsettled) if (since <= epoch) this.#unsettled.delete(gone);
    });
  }

  /** Deaths and departures of which the replicas have not recovered. */
  get unsettledDeaths(): number {
    return this.#unsettled.size;
  }
}
