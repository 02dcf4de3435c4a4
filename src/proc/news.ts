/** What became of processes, passed on from node to node by their homes, and followed by their husks. */
import type { NodeId } from '../rpc/index.ts';
import type { Notice } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';
import { INIT_PID } from './relatives.ts';

type Told = Exclude<Notice, { kind: 'signal' | 'group-signal' }>;

export class News {
  private readonly families: NodeFamilies;
  private readonly onEnded: () => void;
  /** Zombies that husks were told to collect: that is no news. */
  readonly collecting = new Set<number>();

  /** @param onEnded a husk has ended, so that others may no longer be needed */
  constructor(families: NodeFamilies, onEnded: () => void) {
    this.families = families;
    this.onEnded = onEnded;
  }

  /** @param from the node that tells it; what this node tells happened here */
  take(news: Told, from: NodeId): Promise<void> {
    return this.families.inOrder(news.pid, () => this.carryOut(news, from));
  }

  private async carryOut(news: Told, from: NodeId): Promise<void> {
    const { node } = this.families;
    if (this.families.isHome(news.pid)) this.passOn(news, from);
    else if (from === node) this.families.tellHome(news.pid, news);
    if (from !== node) await this.follow(news);
  }

  /** The home tells everybody else, and keeps its own account. */
  private passOn(news: Told, from: NodeId): void {
    const { directory, outbox, node } = this.families;
    if (news.kind === 'dropped') {
      directory.dropped(news.pid, from);
      return;
    }
    for (const other of directory.others(news.pid, from)) if (other !== node) outbox.put(other, news);
    if (news.kind === 'collected') directory.forget(news.pid);
  }

  /** The husk of the parent does it. What collected it elsewhere and is no husk here yet, is about to be one. */
  private async collect(pid: number): Promise<void> {
    const { keeper, table } = this.families;
    for (; !this.families.isClosed; await this.families.again()) {
      this.collecting.add(pid);
      if (await this.families.patiently(() => keeper.do('collect', pid))) return;
      this.collecting.delete(pid);
      const zombie = table.find(pid);
      if (zombie?.ended === undefined || zombie.parent === INIT_PID) return;
    }
  }

  /** A husk here does as its process did. */
  private async follow(news: Told): Promise<void> {
    const { arriving, leaving, present, keeper } = this.families;
    const { pid } = news;
    // What is just becoming a husk, or a process, is in the hand of another thread. It may run, and end, elsewhere before this node has taken note.
    while ((arriving.has(pid) || leaving.has(pid)) && !this.families.isClosed) await this.families.again();
    switch (news.kind) {
      case 'ended':
        if (!present.delete(pid)) return;
        this.families.endHusk(pid);
        await this.families.patiently(() => keeper.do('end', pid, news.status));
        this.onEnded();
        return;
      case 'stopped':
        if (!present.has(pid)) return;
        if (news.signal === 0) await keeper.do('continue', pid);
        else await this.families.patiently(() => keeper.do('stop', pid, news.signal));
        return;
      case 'collected':
        await this.collect(pid);
        return;
      case 'dropped': // for the account of the home only
    }
  }
}
