/**
 * Where processes are, and what is told between the nodes about those that have husks. The home of a process is the node whose range its pid
 * is from: it always knows where the process runs and who has a husk of it, and passes everything on. The node where the process runs is the
 * only authority for it; husks follow.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ReapedProcess, TrappedCallInFlight } from '../container/index.ts';
import { type ControlGroup, isKorriganError, type NotificationAnswer } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { EarlierLife } from './earlier-life.ts';
import type { FamilyDescription } from './family-description.ts';
import { GroupChanges } from './group-changes.ts';
import { GroupSignals } from './group-signals.ts';
import type { MonitorEvent } from './monitor-events.ts';
import { TrappedCalls } from './calls/index.ts';
import { Claims } from './claims.ts';
import { locateCall, movedCall, type Notice, tellCall } from './messages.ts';
import { News } from './news.ts';
import { NodeFamilies, type ProcServiceOptions } from './node-families.ts';
import { Reconciliation } from './reconciliation.ts';
import { MARK_PID } from './husk-body.ts';
import { isChildChange, isForwarded, plainSignal, RecordReader } from './records.ts';
import { Registration } from './registration.ts';
import { adoptResidents, type Resident } from './residents.ts';
import { SignalPost } from './signal-post.ts';
import { huskCgroup } from './template.ts';
import { Tidying } from './tidying.ts';

const SIGKILL = 9;
/** How long whoever tells something waits for it to be done. */
const TOLD_MILLISECONDS = 1000;
/** How long what a family is made from here may lag behind what its node says of it. */
const NEWS_MILLISECONDS = 500;

export class ProcService implements AsyncDisposable {
  private readonly families: NodeFamilies;
  private readonly post: SignalPost;
  private readonly groups: GroupSignals;
  private readonly news: News;
  private readonly registration: Registration;
  private readonly claims: Claims;
  private readonly earlierLife: EarlierLife;
  private readonly reconciliation: Reconciliation;
  private readonly records = new RecordReader();
  /** What was seen of processes and husks that are just changing, until it is clear what they are. */
  private readonly held = new Map<number, MonitorEvent[]>();
  /** What has ended here, until its home knows that it was collected. */
  private readonly zombies = new Set<number>();
  private readonly groupChanges: GroupChanges;
  private readonly tidying: Tidying;
  private readonly trapped: TrappedCalls;

  constructor(options: ProcServiceOptions) {
    const { rpc } = options;
    this.families = new NodeFamilies(
      options,
      (event) => this.seen(event),
      (notice) => this.undelivered(notice),
    );
    this.claims = new Claims(this.families, (notice, from) => this.take(notice, from));
    this.post = new SignalPost(this.families, (pid) => this.claims.locate(pid));
    this.groupChanges = new GroupChanges(this.families);
    this.groups = new GroupSignals(this.families, this.post);
    this.tidying = new Tidying(this.families, this.groups);
    const makeHusks = async (family: FamilyDescription): Promise<void> => {
      await this.prepare(family, huskCgroup(options.container).create());
      this.arrived(family.moving, []);
    };
    this.earlierLife = new EarlierLife(this.families, makeHusks);
    this.trapped = new TrappedCalls({
      families: this.families,
      post: this.post,
      groupChanges: this.groupChanges,
      locate: (pid) => this.locate(pid),
      isHusk: (pid) => this.isHusk(pid),
      makeHusks,
    });
    this.news = new News(this.families, () => this.tidying.request());
    this.registration = new Registration(this.families, this.news);
    const { claims } = this;
    this.reconciliation = new Reconciliation(
      this.families,
      (notice, from) => void this.take(notice, from),
      (pid) => claims.lost(pid),
    );
    rpc.handle(tellCall, async ({ notices }, { caller }) => {
      const done = Promise.all(notices.map((notice) => this.take(notice, caller)));
      await Promise.race([done, delay(TOLD_MILLISECONDS, undefined, { ref: false })]);
      return {};
    });
    rpc.handle(movedCall, ({ pid, node }, { caller }) => {
      if (node === rpc.id || !this.families.isHere(pid)) this.families.directory.moved(pid, caller, node);
      this.claims.checkPlaces();
      return {};
    });
    rpc.handle(locateCall, async ({ pid }) => ({ node: await this.locate(pid) }));
  }

