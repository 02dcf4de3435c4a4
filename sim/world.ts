/**
 * sim: a deterministic world for the protocols of the cluster. It owns time, the network and all randomness, runs the code of `src/kddm` as it is, and checks
 * after every event. A run is a pure function of its scenario (plain data, made from a seed), so that a failing one replays exactly and is made smaller by
 * leaving parts of it out (`shrink.ts`).
 *
 * * `scenario` (what clients do and which faults happen, from a seed) · `network` (FIFO links with random delays, cuts) · `membership` (an oracle: leases, suspicion,
 *   epochs) · `client` · `faults` · `check-copies` (single writer, at every step) · `check-turns` · `check-history` with `histories` and `deaths` (every value read is the last one put; loss is declared, and
 *   only where the last copy died) · `world` (nodes, and the event loop) · `shrink` · `main` (`npm run sim`).
 */
import {
  type Envelope,
  KddmNode,
  type KddmEffect,
  type KddmEvent,
  type NodeId,
  parseEnvelope,
  type Result,
  type ObjectOperation,
  type SetOperation,
} from '../src/kddm/index.ts';
import { checkCopies } from './check-copies.ts';
import { watchTurn } from './check-turns.ts';
import { RunningClient, type OperationOf } from './client.ts';
import { EventQueue } from './event-queue.ts';
import { Faults } from './faults.ts';
import { Histories } from './histories.ts';
import { linkers } from './linkers.ts';
import { type EpochChange, Membership } from './membership.ts';
import { Network } from './network.ts';
import { Random } from './random.ts';
import { durationMs, namespaceOf, type Scenario } from './scenario.ts';
import { SetActions, type SetOperationOf } from './set-actions.ts';
import { Violation } from './simulation.ts';
import type { RunOptions, RunResult } from './run.ts';
import { createSlot, type Slot } from './slot.ts';
import { count, createTotals, type Totals } from './totals.ts';

const TICK_MS = 40;
/** After the last fault, in simulated time, everything must have ended. */
const SETTLING_MS = 20_000;

export class World {
  readonly random: Random;
  readonly network: Network;
  readonly membership: Membership;
  readonly totals: Totals = createTotals();
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #queue = new EventQueue();
  readonly #slots = new Map<NodeId, Slot>();
  readonly #clients: readonly RunningClient[];
  readonly #histories: Histories;
  readonly #sets: SetActions;
  readonly #faults: Faults;
  nowMs = 0;
  readonly #events: { readonly id: NodeId; readonly event: KddmEvent }[] = [];
  #isPerforming = false;
  #operations = 0;
  #firstViolation: string | undefined;
  /** However busy it seems, a run ends. */
  readonly #endMs: number;

