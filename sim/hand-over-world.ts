/** Processes move between the nodes of a cluster: the hand-over and the settling of moves of `src/epm`, with the membership of `src/hotplug`. */
import { JournalEntry } from '../src/epm/index.ts';
import type { NodeId } from '../src/kddm/index.ts';
import { HandOverChecks } from './check-hand-over.ts';
import { breakHandOver } from './hand-over-mutations.ts';
import type { HandOverScenario, Move } from './hand-over-scenario.ts';
import type { Member } from './member.ts';
import type { Connection } from './move-engines.ts';
import { MovingNode } from './moving-node.ts';
import { Container } from './simulated-container.ts';
import { SimulatedCluster, START_MS } from './simulated-cluster.ts';
import type { Outcome, RunSettings } from './simulation.ts';

export class HandOverWorld {
  readonly #scenario: HandOverScenario;
  readonly #settings: RunSettings;
  readonly #cluster: SimulatedCluster;
  readonly #checks: HandOverChecks;
  readonly #containers = new Map<NodeId, Container>();
  readonly #nodes = new Map<NodeId, MovingNode>();
  readonly #accepting = new Map<string, Connection>();

  constructor(scenario: HandOverScenario, settings: RunSettings) {
    this.#scenario = scenario;
    this.#settings = settings;
    const { seed, nodes, faults } = scenario;
    this.#cluster = new SimulatedCluster(
      { seed, nodes, faults, trace: settings.trace },
      {
        booted: (member) => this.#booted(member),
        ended: (node, isMachine) => this.#ended(node, isMachine),
        isAtRest: () =>
          [...this.#containers.values()].every(({ slots }) =>
            Array.from({ length: slots.count }, (_, n) => n).every((n) => slots.isFree(n)),
          ),
        describe: () =>
          [...this.#containers.values()]
            .flatMap((container) =>
              this.#movesIn(container).map(({ record, state }) => `${record.migration} is ${state} on node ${container.node}`),
            )
            .join(', '),
      },
    );
    this.#checks = new HandOverChecks(
      this.#cluster.checks,
      (description) => this.#cluster.fail(description),
      (pid, container) =>
        this.#movesIn(container).some(({ record }) => record.role === 'target' && record.processes.some((process) => process.pid === pid)),
    );
    for (let pid = 1; pid <= scenario.processes; pid++)
      this.#containerOf((pid % nodes) + 1).copies.set(pid, { state: 'runs', isHeldByGroup: false });
  }

  async run(): Promise<Outcome> {
    const { moves, processes } = this.#scenario;
    for (const move of moves) this.#cluster.machines.after(START_MS + move.atMs, () => void this.#move(move));
    const outcome = await this.#cluster.run(Math.max(0, ...moves.map(({ atMs }) => atMs)));
    if (outcome.violation === undefined) for (let pid = 1; pid <= processes; pid++) this.#checks.atRest(pid);
    this.#cluster.counts.add('processes', 'lost with a node', this.#checks.losses);
    return { ...outcome, violation: this.#cluster.violation };
  }

  #containerOf(node: NodeId): Container {
    const known = this.#containers.get(node);
    if (known !== undefined) return known;
    const container = new Container(node, this.#cluster.places.get(node)?.life ?? '');
    this.#containers.set(node, container);
    this.#checks.created(container);
    return container;
  }

  #booted(member: Member): void {
    this.#nodes.set(
      member.id,
      new MovingNode({
        member,
        container: this.#containerOf(member.id),
        machines: this.#cluster.machines,
        decide: breakHandOver(this.#settings.mutation),
        accepting: this.#accepting,
        onChange: (pid) => this.#checks.look(pid),
        onKilled: (pid, node) => this.#checks.killed(pid, node),
        count: (what) => this.#cluster.counts.add('moves', what),
      }),
    );
  }

  #ended(node: NodeId, isMachine: boolean): void {
    this.#nodes.delete(node);
    const container = this.#containerOf(node);
    container.daemonEnds();
    if (!isMachine) return;
    this.#containers.delete(node);
    this.#checks.ended(container);
    container.isAlive = false;
  }

  #movesIn({ slots }: Container): JournalEntry[] {
    return Array.from({ length: slots.count }, (_, slot) => slot).flatMap((slot) =>
      slots.isFree(slot) ? [] : [JournalEntry.open(slots, slot)],
    );
  }

  async #move(move: Move): Promise<void> {
    const [container] = this.#checks.runsOn(move.pid);
    const node = container === undefined ? undefined : this.#nodes.get(container.node);
    if (node === undefined || this.#cluster.machines.daemon(container?.node ?? 0)?.isPaused !== false) return;
    this.#cluster.trace(
      () =>
        `process ${move.pid} is to move from node ${container?.node ?? 0} to node ${move.target}${move.trouble === undefined ? '' : `: ${move.trouble}`}`,
    );
    await node.move(move);
  }
}
