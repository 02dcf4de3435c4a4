/** How this node's objects go from view to view of the cluster: epochs, leases, who has recovered, who has left. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Stage, View } from '../../hotplug/index.ts';
import { membersOf } from '../../hotplug/index.ts';
import type { NodeId, RpcLog, RpcNode } from '../../rpc/index.ts';
import type { KddmEffect } from '../events.ts';
import type { Courier } from './courier.ts';
import type { Engine } from './engine.ts';
import { changeOf, livesOf } from './epochs.ts';
import { Lease, RENEWAL_MILLISECONDS } from './lease.ts';
import { type Body, leaseNotice } from './packets.ts';

export interface MembershipOptions {
  readonly rpc: RpcNode;
  readonly engine: Engine;
  readonly courier: Courier;
  readonly now: () => number;
  readonly log: RpcLog;
  /** Begins a new epoch at every member, in which nothing else has changed (`renew` of hotplug's record). */
  readonly renewEpoch: (reason: string) => void;
  /** Milliseconds: a node that leaves and cannot be reached for so long, while others wait for what it has, is dead. */
  readonly leaverPatience: number;
}

export interface KddmState {
  readonly epoch: number;
  readonly members: readonly NodeId[];
  /** Whether this node serves, as far as its lease goes. */
  readonly isRunning: boolean;
  /** Whether all members have made the replicas that nodes which died have taken: as many more may die now. */
  readonly hasRecovered: boolean;
}

/** See {@link MembershipOptions.leaverPatience}. */
export const LEAVER_PATIENCE_MILLISECONDS = 10_000;

const NOBODY: View = { epoch: 0, nodes: [] };

export class KddmMembership {
  /** For hotplug. Nothing here waits for other nodes, for they may die meanwhile; what is asked of kddm waits until it can be done. */
  readonly stage: Stage;
  readonly #options: MembershipOptions;
  readonly #lease: Lease;
  #view: View = NOBODY;
  #members: readonly NodeId[] = [];
  /** Who is no member any more and has not handed over everything yet, as far as this node knows, and the life that is meant. */
  readonly #leaving = new Map<NodeId, string>();
  /** Of those, who are taken for dead: so from the next epoch on. */
  readonly #silent = new Set<NodeId>();
  #isRunning = false;
  #hasRecovered = false;
  #changedAt = 0;
  #askedAt = 0;
  /** Members that have recovered in the latest epoch of which somebody has told this. */
  #recovered = { epoch: 0, members: new Set<NodeId>() };
  #isDraining = false;
  #isDrained = false;
  readonly #whenDrained: (() => void)[] = [];
  #renewedAt = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { rpc, engine } = options;
    this.#lease = new Lease(rpc.id);
    this.stage = {
      name: 'kddm',
      freeze: () => Promise.resolve(engine.freeze()),
      change: ({ before, after }) => this.#change(before, after),
      resume: () => Promise.resolve(engine.thaw()),
    };
    rpc.handleNotice(leaseNotice, ({ askedAt, isGranted }, { caller }) => {
      if (isGranted) {
        this.#lease.granted(caller, askedAt);
        this.#extendLease();
      } else if (this.#lease.grant(caller, options.now())) this.#notify(caller, { askedAt, isGranted: true });
    });
  }

