/**
 * Where processes are, and what is told between the nodes about those that have husks. The home of a process is the node whose range its pid
 * is from: it always knows where the process runs and who has a husk of it, and passes everything on. The node where the process runs is the
 * only authority for it; husks follow.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container, ReapedProcess } from '../container/index.ts';
import { isKorriganError, KorriganError, trySyscall } from '../linux/index.ts';
import type { NodeId, RpcNode } from '../rpc/index.ts';
import { Directory } from './directory.ts';
import type { FamilyDescription } from './family-description.ts';
import { HuskKeeper } from './husk-keeper.ts';
import { ContainerTable } from './process-table.ts';
import type { MonitorEvent } from './husk-monitor.ts';
import { holdCall, locateCall, movedCall, type Notice, reconcileCall, relateCall, tellCall } from './messages.ts';
import { Outbox } from './outbox.ts';
import { INIT_PID } from './relatives.ts';
import { isChildChange, isForwarded, RecordReader, senderOf, signalNumber } from './records.ts';

const SIGKILL = 9;
const SIGSTOP = 19;
const SIGINFO_SIZE = 128;
/** A process that is just being moved is asked again. */
const AGAIN_MILLISECONDS = 2;
/** How long whoever tells something waits for it to be done. */
const TOLD_MILLISECONDS = 1000;
const BROADCASTS_KEPT = 10_000;
const RECONCILE_MILLISECONDS = 500;
/** How often nobody may claim a process before it counts as lost with its node. */
const RECONCILE_ROUNDS = 4;

export interface ProcServiceOptions {
  readonly rpc: RpcNode;
  readonly container: Container;
  /** Lane of the container for the monitor's thread. */
  readonly lane: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  readonly recordPipe: number;
  /** Home node of a pid. */
  readonly homeOf: (pid: number) => NodeId;
  readonly log: { warn(details: object, message: string): void };
}

type GroupSignal = Extract<Notice, { kind: 'group-signal' }>;
type Signal = Extract<Notice, { kind: 'signal' | 'group-signal' }>;

/** A process or husk that a daemon finds in a container that it adopts. */
export interface Resident {
  readonly pid: number;
  /** `undecided`: on its way to this node or away again, and frozen. */
  readonly kind: 'process' | 'husk' | 'template' | 'undecided';
}

export class ProcService implements AsyncDisposable {
  private readonly options: ProcServiceOptions;
  private readonly keeper: HuskKeeper;
  private readonly outbox: Outbox;
  private readonly directory: Directory;
  /** Pids that have a husk here. */
  private readonly present = new Set<number>();
  /** Processes of other homes that run here. */
  private readonly visitors = new Set<number>();
  /** Husks that are about to become processes, and processes that are about to become husks. */
  private readonly arriving = new Set<number>();
  /** What was seen of those, until it is clear what they are. */
  private readonly held = new Map<number, MonitorEvent[]>();
  /** What has ended here, until its home knows that it was collected. */
  private readonly zombies = new Set<number>();
  /** Husks that were told to end: their end is no news. */
  private readonly ending = new Set<number>();
  /** Zombies that husks were told to collect: nor is that. */
  private readonly collecting = new Set<number>();
  private readonly records = new RecordReader();
  /** What is being done about each process, one thing after the other. */
  private readonly queues = new Map<number, Promise<void>>();
  private tidying: Promise<void> | undefined;
  /** Those that follow a change of group that was made elsewhere. */
  private readonly relating = new Set<number>();
  /** The proxy of each group that has one here. */
  private proxies = new Map<number, number>();
  /** Signals to groups that were delivered lately, with the member. */
  private readonly delivered = new Set<string>();
  private readonly table: ContainerTable;
  private isClosed = false;