  /** The node on which a process runs, or would if there were one. A home that was started again first hears where its processes are. */
  async locate(pid: number): Promise<NodeId> {
    const { visitors, directory, node, options } = this.families;
    while (this.families.isUnclaimed(pid) && !this.families.isClosed) await this.families.again();
    if (visitors.has(pid) || (this.families.isHome(pid) && this.families.isHere(pid))) return node;
    if (this.families.isHome(pid)) return directory.nodeOf(pid);
    if (this.families.isHomeless(pid)) return this.claims.locate(pid);
    return (await options.rpc.call(options.homeOf(pid), locateCall, { pid })).node;
  }

  /** Is what has this pid here only a husk? */
  isHusk(pid: number): boolean {
    const { present, keeper } = this.families;
    return present.has(pid) || keeper.isTemplate(pid) || this.groups.groupOf(pid) !== undefined;
  }

  /** Was it here a moment ago? When it is no more, then it is nowhere. */
  knows(pid: number): boolean {
    return this.families.present.has(pid) || this.families.visitors.has(pid) || this.zombies.has(pid);
  }

  /**
   * Makes the husks that a family needs here. Its moving ones may then be inflated; until {@link ProcService.arrived} they stay.
   * @param group where husks of moving ones are born
   */
  async prepare(family: FamilyDescription, group: ControlGroup): Promise<void> {
    const { arriving, present } = this.families;
    for (const pid of family.moving) arriving.add(pid);
    try {
      const made = await this.makeHusks(family, group);
      const ended = new Set(family.members.filter((member) => member.ended !== undefined).map(({ pid }) => pid));
      for (const pid of made) {
        this.zombies.delete(pid);
        if (ended.has(pid)) this.families.endHusk(pid);
        else present.add(pid);
      }
      await this.registration.register(made);
    } catch (error) {
      this.arrived(family.moving, []);
      throw error;
    }
  }

  /** What has happened to relatives elsewhere may not have been heard of here yet: it is waited for. */
  private async makeHusks(family: FamilyDescription, group: ControlGroup): Promise<number[]> {
    const { keeper, present } = this.families;
    for (const until = performance.now() + NEWS_MILLISECONDS; ; await this.families.again()) {
      const template = await keeper.template();
      await this.tidying.idle;
      try {
        return await keeper.do('prepare', family, [...present], template, group.path);
      } catch (error) {
        if (!isKorriganError(error, 'KRG_PROCESS_BUSY') || performance.now() > until || this.families.isClosed) throw error;
      }
    }
  }

  /** A move to this node is over. @param running those that run here now; the other ones stay husks as long as somebody needs them */
  arrived(moving: readonly number[], running: readonly number[]): void {
    const { present, visitors, directory, node } = this.families;
    for (const pid of running) {
      present.delete(pid);
      if (this.families.isHome(pid)) directory.moved(pid, node, node);
      else visitors.add(pid);
    }
    this.command('watch', running);
    this.settle(moving);
  }

  /**
   * A move to this node was given up. Husks that had begun to become processes are gone, which says nothing about these; the other ones stay as long
   * as somebody needs them.
   * @param moving those that were taken in hand
   */
  async discarded(moving: readonly { readonly pid: number; readonly hostPid: number }[]): Promise<void> {
    const { keeper, present } = this.families;
    const gone = await keeper.do(
      'forgetEnded',
      moving.map(({ hostPid }) => hostPid),
    );
    for (const { pid, hostPid } of moving) {
      if (!gone.includes(hostPid)) continue;
      const wasKilled = this.held.get(pid)?.some(({ kind }) => kind === 'killed') === true;
      this.held.delete(pid);
      if (wasKilled) this.huskKilled(pid);
      if (present.has(pid)) this.huskLost(pid, false);
    }
    this.settle(moving.map(({ pid }) => pid));
  }