  get state(): KddmState {
    return { epoch: this.#view.epoch, members: this.#members, isRunning: this.#isRunning, hasRecovered: this.#hasRecovered };
  }

  /** From now on users of this node are refused. Resolves when nothing is held here any more, and the node may be taken out. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#options.engine.step({ kind: 'drain' });
    if (!this.#isDrained) await new Promise<void>((resolve) => this.#whenDrained.push(resolve));
  }

  async #change(before: View, after: View): Promise<void> {
    const { rpc, engine, courier, log, now } = this.#options;
    // A stage is told of those who went and of those who came, one after the other; here it is one change.
    if (after.epoch <= this.#view.epoch) return;
    const change = changeOf(this.#view.epoch === 0 ? before : this.#view, after);
    // Where another daemon answers, the one before has ended.
    const wait = this.#lease.endOfGrants(change.dead.filter((node) => !change.members.includes(node))) - now();
    if (wait > 0) await delay(wait);
    this.#follow(change, after);
    const leaving = [...this.#leaving.keys()].toSorted((a, b) => a - b);
    const lives = livesOf(after);
    const isConcerned = lives.has(rpc.id) || leaving.includes(rpc.id);
    const wasMember = this.#members.includes(rpc.id);
    this.#view = after;
    this.#members = membersOf(after);
    this.#isRunning = false;
    this.#hasRecovered = false;
    this.#changedAt = now();
    this.#lease.setMembers(this.#members);
    courier.bind(new Map([...lives, ...this.#leaving]));
    if (!isConcerned) return;
    if (engine.node === undefined || (!wasMember && lives.has(rpc.id))) {
      engine.begin();
      this.#isDraining = false;
      this.#isDrained = false;
    }
    this.#extendLease();
    this.#askForLease();
    log.debug({ ...change, leaving }, 'the objects of the cluster are taken to a new epoch');
    const dead = [...new Set([...change.dead, ...this.#silent])];
    this.#silent.clear();
    engine.step({ kind: 'reconfigure', epoch: after.epoch, members: this.#members, dead, leaving });
    if (this.#isDraining) engine.step({ kind: 'drain' });
  }

  /** Who leaves and who has died since. */
  #follow({ dead, leaving }: { dead: readonly NodeId[]; leaving: readonly NodeId[] }, after: View): void {
    for (const node of dead) this.#leaving.delete(node);
    for (const node of membersOf(after)) this.#leaving.delete(node);
    const lives = livesOf(this.#view);
    for (const node of leaving) this.#leaving.set(node, lives.get(node) ?? '');
  }

  report(effect: Extract<KddmEffect, { kind: 'reconfigured' | 'recovered' | 'drained' | 'left' }>): void {
    const { engine, courier, rpc } = this.#options;
    switch (effect.kind) {
      case 'reconfigured':
        this.#isRunning = true;
        this.#leaving.clear();
        return;
      case 'recovered': {
        const [coordinator] = this.#members;
        if (coordinator !== undefined) courier.tell(coordinator, { kind: 'recovered', epoch: effect.epoch });
        return;
      }
      case 'drained':
        this.#isDrained = true;
        for (const resolve of this.#whenDrained.splice(0)) resolve();
        return;
      case 'left':
        engine.end();
        this.#leaving.delete(rpc.id);
        for (const member of this.#members) courier.tell(member, { kind: 'left', epoch: this.#view.epoch });
    }
  }

  /** Another node tells something. */
  told(from: NodeId, { kind, epoch }: Extract<Body, { epoch: number }>): void {
    const { engine, courier } = this.#options;
    switch (kind) {
      case 'recovered':
        if (epoch > this.#recovered.epoch) this.#recovered = { epoch, members: new Set() };
        if (epoch === this.#recovered.epoch) this.#recovered.members.add(from);
        if (epoch !== this.#view.epoch || !this.#members.every((member) => this.#recovered.members.has(member))) return;
        for (const member of this.#members) courier.tell(member, { kind: 'settled', epoch });
        return;
      case 'settled':
        this.#hasRecovered ||= epoch === this.#view.epoch;
        engine.step({ kind: 'settled', epoch });
        return;
      case 'left':
        // It has left in an epoch that was broken off here, and reports nothing in this one.
        if (!this.#leaving.delete(from) || this.#isRunning || epoch >= this.#view.epoch) return;
        this.#options.renewEpoch(`node ${from} has left in epoch ${epoch}`);
    }
  }

  tick(): void {
    const { now, engine } = this.#options;
    const until = this.#lease.until(now());
    const pause = now() < until - RENEWAL_MILLISECONDS ? RENEWAL_MILLISECONDS : 0;
    if (now() - this.#askedAt >= pause) this.#askForLease();
    this.#extendLease();
    engine.step({ kind: 'tick' });
    this.#lookAfterLeavers();
  }

  /** A node that leaves is no member: nobody else finds out that it has died. */
  #lookAfterLeavers(): void {
    const { now, rpc, renewEpoch, leaverPatience } = this.#options;
    if (this.#isRunning || this.#leaving.size === 0 || now() - Math.max(this.#changedAt, this.#renewedAt) < leaverPatience) return;
    const silent = [...this.#leaving.keys()].filter((node) => node !== rpc.id && !rpc.isConnected(node));
    if (silent.length === 0) return;
    for (const node of silent) {
      this.#leaving.delete(node);
      this.#silent.add(node);
    }
    this.#renewedAt = now();
    renewEpoch(`nodes ${silent.join()} do not answer while they leave`);
  }

  #askForLease(): void {
    const { rpc, now } = this.#options;
    this.#askedAt = now();
    for (const member of this.#members) {
      if (member !== rpc.id && rpc.isConnected(member)) this.#notify(member, { askedAt: this.#askedAt, isGranted: false });
    }
  }

  #extendLease(): void {
    const { rpc, now, engine } = this.#options;
    // Who leaves serves nobody, and has to say what it has.
    const until = this.#leaving.has(rpc.id) ? now() + RENEWAL_MILLISECONDS : this.#lease.until(now());
    engine.step({ kind: 'lease', until });
  }

  #notify(node: NodeId, message: { readonly askedAt: number; readonly isGranted: boolean }): void {
    if (this.#options.rpc.peers.includes(node)) this.#options.rpc.notify(node, leaseNotice, message);
  }
}