  constructor(options: ProcServiceOptions) {
    this.options = options;
    const { rpc, container, lane, recordPipe } = options;
    this.directory = new Directory(rpc.id);
    this.table = new ContainerTable(container.procfsPath);
    this.outbox = new Outbox(rpc);
    this.keeper = new HuskKeeper({ container, lane, recordPipe, onEvent: (event) => this.seen(event) });
    rpc.handle(tellCall, async ({ notices }, { caller: from }) => {
      const done = Promise.all(notices.map((notice) => this.take(notice, from)));
      await Promise.race([done, delay(TOLD_MILLISECONDS, undefined, { ref: false })]);
      return {};
    });
    rpc.handle(movedCall, ({ pid, node }, { caller: from }) => {
      this.directory.moved(pid, from, node);
      return {};
    });
    rpc.handle(holdCall, async ({ pids }, { caller: from }) => ({ ended: await this.heldElsewhere(pids, from) }));
    rpc.handle(locateCall, async ({ pid }) => ({ node: await this.locate(pid) }));
    rpc.handle(relateCall, async ({ pid, group }, { caller: from }) => {
      await this.relate(pid, group, from);
      return {};
    });
    rpc.handle(reconcileCall, ({ running, husks, ended }, { caller: from }) => this.reconciled(from, running, husks, ended));
  }

  /** The node on which a process runs, or would if there were one. */
  async locate(pid: number): Promise<NodeId> {
    const { rpc, homeOf } = this.options;
    if (this.visitors.has(pid)) return rpc.id;
    const home = homeOf(pid);
    if (home === rpc.id) return this.directory.nodeOf(pid);
    return (await rpc.call(home, locateCall, { pid })).node;
  }

  /** Is what has this pid here only a husk? */
  isHusk(pid: number): boolean {
    return this.present.has(pid) || this.keeper.isTemplate(pid) || this.groupOf(pid) !== undefined;
  }

  /** Was it here a moment ago? When it is no more, then it is nowhere. */
  knows(pid: number): boolean {
    return this.present.has(pid) || this.visitors.has(pid) || this.zombies.has(pid);
  }

  /** Pids that have a husk here. */
  get husks(): ReadonlySet<number> {
    return this.present;
  }

  /** Makes the husks that a family needs here. Its moving ones may then be inflated; until {@link ProcService.arrived} they stay. */
  async prepare(family: FamilyDescription): Promise<void> {
    for (const pid of family.moving) this.arriving.add(pid);
    try {
      const template = await this.keeper.template();
      await this.tidying;
      const made = await this.keeper.do('prepare', family, [...this.present], template);
      const ended = new Set(family.members.filter((member) => member.ended !== undefined).map(({ pid }) => pid));
      for (const pid of made) {
        this.zombies.delete(pid);
        (ended.has(pid) ? this.ending : this.present).add(pid);
      }
      await this.register(made);
    } catch (error) {
      this.arrived(family.moving, []);
      throw error;
    }
  }

  /** A move to this node is over. @param running those that run here now; the other ones stay husks as long as somebody needs them */
  arrived(moving: readonly number[], running: readonly number[]): void {
    const { rpc, homeOf } = this.options;
    for (const pid of running) {
      this.present.delete(pid);
      if (homeOf(pid) === rpc.id) this.directory.moved(pid, rpc.id, rpc.id);
      else this.visitors.add(pid);
    }
    this.command('watch', running);
    this.settle(moving);
  }

  /** The processes have left this node; to be called before what stayed behind becomes husks. */
  async left(pids: readonly number[], node: NodeId): Promise<void> {
    const { rpc, homeOf } = this.options;
    for (const pid of pids) {
      this.visitors.delete(pid);
      this.present.add(pid);
      this.arriving.add(pid);
    }
    await Promise.all(
      pids.map(async (pid) => {
        if (homeOf(pid) === rpc.id) this.directory.moved(pid, rpc.id, node);
        else await rpc.call(homeOf(pid), movedCall, { pid, node }, { idempotencyKey: randomUUID(), acrossRestarts: true });
      }),
    );
  }

  /** What processes that have left had behind them here are husks now. */
  deflated(pids: readonly number[]): void {
    this.settle(pids);
  }

