/** Nodes with the code of `src/sync` over that of `src/kddm`, their clients, a network and faults: runs a scenario and checks it. */
import { type Envelope, type KddmEffect, type NodeId, parseEnvelope } from '../src/kddm/index.ts';
import { type Client, keyOf, type Notice, noticeSchema, type Reply, type Request, SYNC_SET_RECORD } from '../src/sync/index.ts';
import { judge } from './check-sync.ts';
import { EventQueue } from './event-queue.ts';
import { Faults } from './faults.ts';
import { type EpochChange, Membership } from './membership.ts';
import { Network } from './network.ts';
import { Random } from './random.ts';
import { Counts, type Outcome, type RunSettings, Violation } from './simulation.ts';
import { SyncClient } from './sync-client.ts';
import { LOOK_MS, type OuterEffect, SyncMachines } from './sync-machines.ts';
import { SyncRecorder } from './sync-recorder.ts';
import type { SyncScenario } from './sync-scenario.ts';

const TICK_MS = 40;
/** After the last fault, in simulated time, everything must have ended. */
const SETTLING_MS = 40_000;
/** Within this who waits has what is free: without faults it is told, after them it looks. */
const PROMPT_MS = 1500;
const HEALED_MS = 3 * LOOK_MS;

type Carried = Envelope | { readonly epoch: number; readonly notice: Notice };

export class SyncWorld {
  readonly random: Random;
  readonly network: Network<Carried>;
  readonly membership: Membership;
  readonly recorder = new SyncRecorder((description) => this.fail(description));
  readonly totals = { faults: new Map<string, number>() };
  readonly #counts = new Counts();
  readonly #settings: RunSettings;
  readonly #scenario: SyncScenario;
  readonly #queue = new EventQueue();
  readonly #slots = new Map<NodeId, SyncMachines>();
  readonly #clients: readonly SyncClient[];
  readonly #faults: Faults;
  nowMs = 0;
  #numbers = 0;
  #clientNumbers = 0;
  #lives = 0;
  #quietSinceMs = 0;
  #worstDeaths = 0;
  #violation: string | undefined;

  constructor(scenario: SyncScenario, settings: RunSettings) {
    this.#scenario = scenario;
    this.#settings = settings;
    this.random = new Random(scenario.seed, 'sync-world');
    this.network = new Network<Carried>(this, scenario.seed);
    const members = Array.from({ length: scenario.nodes }, (_, index) => index + 1);
    this.membership = new Membership(this, new Random(scenario.seed, 'membership'), members);
    this.#faults = new Faults(this);
    this.#clients = scenario.clients.map((plan) => new SyncClient(this, plan));
  }

