/**
 * Daemons with the membership of `src/hotplug` as it is on machines that fail, for the worlds that are about the membership itself and about what stands on it.
 * Disks survive; what was being written is there as a whole or not at all. A daemon that is fenced ends with its container, and both begin anew.
 */
import { type Ballot, membersOf, type Stage, type Transition, type View } from '../src/hotplug/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import { MembershipChecks } from './check-membership.ts';
import { type MachineFault, MachineFaults } from './machine-faults.ts';
import { Machines } from './machines.ts';
import { firstView, Machine, Member } from './member.ts';
import { breakMembership } from './membership-mutations.ts';
import { Counts, type Outcome } from './simulation.ts';

/** After the last fault everything must have come to rest. A daemon is waited for that long, and more. */
const SETTLING_MS = 60_000;
const REST_MS = 1000;
const POLL_MS = 50;
const NEW_LIFE_MS = 400;
/** Until all have come up. */
export const START_MS = 2000;

export interface ClusterOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly faults: readonly MachineFault[];
  /** Of the membership. */
  readonly mutation?: string | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

/** What a world adds. */
export interface ClusterHooks {
  /** The stages of a daemon beside hotplug's. */
  stagesOf?(daemon: Member['daemon'], self: Member['self'], machine: Machine): readonly Stage[];
  booted?(member: Member): void;
  /** Of a daemon that was up. `isMachine`: with its container. */
  ended?(node: NodeId, isMachine: boolean): void;
  changed?(member: Member, transition: Transition): void;
  /** Again and again. */
  looks?(): void;
  /** Nothing is left to happen, as far as the world is concerned. */
  isAtRest?(): boolean;
  /** Where it stands when it does not come to rest. */
  describe?(): string;
  faultBegins?(fault: MachineFault): void;
}

export class SimulatedCluster {
  readonly machines: Machines;
  readonly checks: MembershipChecks;
  readonly counts = new Counts();
  readonly faults: MachineFaults;
  readonly places = new Map<NodeId, Machine>();
  readonly members = new Map<NodeId, Member>();
  readonly #options: ClusterOptions;
  readonly #hooks: ClusterHooks;
  violation: string | undefined;
  #atRestSinceMs: number | undefined;
  /** Nothing begins after that. */
  #lastActivityMs = 0;
  #isOver = false;

  constructor(options: ClusterOptions, hooks: ClusterHooks) {
    const { seed, nodes, trace } = options;
    this.#options = options;
    this.#hooks = hooks;
    const first = firstView(nodes);
    this.machines = new Machines({
      seed,
      trace,
      traceFromMs: START_MS - 500,
      onMessage: (name, message) => {
        this.counts.add('messages', name);
        if (name !== 'hotplug.chosen') return;
        const { ballot, value } = message as { ballot: Ballot; value: View };
        this.checks.chosen(ballot, value);
      },
      onArrival: (name, from, to) => {
        if (name === 'hotplug.alive') this.checks.heard(from, to);
      },
    });
    this.checks = new MembershipChecks(
      first,
      (description) => this.fail(description),
      () => this.machines.nowMs,
    );
    this.faults = new MachineFaults(this.machines, {
      boot: (node) => this.boot(node),
      ended: (node, isMachine) => this.#ended(node, isMachine),
    });
    for (let node = 1; node <= nodes; node++) this.places.set(node, new Machine(node, first));
  }

