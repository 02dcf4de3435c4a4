/**
 * The membership of `src/hotplug` as it is: the register and its store, the detector, the views and the stages, one `HotPlug` for each daemon, on simulated
 * machines. Disks survive; what was being written is there as a whole or not at all.
 */
import { appear, type Ballot, drain, membersOf, removed, type View } from '../src/hotplug/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import { isKorriganError } from '../src/linux/errors.ts';
import { FIRST_RECORDED, MembershipChecks } from './check-membership.ts';
import { MachineFaults } from './machine-faults.ts';
import { Machines } from './machines.ts';
import { firstView, Machine, Member, nodeRecord } from './member.ts';
import { breakMembership } from './membership-mutations.ts';
import type { MembershipScenario, Wish } from './membership-scenario.ts';
import { Counts, type Outcome, type RunSettings } from './simulation.ts';

/** After the last fault everything must have come to rest. A daemon is waited for that long, and more. */
const SETTLING_MS = 60_000;
const REST_MS = 1000;
const POLL_MS = 50;
/** A crash is known to all. */
const DETECTION_MS = 2000;
const NEW_LIFE_MS = 400;
/** Until all have come up. */
const START_MS = 2000;
/** Before a crash nothing else may have happened for that long. */
const QUIET_MS = 4000;

export class MembershipWorld {
  readonly machines: Machines;
  readonly checks: MembershipChecks;
  readonly counts = new Counts();
  readonly #scenario: MembershipScenario;
  readonly #settings: RunSettings;
  readonly #faults: MachineFaults;
  readonly #places = new Map<NodeId, Machine>();
  readonly #members = new Map<NodeId, Member>();
  #violation: string | undefined;
  #wishes = 0;
  #atRestSinceMs: number | undefined;
  #lastActivityMs = 0;
  #isOver = false;

