/** Makes the faults of a scenario, and ends them. */
import type { NodeId } from '../src/kddm/index.ts';
import { type Membership, SUSPICION_MS } from './membership.ts';
import type { Fault } from './scenario.ts';
import { count } from './totals.ts';

/** A node that was removed and comes back goes on serving for that long before it hears of it. */
const IGNORANCE_MS = 25;
const REJOIN_POLL_MS = 50;

/** A world that has faults. */
export interface FaultyWorld {
  readonly membership: Membership;
  readonly network: { cut(a: NodeId, b: NodeId): void; heal(a: NodeId, b: NodeId, epoch: number): void };
  readonly totals: { readonly faults: Map<string, number> };
  isUp(node: NodeId): boolean;
  isReachable(node: NodeId): boolean;
  isDoomed(node: NodeId): boolean;
  everybody(): NodeId[];
  boot(node: NodeId): void;
  kill(node: NodeId): void;
  pause(node: NodeId): void;
  resume(node: NodeId): void;
  drain(node: NodeId): void;
  resumeClients(node: NodeId): void;
  after(delayMs: number, run: () => void): void;
  trace(line: () => string): void;
}

export class Faults {
  readonly #world: FaultyWorld;
  readonly #isolated = new Set<NodeId>();
  readonly #leavers = new Set<NodeId>();
  /** Faults that are not over. */
  pending = 0;

  constructor(world: FaultyWorld) {
    this.#world = world;
  }

  isIsolated(node: NodeId): boolean {
    return this.#isolated.has(node);
  }

  begin(fault: Fault): void {
    const world = this.#world;
    const { node } = fault;
    if (fault.kind === 'join') {
      if (world.isUp(node)) return;
      this.#note(fault);
      return this.#rejoin(node);
    }
    // A cluster keeps one node that nothing happens to.
    const isSound = (member: NodeId): boolean => world.isReachable(member) && !world.isDoomed(member) && !this.#leavers.has(member);
    const others = world.membership.members.filter((member) => member !== node && isSound(member));
    if (fault.kind === 'cut' && others.every((member) => member === fault.other)) return;
    if (!world.membership.members.includes(node) || !world.isReachable(node) || others.length === 0) return;
    this.#note(fault);
    switch (fault.kind) {
      case 'crash':
        this.pending++;
        world.kill(node);
        world.after(100, () => {
          // Else another fault of the same node has brought it back.
          if (!world.isUp(node)) world.membership.remove(node);
        });
        return world.after(fault.forMs, () => this.#rejoinWhenRemoved(node));
      case 'pause':
        this.pending++;
        world.pause(node);
        this.#suspect(node, fault.forMs);
        return world.after(fault.forMs, () => {
          world.resume(node);
          this.#returns(node);
        });
      case 'cut':
        return this.#cut(node, fault.other, fault.forMs);
      case 'isolate':
        return this.#isolate(node, fault.forMs);
      case 'leave':
        this.#leavers.add(node);
        return world.drain(node);
    }
  }

  #note(fault: Fault): void {
    count(this.#world.totals.faults, fault.kind);
    this.#world.trace(() => `FAULT ${JSON.stringify(fault)}`);
  }

  /** Who is away for too long is removed. */
  #suspect(node: NodeId, forMs: number): void {
    if (forMs > SUSPICION_MS) this.#world.after(SUSPICION_MS, () => this.#world.membership.remove(node));
  }

  /** Within reach again: as a member, or to begin anew. */
  #returns(node: NodeId): void {
    this.#world.after(IGNORANCE_MS, () => {
      if (this.#world.membership.isMember(node) && !this.#world.isDoomed(node)) {
        this.pending--;
        return;
      }
      this.#world.kill(node);
      this.#rejoinWhenRemoved(node);
    });
  }

  #rejoinWhenRemoved(node: NodeId): void {
    // Another fault of the same node has brought it back.
    if (this.#world.isUp(node)) {
      this.pending--;
      return;
    }
    if (this.#world.membership.isMember(node)) {
      this.#world.after(REJOIN_POLL_MS, () => this.#rejoinWhenRemoved(node));
      return;
    }
    this.pending--;
    this.#rejoin(node);
  }

  #rejoin(node: NodeId): void {
    this.#leavers.delete(node);
    this.#world.boot(node);
    this.#world.membership.add(node);
    this.#world.resumeClients(node);
  }

  #cut(node: NodeId, other: NodeId, forMs: number): void {
    const world = this.#world;
    if (node === other) return;
    this.pending++;
    world.network.cut(node, other);
    const victim = Math.max(node, other);
    this.#suspect(victim, forMs);
    world.after(forMs, () => {
      world.network.heal(node, other, world.membership.epoch);
      if (!world.isUp(victim)) {
        this.pending--;
        return;
      }
      if (world.membership.isMember(victim) && !world.isDoomed(victim)) world.membership.linkHealed();
      this.#returns(victim);
    });
  }

  #isolate(node: NodeId, forMs: number): void {
    const world = this.#world;
    this.pending++;
    const others = world.everybody().filter((other) => other !== node);
    this.#isolated.add(node);
    for (const other of others) world.network.cut(node, other);
    this.#suspect(node, forMs);
    world.after(forMs, () => {
      this.#isolated.delete(node);
      for (const other of others) world.network.heal(node, other, world.membership.epoch);
      if (!world.isUp(node)) {
        this.pending--;
        return;
      }
      if (world.membership.isMember(node) && !world.isDoomed(node)) world.membership.linkHealed();
      this.#returns(node);
    });
  }
}