  /** It is clear what is here: a process or a husk. */
  private settle(pids: readonly number[]): void {
    for (const pid of pids) {
      this.arriving.delete(pid);
      const events = this.held.get(pid) ?? [];
      this.held.delete(pid);
      for (const event of events) this.seen(event);
      if (this.present.has(pid) && this.options.container.hostPidOf(pid) === undefined) this.huskLost(pid);
    }
    this.command(
      'adopt',
      pids.filter((pid) => this.present.has(pid)),
    );
    this.tidy();
  }

  /** Does the process have husks, or is it one? */
  concernsOthers(pid: number): boolean {
    const isFollowing = this.relating.has(pid);
    return !isFollowing && (this.present.has(pid) || this.visitors.has(pid) || this.directory.has(pid));
  }

  /**
   * Everywhere else the process, or its husk, leads a session of its own (`group` 0) or enters a group, as far as that is possible there: a group none
   * of whose members are known on a node does not exist there.
   * @param from the node where it happens, which does it itself
   */
  async relate(pid: number, group: number, from: NodeId = this.options.rpc.id): Promise<void> {
    const { rpc, homeOf } = this.options;
    const options = { deadlineMs: TOLD_MILLISECONDS };
    const here = from === rpc.id ? [] : [this.followInto(pid, group)];
    const others = homeOf(pid) === rpc.id ? this.directory.others(pid, from).filter((node) => node !== rpc.id) : [];
    if (from === rpc.id && homeOf(pid) !== rpc.id) others.push(homeOf(pid));
    await Promise.all([...here, ...others.map((node) => rpc.call(node, relateCall, { pid, group }, options))]).catch((error: unknown) =>
      this.complain(error, 'the new group of a process was not told everywhere'),
    );
  }

  private async followInto(pid: number, group: number): Promise<void> {
    this.relating.add(pid);
    await this.keeper.do('relate', pid, group).finally(() => this.relating.delete(pid));
  }

  /** Bytes from the pipe of the husks. */
  recordsRead(chunk: Uint8Array): void {
    for (const record of this.records.push(chunk)) {
      if (isChildChange(record)) void this.inOrder(record.pid, () => this.tellOfChildren(record.pid));
      else this.recorded(record.pid, record.information);
    }
  }