  /** The processes have left this node; to be called before what stayed behind becomes husks. */
  async left(pids: readonly number[], node: NodeId): Promise<void> {
    const { present, visitors, arriving, directory } = this.families;
    for (const pid of pids) {
      visitors.delete(pid);
      present.add(pid);
      arriving.add(pid);
    }
    await Promise.all(
      pids.map(async (pid) => {
        if (this.families.isHome(pid)) directory.moved(pid, this.families.node, node);
        else if (!this.families.isHomeless(pid)) await this.families.callHome(pid, movedCall, { pid, node });
      }),
    );
  }

  /** See {@link EarlierLife}. Before anything is started in a new container. */
  async takeOverEarlierLife(): Promise<void> {
    await this.earlierLife.takeOver();
  }

  /** Other nodes take part in the cluster than before. */
  async membersChanged(): Promise<void> {
    await this.claims.membersChanged();
  }

  /** The node to which processes had moved has died: with them, unless they had moved on. */
  mayHaveDied(pids: readonly number[]): void {
    this.claims.check(pids);
  }

  /** What processes that have left had behind them here are husks now. Resolves when their groups are complete. */
  async deflated(pids: readonly number[]): Promise<void> {
    this.settle(pids);
    this.claims.checkPlaces();
    await this.tidying.idle;
  }

  /** Until {@link ProcService.disturb} signals for these wait here, so that a move finds nobody at work on them. */
  async leaveAlone(pids: readonly number[]): Promise<void> {
    await this.post.leaveAlone(pids);
  }

  disturb(pids: readonly number[]): void {
    this.post.disturb(pids);
  }

  /** See {@link SignalPost.allBrought}. */
  async signalsBrought(pids: readonly number[], mark: number): Promise<void> {
    await this.post.allBrought(pids, mark);
  }

  /** A call of a program here that names a process, group or user of other nodes. */
  answerTrappedCall(call: TrappedCallInFlight): Promise<NotificationAnswer> {
    return this.trapped.answer(call);
  }

  /** Bytes from the pipe of the husks. */
  recordsRead(chunk: Uint8Array): void {
    for (const record of this.records.push(chunk)) {
      if (record.pid === MARK_PID) this.post.markRead(record.sequence);
      else if (isChildChange(record)) void this.families.inOrder(record.pid, () => this.tellOfChildren(record.pid));
      else this.recorded(record.pid, record.information);
    }
  }

  /** After a restart of the daemon. @param ended children of pid 1 that it has collected lately */
  recover(residents: readonly Resident[], ended: readonly Pick<ReapedProcess, 'pid' | 'status'>[]): void {
    const { present, visitors, arriving } = this.families;
    const discarded = adoptResidents(residents, this.families, this.groups.proxies);
    this.command('discard', discarded);
    this.command('watch', [...visitors, ...arriving]);
    this.command('adopt', [...[...present].filter((pid) => !arriving.has(pid)), ...this.groups.proxies.values()]);
    this.reconciliation
      .run(ended)
      .catch((error: unknown) => this.families.complain(error, 'it is not known where the processes of this node are'))
      .finally(() => this.tidying.request()); // not before: homes have to hear of a husk before they hear that it is gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.families[Symbol.asyncDispose]();
  }

  // What the monitor and the husks have seen

  private seen(event: MonitorEvent): void {
    const { arriving, ending, present } = this.families;
    const { pid } = event;
    if (arriving.has(pid) && event.kind !== 'signal') {
      this.held.set(pid, [...(this.held.get(pid) ?? []), event]);
      return;
    }
    switch (event.kind) {
      case 'killed':
        this.huskKilled(pid);
        return;
      case 'signal':
        this.recorded(pid, event.information);
        return;
      case 'ended':
        this.zombies.add(pid);
        if (ending.delete(pid)) return;
        if (present.has(pid)) this.huskLost(pid);
        else void this.take({ kind: 'ended', pid, status: event.status }, this.families.node);
        return;
      case 'collected':
        void this.collected(pid);
    }
  }