  /** @param lastMs when the last thing of the world begins, after the start */
  async run(lastMs: number): Promise<Outcome> {
    const { machines } = this;
    const { faults } = this.#options;
    // Daemons do not start in the same moment.
    for (const { id } of this.places.values()) machines.after(machines.random.next() * 200, () => this.boot(id));
    for (const fault of faults) machines.after(START_MS + fault.atMs, () => this.#begin(fault));
    this.#lastActivityMs = START_MS + Math.max(lastMs, ...faults.map(({ atMs }) => atMs));
    this.#poll();
    await machines.run(() => this.violation !== undefined || this.#isOver);
    return { violation: this.violation, atMs: machines.nowMs, explored: this.counts.explored };
  }

  /** Ends the run after this event. */
  fail(description: string): void {
    this.violation ??= description;
    this.machines.trace(() => `VIOLATION ${description}`);
  }

  trace(line: () => string): void {
    this.machines.trace(line);
  }

  boot(node: NodeId): void {
    const machine = this.places.get(node);
    if (machine === undefined || this.machines.daemon(node) !== undefined) return;
    const daemon = this.machines.start(node);
    this.checks.started(node);
    const member: Member = new Member({
      daemon,
      machine,
      broken: breakMembership(this.#options.mutation),
      stages: (self) => this.#hooks.stagesOf?.(daemon, self, machine) ?? [],
      host: {
        trace: (line) => this.machines.trace(line),
        declares: (by, dead) => this.checks.declares(by.id, dead, by.store.known),
        fenced: (fenced) => this.#fenced(fenced),
        changed: (changed, transition) => {
          const { after, died, joined, left, restarted } = transition;
          this.counts.add('changes', `+${joined.length} -${left.length} x${died.length} r${restarted.length}`);
          this.trace(() => `node ${node} goes to epoch ${after.epoch}: joined ${joined.join()} left ${left.join()} died ${died.join()}`);
          this.#hooks.changed?.(changed, transition);
        },
      },
    });
    this.members.set(node, member);
    this.#hooks.booted?.(member);
  }

  /** The container ends, and the daemon with it; then both begin anew. */
  #fenced({ id }: Member): void {
    this.trace(() => `node ${id} is fenced`);
    this.counts.add('faults', 'fenced');
    this.#ended(id, true);
    this.machines.kill(id);
    this.machines.after(NEW_LIFE_MS, () => this.boot(id));
  }

  #ended(node: NodeId, isMachine: boolean): void {
    this.members.delete(node);
    this.checks.ended(node);
    if (isMachine) this.places.get(node)?.beginLife();
    this.#hooks.ended?.(node, isMachine);
  }

  /** Daemons that are up and not stopped. */
  up(): Member[] {
    return [...this.members.values()].filter(({ daemon }) => daemon.isUp && !daemon.isPaused).toSorted((one, other) => one.id - other.id);
  }

  #begin(fault: MachineFault): void {
    this.#hooks.faultBegins?.(fault);
    if (this.faults.begin(fault)) this.counts.add('faults', fault.kind);
  }

  /** Looks at all nodes, again and again. */
  #poll(): void {
    this.machines.after(POLL_MS, () => {
      const { nowMs } = this.machines;
      this.checks.serving(this.up());
      this.#hooks.looks?.();
      if (this.faults.pending > 0) this.#lastActivityMs = Math.max(this.#lastActivityMs, nowMs);
      const isAtRest = nowMs >= this.#lastActivityMs && this.isAtRest() && this.#hooks.isAtRest?.() !== false;
      this.#atRestSinceMs = isAtRest ? (this.#atRestSinceMs ?? nowMs) : undefined;
      if (this.#atRestSinceMs !== undefined && nowMs - this.#atRestSinceMs >= REST_MS) {
        this.#isOver = true;
        return;
      }
      if (nowMs > this.#lastActivityMs + SETTLING_MS)
        this.fail(
          `it does not come to rest: ${[this.#hooks.describe?.() ?? '', ...this.up().map(describe)].filter((text) => text !== '').join('; ')}`,
        );
      this.#poll();
    });
  }

  /** All who are to take part serve in the same view. */
  isAtRest(): boolean {
    const { latest } = this.checks;
    const members = membersOf(latest);
    const isOut = (id: NodeId): boolean => latest.nodes.some((node) => node.id === id && node.isOut);
    return (
      [...this.places.keys()].every((id) => members.includes(id) || isOut(id)) &&
      members.every((id) => {
        const member = this.members.get(id);
        return member?.serving?.epoch === latest.epoch && member.hotPlug.hasMajority && member.store.known.epoch === latest.epoch;
      })
    );
  }
}

function describe({ id, store, serving }: Member): string {
  const state = serving === undefined ? 'stands still' : `serves in epoch ${serving.epoch}`;
  return `node ${id} ${state} and knows epoch ${store.known.epoch}: ${membersOf(store.known).join()}`;
}