  constructor(scenario: Scenario, options: RunOptions = {}) {
    this.#scenario = scenario;
    this.#options = options;
    this.random = new Random(scenario.seed, 'world');
    this.network = new Network(this, scenario.seed);
    const members = Array.from({ length: scenario.nodes }, (_, index) => index + 1);
    this.membership = new Membership(this, new Random(scenario.seed, 'membership'), members);
    this.#histories = new Histories(
      (description) => this.fail(description),
      (set) => scenario.sets.some((record) => record.set === set && record.timeToLive !== undefined),
    );
    this.#sets = new SetActions(scenario.laterSets, (description) => this.fail(description));
    this.#faults = new Faults(this);
    this.#endMs = Math.max(0, ...scenario.clients.map(durationMs)) * 20 + 10 * SETTLING_MS;
    this.#clients = scenario.clients.map((client) => new RunningClient(this, client));
  }

  /** Runs to the end, or to the first violation. */
  run(): RunResult {
    for (const node of this.membership.members) this.boot(node);
    this.membership.start();
    const creator = this.membership.members[0];
    this.#scenario.sets.forEach((record, index) => {
      const { namespace } = record;
      this.after(1 + index, () => this.operateSet(creator ?? 1, { kind: 'create-set', namespace, record }, () => undefined));
    });
    for (const client of this.#clients) this.after(200, () => client.start());
    for (const fault of this.#scenario.faults) this.after(200 + fault.atMs, () => this.#faults.begin(fault));
    try {
      this.#loop();
    } catch (error) {
      if (!(error instanceof Violation))
        this.#firstViolation ??= `the node threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    }
    for (const slot of this.#slots.values()) this.#count(slot);
    this.totals.lostMessages += this.network.lost;
    return { violation: this.#firstViolation, atMs: this.nowMs, totals: this.totals };
  }

  #loop(): void {
    let lastActivityMs = 0;
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      this.nowMs = event.timeMs;
      event.run();
      const isBusy = this.#faults.pending > 0 || this.#clients.some((client) => client.waitsFor === undefined && !client.isDone);
      if (isBusy) lastActivityMs = this.nowMs;
      if (this.#faults.pending === 0 && this.#clients.every((client) => client.isDone) && this.#sets.watches.missing() === undefined)
        return;
      if (this.nowMs > lastActivityMs + SETTLING_MS || this.nowMs > this.#endMs) return this.#reportHang();
    }
  }

  #reportHang(): void {
    const missing = this.#sets.watches.missing();
    if (missing !== undefined && this.#clients.every(({ isDone }) => isDone)) this.fail(missing);
    const waiting = this.#clients.filter(({ isDone }) => !isDone).map(({ waitsFor = 'nothing', node }) => `${waitsFor} on node ${node}`);
    const states = [...this.#slots.values()].map(
      ({ id, node }) => `${id}: ${node === undefined ? 'down' : node.isRunning ? `epoch ${node.epoch}` : `reconfiguring ${node.epoch}`}`,
    );
    this.fail(`operations hang: ${waiting.join('; ')} (nodes ${states.join(', ')})`);
  }

  fail(description: string): never {
    this.#firstViolation ??= description;
    this.trace(() => `VIOLATION ${description}`);
    throw new Violation(description);
  }

  trace(line: () => string): void {
    this.#options.trace?.(`${this.nowMs.toFixed(1).padStart(8)} ${line()}`);
  }

  // Time

  schedule(timeMs: number, run: () => void): void {
    this.#queue.push(timeMs, run);
  }

  after(delayMs: number, run: () => void): void {
    this.schedule(this.nowMs + delayMs, run);
  }

  // Nodes

  slot(id: NodeId): Slot {
    const known = this.#slots.get(id);
    if (known !== undefined) return known;
    const slot = createSlot(id);
    this.#slots.set(id, slot);
    return slot;
  }

  /** A node that knows nothing. */
  boot(id: NodeId): void {
    const slot = this.slot(id);
    const { mutations } = this.#options;
    slot.leaseUntilMs = 0;
    slot.isZombie = false;
    const node = new KddmNode({
      self: id,
      linkers: linkers((value) => this.#applied(id, value)),
      ...(mutations && { mutations }),
    });
    slot.node = node;
    this.trace(() => `node ${id} starts`);
    this.#tick(slot, node);
  }

  #tick(slot: Slot, node: KddmNode): void {
    this.after(TICK_MS * (0.5 + this.random.next()), () => {
      if (slot.node !== node) return;
      this.#perform(slot.id, { kind: 'tick' });
      this.#tick(slot, node);
    });
  }

  /** The node is gone with all that it had. */
  kill(id: NodeId): void {
    const slot = this.slot(id);
    if (slot.node === undefined) return;
    const wasCounted = !slot.isZombie;
    this.#count(slot);
    slot.node = undefined;
    slot.inbox.length = 0;
    slot.results.clear();
    for (const client of this.#clients) if (client.node === id) client.nodeDied();
    if (wasCounted) this.#died(id);
  }

  #applied(id: NodeId, value: number): void {
    const where = this.#histories.applied(id, value);
    if (where !== undefined) this.#sets.watches.changed(where.set, where.object, this.nowMs);
  }

  #died(id: NodeId): void {
    this.#sets.gone(id);
    const living = this.#living().filter((slot) => slot.id !== id);
    this.#histories.died(id, living, this.#unrecoveredDeaths());
  }

  #living(): Slot[] {
    return [...this.#slots.values()].filter(({ node, isZombie }) => node !== undefined && !isZombie);
  }

  /** With this one. */
  #unrecoveredDeaths(): number {
    const down = [...this.#slots.values()].filter(
      ({ id, node, isZombie }) => (node === undefined || isZombie) && this.membership.isMember(id),
    ).length;
    return Math.max(1, down) + this.membership.unsettledDeaths;
  }

  /** Clients of the node go on. */
  resumeClients(id: NodeId): void {
    for (const client of this.#clients) if (client.node === id) client.start();
  }

  stopClients(id: NodeId): void {
    for (const client of this.#clients) if (client.node === id) client.stop();
  }

  pause(id: NodeId): void {
    this.slot(id).isPaused = true;
  }

  resume(id: NodeId): void {
    const slot = this.slot(id);
    slot.isPaused = false;
    for (const event of slot.inbox.splice(0)) this.#perform(id, event);
  }

  isDoomed(id: NodeId): boolean {
    return this.slot(id).isZombie || this.membership.isDoomed(id);
  }

  /** All places where a node is or was. */
  everybody(): NodeId[] {
    return [...this.#slots.keys()];
  }

  isUp(id: NodeId): boolean {
    return this.slot(id).node !== undefined;
  }

  drain(id: NodeId): void {
    this.#perform(id, { kind: 'drain' });
  }

  /** One event after the other: what clients do when they are answered comes after the other answers of the step. */
  #perform(id: NodeId, event: KddmEvent): void {
    this.#events.push({ id, event });
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#step(next.id, next.event);
    this.#isPerforming = false;
  }

  #step(id: NodeId, event: KddmEvent): void {
    const slot = this.slot(id);
    const { node } = slot;
    if (node === undefined) return;
    if (slot.isPaused) {
      if (event.kind !== 'tick') slot.inbox.push(event);
      return;
    }
    const turn = watchTurn(node, event);
    if (event.kind === 'reconfigure') this.#histories.hears(id, event.dead);
    const effects = node.step(event, this.nowMs);
    if (!slot.isZombie) this.#histories.stepped(id, this.#living());
    const passedOver = turn();
    for (const effect of effects) this.#carryOut(slot, node, effect);
    this.#histories.stepEnds();
    const serving = this.#living().flatMap((each) => (each.node === undefined || this.membership.leaving.has(each.id) ? [] : [each.node]));
    const violation = checkCopies(serving);
    if (violation !== undefined) this.fail(violation);
    if (passedOver !== undefined) this.fail(passedOver);
  }

  #carryOut(slot: Slot, node: KddmNode, effect: KddmEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.network.send(slot.id, effect.to, effect.envelope);
      case 'complete': {
        const onResult = slot.results.get(effect.operation);
        slot.results.delete(effect.operation);
        return onResult?.(effect.result);
      }
      case 'first-touch':
        return this.after(this.random.next() * 8, () => {
          if (slot.node === node) this.#perform(slot.id, { ...effect, kind: 'filled', content: 0 });
        });
      case 'changed':
        return this.#sets.told(effect);
      case 'sync':
        return this.after(this.random.next() * 8, () => {
          if (slot.node === node) this.#perform(slot.id, { ...effect, kind: 'synced' });
        });
      case 'reconfigured':
        this.trace(() => `node ${slot.id} goes on in epoch ${effect.epoch}`);
        return;
      case 'recovered':
        return this.membership.recovered(slot.id, effect.epoch);
      case 'drained':
        return this.membership.leave(slot.id);
      case 'left':
        return this.membership.left(slot.id, node.epoch);
    }
  }

  #count({ node }: Slot): void {
    if (node !== undefined) this.totals.addNode(node.statistics);
  }

  // What clients do

  operate(id: NodeId, what: OperationOf, onResult: (result: Result) => void): void {
    const operation = { ...what, id: ++this.#operations, namespace: namespaceOf(this.#scenario, what.set) };
    const slot = this.slot(id);
    this.#histories.started(id, operation);
    this.#begin(slot, operation, `${operation.kind} ${operation.set}/${operation.object}`, (result) => {
      if (!slot.isZombie || result.kind === 'done') this.#histories.completed(id, operation, result);
      if (!slot.isZombie && (operation.kind === 'get' || operation.kind === 'grab')) this.#sets.used(operation.set, operation.id, result);
      onResult(result);
    });
  }

  operateSet(id: NodeId, what: SetOperationOf, onResult: (result: Result) => void): void {
    const operation = { ...what, id: ++this.#operations } as SetOperation;
    const slot = this.slot(id);
    this.#sets.started(id, operation);
    this.#begin(slot, operation, `${operation.kind} ${JSON.stringify(what)}`, (result) => {
      if (!slot.isZombie) this.#sets.completed(operation, result, this.#operations);
      onResult(result);
    });
  }

  #begin(slot: Slot, operation: ObjectOperation | SetOperation, what: string, onResult: (result: Result) => void): void {
    count(this.totals.operations, operation.kind);
    this.trace(() => `node ${slot.id} ${what} #${operation.id}`);
    slot.results.set(operation.id, (result) => {
      this.trace(() => `node ${slot.id} ${what} #${operation.id}: ${JSON.stringify(result)}`);
      count(this.totals.results, result.kind === 'failed' ? result.code : result.kind);
      onResult(result);
    });
    this.#perform(slot.id, { kind: 'operation', operation });
  }

  // What the network and the membership do

  arrive(from: NodeId, to: NodeId, envelope: Envelope): void {
    this.trace(() => `${from} > ${to} ${JSON.stringify(envelope.message)} in epoch ${envelope.epoch}`);
    this.#perform(to, { kind: 'message', from, envelope: parseEnvelope(envelope) });
  }

  isReachable(id: NodeId): boolean {
    return this.isUp(id) && !this.slot(id).isPaused && !this.#faults.isIsolated(id);
  }

  renewLease(id: NodeId, until: number): void {
    this.slot(id).leaseUntilMs = until;
    this.#perform(id, { kind: 'lease', until });
  }

  tell(id: NodeId, change: EpochChange): void {
    if (this.slot(id).isZombie) return;
    this.trace(
      () =>
        `node ${id} hears of epoch ${change.epoch}: members ${change.members.join()} dead ${change.dead.join()} leaving ${change.leaving.join()}`,
    );
    this.#perform(id, { kind: 'reconfigure', ...change });
  }

  settled(id: NodeId, epoch: number): void {
    this.#perform(id, { kind: 'settled', epoch });
  }

  removed(id: NodeId): void {
    this.trace(() => `node ${id} is removed`);
    const slot = this.slot(id);
    this.#died(id);
    if (slot.node === undefined) return;
    slot.isZombie = true;
  }

  gone(id: NodeId): void {
    this.trace(() => `node ${id} has left`);
    const slot = this.slot(id);
    this.#count(slot);
    slot.node = undefined;
    this.#sets.gone(id);
    this.stopClients(id);
  }
}