  constructor(scenario: MembershipScenario, settings: RunSettings) {
    this.#scenario = scenario;
    this.#settings = settings;
    const { seed, nodes } = scenario;
    const first = firstView(nodes);
    this.machines = new Machines({
      seed,
      trace: settings.trace,
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
      (description) => this.#fail(description),
      () => this.machines.nowMs,
    );
    this.#faults = new MachineFaults(this.machines, {
      boot: (node) => this.#boot(node),
      ended: (node, isMachine) => this.#ended(node, isMachine),
    });
    for (let node = 1; node <= nodes; node++) this.#places.set(node, new Machine(node, first));
  }

  async run(): Promise<Outcome> {
    const { machines } = this;
    const { faults, wishes } = this.#scenario;
    // Daemons do not start in the same moment.
    for (const { id } of this.#places.values()) machines.after(machines.random.next() * 200, () => this.#boot(id));
    for (const fault of faults) machines.after(START_MS + fault.atMs, () => this.#begin(fault));
    for (const wish of wishes) machines.after(START_MS + wish.atMs, () => void this.#wish(wish));
    this.#poll();
    const last = Math.max(0, ...faults.map(({ atMs }) => atMs), ...wishes.map(({ atMs }) => atMs));
    this.#lastActivityMs = START_MS + last;
    await machines.run(() => this.#violation !== undefined || this.#isOver);
    return { violation: this.#violation, atMs: machines.nowMs, explored: this.counts.explored };
  }

  /** Ends the run after this event. */
  #fail(description: string): void {
    this.#violation ??= description;
    this.machines.trace(() => `VIOLATION ${description}`);
  }

  #boot(node: NodeId): void {
    const machine = this.#places.get(node);
    if (machine === undefined || this.machines.daemon(node) !== undefined) return;
    const daemon = this.machines.start(node);
    this.checks.started(node);
    const member = new Member({
      daemon,
      machine,
      broken: breakMembership(this.#settings.mutation),
      host: {
        trace: (line) => this.machines.trace(line),
        declares: (by, dead) => this.checks.declares(by.id, dead, by.store.known),
        fenced: (fenced) => this.#fenced(fenced),
        changed: (_, { after, died, joined, left, restarted }) => {
          this.counts.add('changes', `+${joined.length} -${left.length} x${died.length} r${restarted.length}`);
          this.machines.trace(
            () => `node ${node} goes to epoch ${after.epoch}: joined ${joined.join()} left ${left.join()} died ${died.join()}`,
          );
        },
      },
    });
    this.#members.set(node, member);
  }

  /** The container ends, and the daemon with it; then both begin anew. */
  #fenced({ id }: Member): void {
    this.machines.trace(() => `node ${id} is fenced`);
    this.#ended(id, true);
    this.machines.kill(id);
    this.machines.after(NEW_LIFE_MS, () => this.#boot(id));
  }

  #ended(node: NodeId, isMachine: boolean): void {
    this.#members.delete(node);
    this.checks.ended(node);
    if (isMachine) this.#places.get(node)?.beginLife();
  }

  #up(): Member[] {
    return [...this.#members.values()].filter(({ daemon }) => daemon.isUp && !daemon.isPaused).toSorted((one, other) => one.id - other.id);
  }

  #sponsor(node: NodeId): Member | undefined {
    return this.#up().find(({ id, serving }) => id !== node && serving !== undefined);
  }

  #begin(fault: MembershipScenario['faults'][number]): void {
    const isQuiet =
      this.#faults.pending === 0 && this.machines.nowMs - Math.max(START_MS, this.#faults.lastChangeMs) > QUIET_MS && this.#isAtRest();
    const life = this.#places.get(fault.node)?.life ?? '';
    if (!this.#faults.begin(fault)) return;
    this.counts.add('faults', fault.kind);
    if (fault.kind !== 'power-off' || fault.forMs < DETECTION_MS || !isQuiet || membersOf(this.checks.latest).length < 3) return;
    const begunMs = this.#faults.lastChangeMs;
    this.machines.after(DETECTION_MS, () => {
      if (this.#faults.lastChangeMs !== begunMs) return;
      const ignorant = this.#up().find(({ hotPlug }) => membersOf(hotPlug.view).includes(fault.node));
      if (ignorant !== undefined)
        this.#fail(`node ${ignorant.id} does not know, ${DETECTION_MS} ms after it, that node ${fault.node} crashed`);
      const afterMs = (this.checks.dead.get(life) ?? begunMs) - begunMs;
      this.counts.add('crashes detected within ms', String(Math.ceil(afterMs / 100) * 100));
    });
  }

  async #wish({ kind, node }: Wish): Promise<void> {
    const asked = kind === 'record' ? this.#up().find(({ id }) => id === node) : this.#sponsor(node);
    if (asked === undefined) return;
    this.counts.add('wishes', kind);
    try {
      await this.#fulfil(kind, node, asked);
      this.counts.add('wishes', 'fulfilled');
    } catch (error) {
      if (!isKorriganError(error)) throw error;
      this.counts.add('wishes', 'refused');
    }
  }

  async #fulfil(kind: Wish['kind'], node: NodeId, asked: Member): Promise<void> {
    const { store, daemon } = asked;
    if (kind === 'record') {
      const sinceMs = this.machines.nowMs;
      const id = FIRST_RECORDED + ++this.#wishes;
      this.checks.read(await store.change((view) => appear(view, nodeRecord(id, `life ${id}`))), sinceMs);
      this.checks.recorded(id);
    } else if (kind === 'join') {
      // It is handed the record with which it begins.
      const machine = new Machine(node, await store.change((view) => appear(view, nodeRecord(node, `life ${node}.1`))));
      this.#places.set(node, machine);
      this.#boot(node);
    } else {
      await store.change((view) => drain(view, node, asked.id));
      await daemon.clock.delay(daemon.random.next() * 1000);
      await store.change((view) => removed(view, node));
    }
  }

  /** Looks at all nodes, again and again. */
  #poll(): void {
    this.machines.after(POLL_MS, () => {
      const { nowMs } = this.machines;
      this.checks.serving(this.#up());
      if (this.#scenario.isMild && this.checks.dead.size > 0)
        this.#fail(`a life is over that was never away for long: ${[...this.checks.dead.keys()].join()}`);
      if (this.#faults.pending > 0) this.#lastActivityMs = Math.max(this.#lastActivityMs, nowMs);
      this.#atRestSinceMs = nowMs >= this.#lastActivityMs && this.#isAtRest() ? (this.#atRestSinceMs ?? nowMs) : undefined;
      if (this.#atRestSinceMs !== undefined && nowMs - this.#atRestSinceMs >= REST_MS) {
        this.#isOver = true;
        return;
      }
      if (nowMs > this.#lastActivityMs + SETTLING_MS) this.#fail(`it does not come to rest: ${this.#up().map(describe).join('; ')}`);
      this.#poll();
    });
  }

  #isAtRest(): boolean {
    const { latest } = this.checks;
    const members = membersOf(latest);
    const isOut = (id: NodeId): boolean => latest.nodes.some((node) => node.id === id && node.isOut);
    return (
      [...this.#places.keys()].every((id) => members.includes(id) || isOut(id)) &&
      members.every((id) => {
        const member = this.#members.get(id);
        return member?.serving?.epoch === latest.epoch && member.hotPlug.hasMajority && member.store.known.epoch === latest.epoch;
      })
    );
  }
}

function describe({ id, store, serving }: Member): string {
  const state = serving === undefined ? 'stands still' : `serves in epoch ${serving.epoch}`;
  return `node ${id} ${state} and knows epoch ${store.known.epoch}: ${membersOf(store.known).join()}`;
}
