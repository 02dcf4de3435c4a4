/**
 * What the home of processes knows about those that concern other nodes: where each runs, and which nodes have a husk of it. Pure.
 */
import type { NodeId } from '../rpc/index.ts';

interface Entry {
  /** Where the process runs. */
  node: NodeId;
  /** Other nodes with a husk; the home's own is not among them. */
  readonly holders: Set<NodeId>;
}

export class Directory {
  private readonly home: NodeId;
  private readonly entries = new Map<number, Entry>();

  /** @param home this node */
  constructor(home: NodeId) {
    this.home = home;
  }

  /** Where a process of this home runs. */
  nodeOf(pid: number): NodeId {
    return this.entries.get(pid)?.node ?? this.home;
  }

  /** Processes that run elsewhere. */
  get away(): { pid: number; node: NodeId }[] {
    return [...this.entries].flatMap(([pid, { node }]) => (node === this.home ? [] : [{ pid, node }]));
  }

  /** @param from the node that it left, and where a husk stays */
  moved(pid: number, from: NodeId, to: NodeId): void {
    const entry = this.entry(pid);
    entry.node = to;
    entry.holders.add(from);
    entry.holders.delete(to);
    this.settle(pid, entry);
  }

  held(pid: number, by: NodeId): void {
    const entry = this.entry(pid);
    entry.holders.add(by);
    this.settle(pid, entry);
  }

  dropped(pid: number, by: NodeId): void {
    const entry = this.entries.get(pid);
    if (entry === undefined) return;
    entry.holders.delete(by);
    this.settle(pid, entry);
  }

  /** Every node but one that has the process or a husk of it, the home included. */
  others(pid: number, without: NodeId): NodeId[] {
    const entry = this.entries.get(pid);
    if (entry === undefined) return without === this.home ? [] : [this.home];
    return [...new Set([this.home, entry.node, ...entry.holders])].filter((node) => node !== without);
  }

  /** Nodes have gone. Where processes run that were there is not known: as if they were at home. */
  forgetNodes(isLiving: (node: NodeId) => boolean): void {
    for (const [pid, entry] of this.entries) {
      if (!isLiving(entry.node)) entry.node = this.home;
      for (const holder of entry.holders) if (!isLiving(holder)) entry.holders.delete(holder);
      this.settle(pid, entry);
    }
  }

  /** Does it concern other nodes? */
  has(pid: number): boolean {
    return this.entries.has(pid);
  }

  forget(pid: number): void {
    this.entries.delete(pid);
  }

  private entry(pid: number): Entry {
    const known = this.entries.get(pid);
    if (known !== undefined) return known;
    const entry: Entry = { node: this.home, holders: new Set() };
    this.entries.set(pid, entry);
    return entry;
  }

  private settle(pid: number, entry: Entry): void {
    entry.holders.delete(this.home);
    entry.holders.delete(entry.node);
    if (entry.node === this.home && entry.holders.size === 0) this.entries.delete(pid);
  }
}
