/** The membership of `src/hotplug` by itself, and people who change it. */
import { appear, drain, membersOf, removed } from '../src/hotplug/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import { isKorriganError } from '../src/linux/errors.ts';
import { FIRST_RECORDED } from './check-membership.ts';
import type { MachineFault } from './machine-faults.ts';
import { Machine, type Member, nodeRecord } from './member.ts';
import type { MembershipScenario, Wish } from './membership-scenario.ts';
import { SimulatedCluster, START_MS } from './simulated-cluster.ts';
import type { Outcome, RunSettings } from './simulation.ts';

/** A crash is known to all. */
const DETECTION_MS = 2000;
/** Before a crash nothing else may have happened for that long. */
const QUIET_MS = 4000;

export class MembershipWorld {
  readonly #scenario: MembershipScenario;
  readonly #cluster: SimulatedCluster;
  #wishes = 0;

  constructor(scenario: MembershipScenario, settings: RunSettings) {
    this.#scenario = scenario;
    this.#cluster = new SimulatedCluster(
      { ...scenario, ...settings },
      {
        faultBegins: (fault) => this.#watchDetection(fault),
        looks: () => {
          const { dead } = this.#cluster.checks;
          if (scenario.isMild && dead.size > 0)
            this.#cluster.fail(`a life is over that was never away for long: ${[...dead.keys()].join()}`);
        },
      },
    );
  }

  run(): Promise<Outcome> {
    const { wishes } = this.#scenario;
    for (const wish of wishes) this.#cluster.machines.after(START_MS + wish.atMs, () => void this.#wish(wish));
    return this.#cluster.run(Math.max(0, ...wishes.map(({ atMs }) => atMs)));
  }

  /** Of a machine that crashes when nothing else is the matter. */
  #watchDetection({ kind, node, forMs }: MachineFault): void {
    const { faults, machines, checks, counts, places } = this.#cluster;
    const begunMs = machines.nowMs;
    const isQuiet = faults.pending === 0 && begunMs - Math.max(START_MS, faults.lastChangeMs) > QUIET_MS && this.#cluster.isAtRest();
    if (kind !== 'power-off' || forMs < DETECTION_MS || !isQuiet || membersOf(checks.latest).length < 3) return;
    const life = places.get(node)?.life ?? '';
    machines.after(DETECTION_MS, () => {
      if (faults.lastChangeMs !== begunMs) return;
      const ignorant = this.#cluster.up().find(({ hotPlug }) => membersOf(hotPlug.view).includes(node));
      if (ignorant !== undefined)
        this.#cluster.fail(`node ${ignorant.id} does not know, ${DETECTION_MS} ms after it, that node ${node} crashed`);
      const afterMs = (checks.dead.get(life) ?? begunMs) - begunMs;
      counts.add('crashes detected within ms', String(Math.ceil(afterMs / 100) * 100));
    });
  }

  #sponsor(node: NodeId): Member | undefined {
    return this.#cluster.up().find(({ id, serving }) => id !== node && serving !== undefined);
  }

  async #wish({ kind, node }: Wish): Promise<void> {
    const { counts } = this.#cluster;
    const asked = kind === 'record' ? this.#cluster.up().find(({ id }) => id === node) : this.#sponsor(node);
    if (asked === undefined) return;
    counts.add('wishes', kind);
    try {
      await this.#fulfil(kind, node, asked);
      counts.add('wishes', 'fulfilled');
    } catch (error) {
      if (!isKorriganError(error)) throw error;
      counts.add('wishes', 'refused');
    }
  }

  async #fulfil(kind: Wish['kind'], node: NodeId, { id: by, store, daemon }: Member): Promise<void> {
    const { checks, machines, places } = this.#cluster;
    if (kind === 'record') {
      const sinceMs = machines.nowMs;
      const id = FIRST_RECORDED + ++this.#wishes;
      checks.read(await store.change((view) => appear(view, nodeRecord(id, `life ${id}`))), sinceMs);
      checks.recorded(id);
    } else if (kind === 'join') {
      // It is handed the record with which it begins.
      places.set(node, new Machine(node, await store.change((view) => appear(view, nodeRecord(node, `life ${node}.1`)))));
      this.#cluster.boot(node);
    } else {
      await store.change((view) => drain(view, node, by));
      await daemon.clock.delay(daemon.random.next() * 1000);
      await store.change((view) => removed(view, node));
    }
  }
}
