/**
 * Signals to process groups whose members are on several nodes. Those with a process or husk here get them from the kernel; the proxy of the group tells
 * of the rest, and the signal spreads over the nodes of the members, each of which passes it to the members that it alone has.
 */
import { randomUUID } from 'node:crypto';
import type { NodeId } from '../rpc/index.ts';
import type { Notice } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';
import type { SignalPost } from './signal-post.ts';

export type GroupSignal = Extract<Notice, { kind: 'group-signal' }>;

export class GroupSignals {
  private readonly families: NodeFamilies;
  private readonly post: SignalPost;
  /** The proxy of each group that has one here. */
  proxies = new Map<number, number>();
  /** By group: where members were that had husks here, or visited. The one that is killed first may be gone before the proxy tells of the signal. */
  private places = new Map<number, ReadonlyMap<number, NodeId>>();

  constructor(families: NodeFamilies, post: SignalPost) {
    this.families = families;
    this.post = post;
  }

  /** The group that a proxy stands for; undefined when the process is none. */
  groupOf(proxy: number): number | undefined {
    for (const [group, pid] of this.proxies) if (pid === proxy) return group;
    return undefined;
  }

  /** Makes and removes proxies as the groups need them. */
  async refresh(): Promise<void> {
    const { present, visitors, arriving, keeper } = this.families;
    if (present.size + visitors.size + this.proxies.size === 0) return;
    const husks = [...present].filter((pid) => !arriving.has(pid));
    this.proxies = await keeper.do('proxies', husks, [...visitors], this.proxies);
    this.places = new Map([...this.proxies.keys()].map((group) => [group, this.placesOf(group)]));
  }

  private placesOf(group: number): ReadonlyMap<number, NodeId> {
    const { families } = this;
    const places = new Map(this.places.get(group));
    for (const pid of this.membersOf(group)) {
      if (families.present.has(pid) && families.isHome(pid)) places.set(pid, families.directory.nodeOf(pid));
      else if (families.present.has(pid) || families.visitors.has(pid)) places.set(pid, families.options.homeOf(pid));
    }
    return places;
  }

  /** A proxy has recorded a signal: the group's members here, husks included, have got it. */
  sent(group: number, information: Uint8Array): void {
    const broadcast = randomUUID();
    this.post.note(broadcast);
    const reached = this.membersOf(group);
    const signal: GroupSignal = { kind: 'group-signal', pid: group, to: 'home', group, reached, information, broadcast };
    this.spread(signal);
    for (const [pid, node] of this.places.get(group) ?? []) {
      const isGone = !reached.includes(pid) && node !== this.families.node;
      if (!isGone) continue;
      if (this.families.isHome(pid)) this.families.outbox.put(node, { ...signal, pid, to: 'process' });
      else this.families.tellHome(pid, { ...signal, pid, to: 'home' });
    }
  }

  /** On its way to the process that it names, or to the home of that, or there. */
  take(signal: GroupSignal, from: NodeId): void {
    const { families } = this;
    const { pid } = signal;
    const node = families.isHome(pid) ? families.directory.nodeOf(pid) : families.options.homeOf(pid);
    const isThere = from !== families.node && (signal.to === 'home' || !families.isHome(pid) || node === families.node);
    if (isThere) this.came(signal);
    else if (families.isHomeless(pid)) families.tellHome(pid, signal);
    else if (node !== families.node) families.outbox.put(node, signal);
  }

  /** The members here that it has not reached get the signal, and further nodes hear of it. */
  private came(signal: GroupSignal): void {
    const { group, reached, information, broadcast } = signal;
    if (!this.post.note(broadcast)) return;
    this.spread(signal);
    const elsewhere = new Set(reached);
    for (const pid of this.membersOf(group)) {
      if (!elsewhere.has(pid) && !this.families.present.has(pid)) void this.post.bring(pid, { information, broadcast });
    }
  }

  /** To the nodes of the members that have husks here, and to the homes of those that visit. */
  private spread(signal: GroupSignal): void {
    const { families } = this;
    for (const pid of this.membersOf(signal.group)) {
      if (families.present.has(pid)) this.take({ ...signal, pid, to: 'process' }, families.node);
      else if (families.visitors.has(pid)) families.tellHome(pid, { ...signal, pid, to: 'home' });
    }
  }

  private membersOf(group: number): number[] {
    const members = this.families.table.all().filter((member) => member.group === group && member.ended === undefined);
    return members.map(({ pid }) => pid).filter((pid) => this.groupOf(pid) === undefined);
  }
}