  private huskKilled(pid: number): void {
    const group = this.groups.groupOf(pid);
    if (group === undefined) {
      if (this.families.present.has(pid)) void this.post.bring(pid, { information: plainSignal(SIGKILL) });
      return;
    }
    this.groups.sent(group, plainSignal(SIGKILL));
    this.groups.proxies.delete(group);
    this.families.keeper
      .do('end', pid, SIGKILL)
      .catch((error: unknown) => this.families.complain(error, 'the proxy of a group was not ended'));
  }

  /** A husk ended that nobody held: it was killed at home, and its process follows it; elsewhere it was to become a process, which failed. */
  private huskLost(pid: number, isWatched = true): void {
    const { present, keeper } = this.families;
    present.delete(pid);
    if (this.families.isHome(pid)) {
      present.add(pid); // until its process has ended, too
      void this.post.bring(pid, { information: plainSignal(SIGKILL) }).then(() => present.delete(pid));
      return;
    }
    if (isWatched) this.news.collecting.add(pid);
    this.families.tellHome(pid, { kind: 'dropped', pid });
    keeper.do('collect', pid).catch((error: unknown) => this.families.complain(error, 'a husk was not collected'));
  }

  private async collected(pid: number): Promise<void> {
    const { visitors, outbox, options, node } = this.families;
    visitors.delete(pid);
    this.families.endedHusks.delete(pid);
    if (!this.news.collecting.delete(pid)) {
      await this.take({ kind: 'collected', pid }, node);
      await outbox.flushed(options.homeOf(pid));
    }
    this.zombies.delete(pid);
    this.tidying.request();
  }

  private recorded(pid: number, information: Uint8Array): void {
    const group = this.groups.groupOf(pid);
    if (!isForwarded(information, this.families.isHome(group ?? pid))) return;
    if (group !== undefined) this.groups.sent(group, information);
    else void this.post.bringUnlessDeath(pid, information);
  }

  private async tellOfChildren(parent: number): Promise<void> {
    const { keeper } = this.families;
    for (const { pid, stopped } of await this.families.patiently(() => keeper.do('children', parent))) {
      if (!this.families.present.has(pid)) void this.take({ kind: 'stopped', pid, signal: stopped }, this.families.node);
    }
  }

  // Notices, from here and from other nodes

  private take(notice: Notice, from: NodeId): Promise<void> {
    const { pid } = notice;
    if (notice.kind === 'signal') return this.post.bring(pid, notice);
    if (notice.kind !== 'group-signal') return this.news.take(notice, from);
    this.groups.take(notice, from);
    return Promise.resolve();
  }

  /** A home has died that was to pass it on: it goes to all, as from then on everything that concerns processes without a home. */
  private undelivered(notice: Notice): void {
    if (!this.families.isHomeless(notice.pid)) return;
    if (notice.kind === 'signal') void this.post.bring(notice.pid, notice);
    else this.families.tellHome(notice.pid, notice);
  }

  // What is here

  /** It is clear what is here: processes or husks. */
  private settle(pids: readonly number[]): void {
    const { arriving, present, options } = this.families;
    for (const pid of pids) {
      arriving.delete(pid);
      const events = this.held.get(pid) ?? [];
      this.held.delete(pid);
      for (const event of events) this.seen(event);
      if (present.has(pid) && options.container.hostPidOf(pid) === undefined) this.huskLost(pid);
    }
    this.command(
      'adopt',
      pids.filter((pid) => present.has(pid)),
    );
    this.tidying.request();
  }

  private command(name: 'watch' | 'adopt' | 'discard', pids: readonly number[]): void {
    if (pids.length === 0) return;
    this.families.keeper
      .do(name, pids)
      .catch((error: unknown) => this.families.complain(error, `${name} failed for processes of this node`));
  }
}