  /**
   * After a restart of the daemon: who is here is seen in the container, where the others are is asked of the other nodes.
   * @param ended children of pid 1 that it has collected lately
   */
  recover(residents: readonly Resident[], ended: readonly Pick<ReapedProcess, 'pid' | 'status'>[]): void {
    const { rpc, homeOf } = this.options;
    for (const { pid, kind } of residents) {
      const member = kind === 'template' ? this.table.find(pid) : undefined;
      if (member !== undefined && member.session !== INIT_PID) this.proxies.set(member.group, pid);
      else if (kind === 'template') this.keeper.adoptTemplate(pid);
      else if (kind === 'husk') this.present.add(pid);
      else if (kind === 'undecided') this.arriving.add(pid);
      else if (homeOf(pid) !== rpc.id) this.visitors.add(pid);
    }
    for (const pid of this.arriving) this.present.add(pid);
    this.command('watch', [...this.visitors, ...this.arriving]);
    this.command('adopt', [...[...this.present].filter((pid) => !this.arriving.has(pid)), ...this.proxies.values()]);
    const claimed = Promise.all(rpc.peers.map((peer) => this.reconcileWith(peer, ended)));
    claimed
      .then(() => this.endUnclaimed(RECONCILE_ROUNDS))
      .catch((error: unknown) => this.complain(error, 'the processes that are away are not known'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    this.outbox.close();
    await this.keeper[Symbol.asyncDispose]();
  }

  // What the monitor has seen

  private seen(event: MonitorEvent): void {
    const { pid } = event;
    const events = this.held.get(pid);
    if (this.arriving.has(pid) && event.kind !== 'signal') {
      if (events === undefined) this.held.set(pid, [event]);
      else events.push(event);
      return;
    }
    switch (event.kind) {
      case 'killed':
        this.killed(pid);
        return;
      case 'signal':
        this.recorded(pid, event.information);
        return;
      case 'ended':
        this.zombies.add(pid);
        if (this.ending.delete(pid)) return;
        if (this.present.has(pid)) this.huskLost(pid);
        else this.announce({ kind: 'ended', pid, status: event.status });
        return;
      case 'collected':
        this.collected(pid).catch((error: unknown) => this.complain(error, 'that a process was collected was not told'));
    }
  }

  private killed(pid: number): void {
    const group = this.groupOf(pid);
    if (group === undefined) {
      if (this.present.has(pid)) this.forward(pid, killed());
      return;
    }
    this.forwardToGroup(group, killed());
    this.proxies.delete(group);
    this.keeper.do('end', pid, SIGKILL).catch((error: unknown) => this.complain(error, 'a proxy was not ended'));
  }

  /** A husk ended that nobody held: it was killed at home, and its process follows it; elsewhere it was to become a process, which failed. */
  private huskLost(pid: number): void {
    this.present.delete(pid);
    if (this.options.homeOf(pid) === this.options.rpc.id) {
      this.forward(pid, killed());
      return;
    }
    this.collecting.add(pid);
    this.outbox.put(this.options.homeOf(pid), { kind: 'dropped', pid });
    this.keeper.do('collect', pid).catch((error: unknown) => this.complain(error, 'a husk was not collected'));
  }

  private async collected(pid: number): Promise<void> {
    const { rpc, homeOf } = this.options;
    this.visitors.delete(pid);
    if (!this.collecting.delete(pid)) {
      await this.take({ kind: 'collected', pid }, rpc.id);
      await this.outbox.flushed(homeOf(pid));
    }
    this.zombies.delete(pid);
    this.tidy();
  }

  private recorded(pid: number, information: Uint8Array): void {
    const { homeOf, rpc } = this.options;
    const group = this.groupOf(pid);
    if (!isForwarded(information, homeOf(group ?? pid) === rpc.id)) return;
    if (group !== undefined) this.forwardToGroup(group, information);
    else
      void this.inOrder(pid, async () => {
        if (!(await this.isDeathSignal(pid, information))) await this.carryOut({ kind: 'signal', pid, information }, rpc.id);
      });
  }

  /** The kernel sends a husk what it has sent to the process itself, on the node where that runs: the signal of its parent's death. */
  private async isDeathSignal(pid: number, information: Uint8Array): Promise<boolean> {
    const sender = senderOf(information);
    if (sender === undefined || !this.present.has(pid)) return false;
    const living = this.table.find(sender);
    if (living !== undefined && living.ended === undefined) return false;
    return (await this.keeper.do('deathSignal', pid)) === signalNumber(information);
  }

  /** The group that a proxy stands for. */
  private groupOf(proxy: number): number | undefined {
    for (const [group, pid] of this.proxies) if (pid === proxy) return group;
    return undefined;
  }

  /** A signal that was sent to a group here: its members here, husks included, have got it. */
  private forwardToGroup(group: number, information: Uint8Array): void {
    const pid = group;
    this.spread({ kind: 'group-signal', pid, to: 'home', group, reached: this.membersOf(group), information, broadcast: randomUUID() });
  }

  /** To the nodes of the members that have husks here, and to the homes of those that visit. */
  private spread(notice: GroupSignal): void {
    const { homeOf, rpc } = this.options;
    this.remember(notice.broadcast);
    for (const pid of this.membersOf(notice.group)) {
      if (this.present.has(pid)) void this.take({ ...notice, pid, to: 'process' }, rpc.id);
      else if (this.visitors.has(pid)) this.outbox.put(homeOf(pid), { ...notice, pid, to: 'home' });
    }
  }

  private membersOf(group: number): number[] {
    const members = this.table.all().filter((member) => member.group === group && member.ended === undefined);
    return members.map(({ pid }) => pid).filter((pid) => this.groupOf(pid) === undefined);
  }

  /** The members here that it has not reached get the signal, and other nodes hear of it. */
  private signalGroup(notice: GroupSignal): void {
    const { group, reached, information, broadcast } = notice;
    if (this.delivered.has(broadcast)) return;
    this.spread(notice);
    const elsewhere = new Set(reached);
    for (const pid of this.membersOf(group)) {
      if (!elsewhere.has(pid) && !this.present.has(pid)) void this.take({ kind: 'signal', pid, information, broadcast }, this.options.rpc.id);
    }
  }

  /** A signal that reached a husk goes to its process. */
  private forward(pid: number, information: Uint8Array): void {
    this.take({ kind: 'signal', pid, information }, this.options.rpc.id).catch((error: unknown) =>
      this.complain(error, 'a signal was lost'),
    );
  }

  private async tellOfChildren(parent: number): Promise<void> {
    for (const { pid, stopped } of await this.keeper.do('children', parent)) {
      if (!this.present.has(pid)) this.announce({ kind: 'stopped', pid, signal: stopped });
    }
  }

  /** Tells all other nodes that have a husk of it what has become of a process of this node. */
  private announce(notice: Notice): void {
    this.take(notice, this.options.rpc.id).catch((error: unknown) => this.complain(error, 'what became of a process was not told'));
  }

  // Notices, from here and from other nodes

  private take(notice: Notice, from: NodeId): Promise<void> {
    return this.inOrder(notice.pid, () => this.carryOut(notice, from));
  }

  private async carryOut(notice: Notice, from: NodeId): Promise<void> {
    const { rpc, homeOf } = this.options;
    const { pid } = notice;
    if (notice.kind === 'signal' || notice.kind === 'group-signal') {
      await this.route(notice, from);
      return;
    }
    if (homeOf(pid) === rpc.id) this.passOn(notice, from);
    else if (from === rpc.id) this.outbox.put(homeOf(pid), notice);
    if (from !== rpc.id) await this.follow(notice);
  }

  /** The home tells everybody else, and keeps its own account. */
  private passOn(notice: Exclude<Notice, Signal>, from: NodeId): void {
    const { rpc } = this.options;
    const { pid } = notice;
    if (notice.kind === 'dropped') {
      this.directory.dropped(pid, from);
      return;
    }
    for (const node of this.directory.others(pid, from)) if (node !== rpc.id) this.outbox.put(node, notice);
    if (notice.kind === 'collected') this.directory.forget(pid);
  }

  /** A husk here does as its process did. */
  private async follow(notice: Exclude<Notice, Signal>): Promise<void> {
    const { pid } = notice;
    // What is just becoming a husk, or a process, is in the hand of another thread.
    while (this.arriving.has(pid) && !this.isClosed) await delay(AGAIN_MILLISECONDS, undefined, { ref: false });
    switch (notice.kind) {
      case 'ended':
        if (!this.present.delete(pid)) return;
        this.ending.add(pid);
        await this.keeper.do('end', pid, notice.status);
        this.tidy();
        return;
      case 'stopped':
        if (!this.present.has(pid)) return;
        if (notice.signal === 0) await this.keeper.do('continue', pid);
        else await this.keeper.do('stop', pid, notice.signal);
        return;
      case 'collected':
        this.collecting.add(pid);
        if (!(await this.keeper.do('collect', pid))) this.collecting.delete(pid);
    }
  }

  /** Brings a signal to the process, wherever it is just moving. */
  private async route(notice: Signal, from: NodeId): Promise<void> {
    const { rpc, homeOf } = this.options;
    const { pid } = notice;
    if (notice.kind === 'group-signal' && notice.to === 'home' && from !== rpc.id) {
      this.signalGroup(notice);
      return;
    }
    for (; !this.isClosed; await delay(AGAIN_MILLISECONDS, undefined, { ref: false })) {
      const home = homeOf(pid);
      const isHere = home === rpc.id ? !this.present.has(pid) && this.directory.nodeOf(pid) === rpc.id : this.visitors.has(pid);
      if (isHere) {
        if (await this.deliver(notice)) return;
      } else if (this.arriving.has(pid)) {
        continue;
      } else if (home !== rpc.id) {
        this.outbox.put(home, notice);
        return;
      } else if (this.directory.nodeOf(pid) !== rpc.id) {
        this.outbox.put(this.directory.nodeOf(pid), notice);
        return;
      }
    }
  }

  /** @returns false when the process is just being moved */
  private async deliver(notice: Signal): Promise<boolean> {
    if (notice.kind === 'group-signal') {
      this.signalGroup(notice);
      return true;
    }
    const { pid, information, broadcast } = notice;
    const hostPid = this.options.container.hostPidOf(pid);
    if (hostPid === undefined || (broadcast !== undefined && this.delivered.has(`${broadcast} ${pid}`))) return true;
    const signal = signalNumber(information);
    try {
      if (signal === SIGKILL || signal === SIGSTOP) trySyscall('kill', hostPid, signal);
      else await this.keeper.do('deliver', pid, [information]);
      if (broadcast !== undefined) this.remember(`${broadcast} ${pid}`);
      return true;
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return true; // it has ended: a signal to a zombie has no effect
      if (isKorriganError(error, 'KRG_TRACED')) return false;
      throw error;
    }
  }

  private remember(delivered: string): void {
    this.delivered.add(delivered);
    const [oldest] = this.delivered;
    if (this.delivered.size > BROADCASTS_KEPT && oldest !== undefined) this.delivered.delete(oldest);
  }

  private inOrder(pid: number, action: () => Promise<void>): Promise<void> {
    const done = (this.queues.get(pid) ?? Promise.resolve()).then(action);
    const settled = done.catch((error: unknown) => this.complain(error, 'what happened to a process could not be followed'));
    this.queues.set(pid, settled);
    void settled.then(() => {
      if (this.queues.get(pid) === settled) this.queues.delete(pid);
    });
    return settled;
  }

  // Who has husks

  /** Tells the homes of new husks, and ends those whose process has just ended. */
  private async register(pids: readonly number[]): Promise<void> {
    const { rpc, homeOf } = this.options;
    const homes = Map.groupBy(pids, homeOf);
    const ended = await Promise.all(
      [...homes].map(async ([home, members]) => {
        if (home === rpc.id) return [];
        await this.outbox.flushed(home);
        return (await rpc.call(home, holdCall, { pids: members }, { idempotencyKey: randomUUID() })).ended;
      }),
    );
    const [first] = ended.flat().filter((pid) => this.present.has(pid));
    if (first !== undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${first}, a relative, has just ended; try again`);
  }

  /** @returns those that have ended */
  private async heldElsewhere(pids: readonly number[], by: NodeId): Promise<number[]> {
    const { container, rpc } = this.options;
    const living = pids.filter((pid) => container.hostPidOf(pid) !== undefined);
    for (const pid of living) this.directory.held(pid, by);
    await this.keeper.do(
      'watch',
      living.filter((pid) => this.directory.nodeOf(pid) === rpc.id),
    );
    return pids.filter((pid) => !living.includes(pid));
  }

  /** Removes husks that are no longer needed, after whatever is under way now. */
  private tidy(): void {
    if (this.tidying !== undefined || this.isClosed) return;
    this.tidying = this.removeSuperfluous()
      .catch((error: unknown) => this.complain(error, 'husks could not be removed'))
      .finally(() => (this.tidying = undefined));
  }

  private async removeSuperfluous(): Promise<void> {
    const { rpc, homeOf } = this.options;
    await new Promise((resolve) => setImmediate(resolve));
    const husks = [...this.present].filter((pid) => !this.arriving.has(pid));
    const kept = husks.filter((pid) => homeOf(pid) === rpc.id);
    if (kept.length < husks.length) {
      const removed = await this.keeper.do('tidy', { husks, kept, proxies: [...this.proxies.values()] });
      for (const pid of removed) {
        this.present.delete(pid);
        this.outbox.put(homeOf(pid), { kind: 'dropped', pid });
      }
    }
    if (this.present.size + this.visitors.size + this.proxies.size === 0) return;
    const staying = [...this.present].filter((pid) => !this.arriving.has(pid));
    this.proxies = await this.keeper.do('proxies', staying, [...this.visitors], this.proxies);
  }

  // After a restart

  private async reconcileWith(peer: NodeId, ended: readonly Pick<ReapedProcess, 'pid' | 'status'>[]): Promise<void> {
    const { rpc, homeOf } = this.options;
    const ofPeer = (pid: number): boolean => homeOf(pid) === peer;
    // Of two that are started together one makes the link.
    if (rpc.id < peer) await delay(RECONCILE_MILLISECONDS, undefined, { ref: false });
    for (;;) {
      if (this.isClosed) return;
      const request = {
        running: [...this.visitors].filter(ofPeer),
        husks: [...this.present].filter(ofPeer),
        ended: ended.filter(({ pid }) => ofPeer(pid)).map(({ pid, status }) => ({ pid, status })),
      };
      try {
        const { running, husks } = await rpc.call(peer, reconcileCall, request, { deadlineMs: TOLD_MILLISECONDS });
        for (const pid of running) this.directory.moved(pid, rpc.id, peer);
        for (const pid of husks) this.directory.held(pid, peer);
        this.command(
          'watch',
          husks.filter((pid) => !this.present.has(pid)),
        );
        return;
      } catch {
        await delay(RECONCILE_MILLISECONDS, undefined, { ref: false }); // it is not up yet
      }
    }
  }

  /** A daemon was started again and says what it has. */
  private reconciled(
    from: NodeId,
    running: readonly number[],
    husks: readonly number[],
    ended: readonly { pid: number; status: number }[],
  ): { running: number[]; husks: number[] } {
    const { homeOf, rpc } = this.options;
    // What runs here and there at once is being moved, and undecided.
    const isHere = (pid: number): boolean => !this.present.has(pid) && this.options.container.hostPidOf(pid) !== undefined;
    for (const pid of running) if (!isHere(pid)) this.directory.moved(pid, rpc.id, from);
    for (const pid of husks) this.directory.held(pid, from);
    const statuses = new Map(ended.map(({ pid, status }) => [pid, status]));
    for (const { pid, node } of this.directory.away) {
      if (node !== from || running.includes(pid)) continue;
      const status = statuses.get(pid);
      if (status !== undefined) void this.take({ kind: 'ended', pid, status }, from);
    }
    const isTheirs = (pid: number): boolean => homeOf(pid) === from;
    return { running: [...this.visitors].filter(isTheirs), husks: [...this.present].filter(isTheirs) };
  }

  /** A process that no node has was lost with one: it counts as killed. */
  private async endUnclaimed(rounds: number): Promise<void> {
    const { rpc, homeOf } = this.options;
    const unclaimed = (): number[] =>
      [...this.present].filter((pid) => homeOf(pid) === rpc.id && this.directory.nodeOf(pid) === rpc.id && !this.arriving.has(pid));
    for (let round = 0; round < rounds && unclaimed().length > 0 && !this.isClosed; round++) {
      await delay(RECONCILE_MILLISECONDS, undefined, { ref: false });
      await Promise.all(rpc.peers.map((peer) => this.reconcileWith(peer, [])));
    }
    for (const pid of this.isClosed ? [] : unclaimed()) {
      this.present.delete(pid);
      this.ending.add(pid);
      this.options.log.warn({ pid }, 'a process was lost with its node; its relatives see it killed');
      await this.keeper.do('end', pid, SIGKILL);
    }
  }

  private command(name: 'watch' | 'adopt', pids: readonly number[]): void {
    if (pids.length === 0) return;
    this.keeper.do(name, pids).catch((error: unknown) => this.complain(error, 'husks are not watched'));
  }

  private complain(error: unknown, message: string): void {
    if (!this.isClosed) this.options.log.warn({ err: error }, message);
  }
}

function killed(): Uint8Array {
  const information = new Uint8Array(SIGINFO_SIZE);
  new DataView(information.buffer).setInt32(0, SIGKILL, true);
  return information;
}