  run(): Outcome {
    for (const node of this.membership.members) this.boot(node);
    this.membership.start();
    for (const client of this.#clients) this.after(200, () => client.start());
    for (const fault of this.#scenario.faults) this.after(200 + fault.atMs, () => this.#faults.begin(fault));
    this.#help();
    try {
      this.#loop();
      const { violation, undecided, histories } = judge(this.recorder);
      this.#counts.add('histories', 'linearizable', histories - undecided);
      if (undecided > 0) this.#counts.add('histories', 'undecided', undecided);
      if (violation !== undefined) this.fail(violation);
    } catch (error) {
      if (!(error instanceof Violation))
        this.#violation ??= `the node threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    }
    for (const [kind, times] of this.totals.faults) this.#counts.add('faults', kind, times);
    if (this.recorder.lostTables.size > 0) this.#counts.add('tables', 'lost', this.recorder.lostTables.size);
    return { violation: this.#violation, atMs: this.nowMs, explored: this.#counts.explored };
  }

  #loop(): void {
    let lastActivityMs = 0;
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      this.nowMs = event.timeMs;
      event.run();
      if (this.#faults.pending > 0) this.#quietSinceMs = this.nowMs;
      if (this.#faults.pending > 0 || this.#clients.some((client) => client.isBusy && client.waitsFor === undefined))
        lastActivityMs = this.nowMs;
      if (this.#faults.pending === 0 && this.#clients.every((client) => client.isDone)) return;
      if (this.nowMs > lastActivityMs + SETTLING_MS) {
        const waiting = this.#clients
          .filter(({ isDone }) => !isDone)
          .map(({ node, waitsFor }) => `${waitsFor ?? 'nothing'} on node ${node}`);
        this.fail(`requests hang: ${waiting.join('; ')}`);
      }
    }
  }

  /** Sees that all goes on, and does what those who died would have done: signals, and units that they took for good. */
  #help(): void {
    this.after(250, () => {
      this.#help();
      const limitMs = this.#scenario.faults.length === 0 ? PROMPT_MS : HEALED_MS;
      this.recorder.checkProgress(this.nowMs, this.#quietSinceMs, limitMs);
      const node = this.membership.members.find((member) => this.isReachable(member) && !this.#slot(member).isZombie);
      if (node === undefined || this.nowMs < this.#quietSinceMs + 1000) return;
      const client = this.nextClient();
      for (const { key, count } of this.recorder.lostUnits.splice(0)) this.ask(node, client, { kind: 'post', key, count }, () => {});
      for (const place of new Set(this.#scenario.clients.flatMap(({ steps }) => steps.map((step) => step.place)))) {
        const key = keyOf('condition', '', `condition${place}`);
        if (this.recorder.isAwaited(key)) this.ask(node, client, { kind: 'signal', key, count: 2 }, () => {});
      }
    });
  }

  fail(description: string): never {
    this.#violation ??= description;
    this.trace(() => `VIOLATION ${description}`);
    throw new Violation(description);
  }

  trace(line: () => string): void {
    this.#settings.trace?.(`${this.nowMs.toFixed(1).padStart(8)} ${line()}`);
  }

  schedule(timeMs: number, run: () => void): void {
    this.#queue.push(timeMs, run);
  }

  after(delayMs: number, run: () => void): void {
    this.schedule(this.nowMs + delayMs, run);
  }

  // Nodes

  #slot(id: NodeId): SyncMachines {
    const known = this.#slots.get(id);
    if (known !== undefined) return known;
    const slot = new SyncMachines(this, id);
    this.#slots.set(id, slot);
    return slot;
  }

  boot(id: NodeId): void {
    const slot = this.#slot(id);
    slot.boot(`life ${++this.#lives}`, this.#settings.mutation);
    this.trace(() => `node ${id} starts, life ${this.#lives}`);
    this.#tick(slot);
  }

  #tick(slot: SyncMachines): void {
    const { sync } = slot;
    this.after(TICK_MS * (0.5 + this.random.next()), () => {
      if (slot.sync !== sync) return;
      if (!slot.isPaused) {
        slot.handle({ of: 'kddm', event: { kind: 'tick' } });
        slot.handle({ of: 'sync', event: { kind: 'tick' } });
      }
      this.#tick(slot);
    });
  }

  kill(id: NodeId): void {
    const slot = this.#slot(id);
    if (slot.kddm === undefined) return;
    const wasCounted = !slot.isZombie;
    slot.end();
    for (const client of this.#clients) if (client.node === id) client.nodeDied();
    this.recorder.nodeDied(id);
    if (wasCounted) this.#noteDeaths();
  }

  #noteDeaths(): void {
    const down = [...this.#slots.values()].filter(
      (slot) => (slot.kddm === undefined || slot.isZombie) && this.membership.isMember(slot.id),
    );
    this.#worstDeaths = Math.max(this.#worstDeaths, Math.max(1, down.length) + this.membership.unsettledDeaths);
  }

  resumeClients(id: NodeId): void {
    for (const client of this.#clients) if (client.node === id && !client.isBusy) client.start();
  }

  pause(id: NodeId): void {
    this.#slot(id).isPaused = true;
  }

  resume(id: NodeId): void {
    this.#slot(id).resume();
  }

  isDoomed(id: NodeId): boolean {
    return this.#slot(id).isZombie || this.membership.isDoomed(id);
  }

  everybody(): NodeId[] {
    return [...this.#slots.keys()];
  }

  isUp(id: NodeId): boolean {
    return this.#slot(id).kddm !== undefined;
  }

  isReachable(id: NodeId): boolean {
    return this.isUp(id) && !this.#slot(id).isPaused && !this.#faults.isIsolated(id);
  }

  /** Sync first: kddm does not serve a node that leaves. */
  drain(id: NodeId): void {
    this.#slot(id).handle({ of: 'sync', event: { kind: 'drain' } });
  }

  tableLost(node: NodeId, table: number): void {
    if (this.#worstDeaths <= SYNC_SET_RECORD.replicas)
      this.fail(`table ${table} is lost on node ${node} after ${this.#worstDeaths} deaths`);
    this.recorder.lostTables.add(table);
  }

  carryOut(slot: SyncMachines, outer: OuterEffect): void {
    if (outer.of === 'kddm') this.#onKddm(slot, outer.effect);
    else this.#onSync(slot, outer.effect);
  }

  #onKddm({ id, kddm }: SyncMachines, effect: KddmEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.network.send(id, effect.to, effect.envelope);
      case 'recovered':
        return this.membership.recovered(id, effect.epoch);
      case 'drained':
        return this.membership.leave(id);
      case 'left':
        return this.membership.left(id, kddm?.epoch ?? 0);
      case 'complete':
      case 'changed':
      case 'first-touch':
      case 'sync':
      case 'reconfigured':
        return;
    }
  }

  #onSync(slot: SyncMachines, effect: (OuterEffect & { of: 'sync' })['effect']): void {
    switch (effect.kind) {
      case 'send': {
        const { epoch } = slot.kddm ?? { epoch: 0 };
        this.trace(() => `${slot.id} sends ${effect.to} ${JSON.stringify(effect.notice)}`);
        this.#counts.add('notices', 'answers');
        return this.network.send(slot.id, effect.to, { epoch, notice: effect.notice });
      }
      case 'reply': {
        this.trace(() => `node ${slot.id} replies to #${effect.id}: ${JSON.stringify(effect.reply)}`);
        const onReply = slot.replies.get(effect.id);
        slot.replies.delete(effect.id);
        if (slot.isZombie || onReply === undefined) return;
        this.#counts.add('replies', effect.reply.kind);
        this.recorder.replied(effect.id, effect.reply, this.nowMs);
        return onReply(effect.reply);
      }
      case 'queued':
        this.trace(() => `node ${slot.id}: #${effect.id} waits for ${effect.holders.map(({ label }) => label).join()}`);
        return this.recorder.queued(effect.id);
      case 'hold-lost':
        return this.recorder.holdLost(slot.id, effect.claim);
      case 'drained':
        this.trace(() => `node ${slot.id}: sync is drained`);
        return slot.handle({ of: 'kddm', event: { kind: 'drain' } });
    }
  }

  lifeOf(id: NodeId): string {
    return this.#slot(id).life;
  }

  // Clients

  nextNumber(): number {
    return ++this.#numbers;
  }

  nextClient(): Client {
    const client = ++this.#clientNumbers;
    return { client, session: String(client), label: `program ${client}` };
  }

  ask(node: NodeId, client: Client, request: Request, onReply: (reply: Reply) => void): number {
    const id = ++this.#numbers;
    const slot = this.#slot(node);
    this.trace(() => `node ${node}: program ${client.client} asks #${id} ${JSON.stringify(request)}`);
    this.#counts.add('requests', request.kind);
    if (!slot.isZombie) this.recorder.asked(id, node, client, request, this.nowMs);
    slot.replies.set(id, onReply);
    slot.handle({ of: 'sync', event: { kind: 'request', id, client, request, atMs: this.nowMs } });
    return id;
  }

  clientGone(node: NodeId, client: number): void {
    this.trace(() => `node ${node}: program ${client} is killed`);
    this.#counts.add('faults', 'program killed');
    this.recorder.clientDied(client);
    this.#slot(node).handle({ of: 'sync', event: { kind: 'client-gone', client } });
  }

  // What the network and the membership do

  arrive(from: NodeId, to: NodeId, carried: Carried): void {
    const slot = this.#slot(to);
    if ('notice' in carried)
      slot.handle({ of: 'sync', event: { kind: 'notice', notice: noticeSchema.parse(structuredClone(carried.notice)) } });
    else slot.handle({ of: 'kddm', event: { kind: 'message', from, envelope: parseEnvelope(carried) } });
  }

  renewLease(id: NodeId, until: number): void {
    this.#slot(id).handle({ of: 'kddm', event: { kind: 'lease', until } });
  }

  tell(id: NodeId, change: EpochChange): void {
    const slot = this.#slot(id);
    if (slot.isZombie) return;
    this.trace(() => `node ${id} hears of epoch ${change.epoch}: members ${change.members.join()} dead ${change.dead.join()}`);
    this.#quietSinceMs = this.nowMs;
    slot.handle({ of: 'kddm', event: { kind: 'reconfigure', ...change } });
    slot.handle({ of: 'sync', event: { kind: 'view', epoch: change.epoch, members: change.lives } });
  }

  settled(id: NodeId, epoch: number): void {
    this.#slot(id).handle({ of: 'kddm', event: { kind: 'settled', epoch } });
  }

  removed(id: NodeId): void {
    this.trace(() => `node ${id} is removed`);
    const slot = this.#slot(id);
    this.#noteDeaths();
    this.recorder.nodeDied(id);
    if (slot.kddm === undefined) return;
    slot.isZombie = true;
    slot.replies.clear();
    for (const client of this.#clients) if (client.node === id) client.nodeDied();
  }

  gone(id: NodeId): void {
    this.trace(() => `node ${id} has left`);
    this.#slot(id).end();
    this.recorder.nodeDied(id);
    for (const client of this.#clients) if (client.node === id) client.stop();
  }
}
