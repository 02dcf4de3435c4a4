/** Processes that change their session or group: those on other nodes who see them do so first. */
import type { NodeId } from '../rpc/index.ts';
import { relateCall } from './messages.ts';
import type { NodeFamilies } from './node-families.ts';

/** How long whoever is about to change waits for others. */
const TOLD_MILLISECONDS = 1000;

export class GroupChanges {
  private readonly families: NodeFamilies;
  /** Those that follow a change that was made elsewhere. */
  private readonly following = new Set<number>();

  constructor(families: NodeFamilies) {
    this.families = families;
    families.options.rpc.handle(relateCall, async ({ pid, group }, { caller }) => {
      await this.relate(pid, group, caller);
      return {};
    });
  }

  /** Does the process have husks, or is it one, so that others have to follow it? */
  concernsOthers(pid: number): boolean {
    const { present, visitors, directory } = this.families;
    return !this.following.has(pid) && (present.has(pid) || visitors.has(pid) || directory.has(pid));
  }

  /**
   * Everywhere else the process, or its husk, leads a session of its own (`group` 0) or enters a group, as far as that is possible there: a group none
   * of whose members are known on a node does not exist there.
   * @param from the node where it happens, which does it itself
   */
  async relate(pid: number, group: number, from: NodeId = this.families.node): Promise<void> {
    const { rpc } = this.families.options;
    const told = this.othersOf(pid, from).map((other) => rpc.call(other, relateCall, { pid, group }, { deadlineMs: TOLD_MILLISECONDS }));
    const here = from === this.families.node ? [] : [this.followInto(pid, group)];
    await Promise.all([...here, ...told]).catch((error: unknown) =>
      this.families.complain(error, 'the new group of a process was not told everywhere'),
    );
  }

  private othersOf(pid: number, from: NodeId): NodeId[] {
    const { node, directory, options } = this.families;
    if (this.families.isHome(pid)) return directory.others(pid, from).filter((other) => other !== node);
    if (from !== node) return [];
    return this.families.isHomeless(pid) ? options.rpc.peers.filter(options.isLiving) : [options.homeOf(pid)];
  }

  private async followInto(pid: number, group: number): Promise<void> {
    this.following.add(pid);
    await this.families.patiently(() => this.families.keeper.do('relate', pid, group)).finally(() => this.following.delete(pid));
  }
}
