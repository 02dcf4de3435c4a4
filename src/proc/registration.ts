/** Which nodes have a husk of a process: told to its home, and kept there. */
import { KorriganError } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { holdCall } from './messages.ts';
import type { News } from './news.ts';
import type { NodeFamilies } from './node-families.ts';

export class Registration {
  private readonly families: NodeFamilies;
  private readonly news: News;

  constructor(families: NodeFamilies, news: News) {
    this.families = families;
    this.news = news;
    families.options.rpc.handle(holdCall, ({ pids }, { caller }) => this.heldElsewhere(pids, caller));
  }

  /**
   * Tells the homes of new husks. Nobody would tell this node that they are to be collected when they were before: they go at once.
   * @throws KorriganError KRG_PROCESS_BUSY when a relative has just ended
   */
  async register(pids: readonly number[]): Promise<void> {
    const { outbox, present, directory, node, options } = this.families;
    const answers = await Promise.all(
      [...Map.groupBy(pids, options.homeOf)].map(async ([home, members]) => {
        // Whoever was born here and runs here would have been found.
        if (home === node) return { ended: [], collected: members.filter((pid) => directory.nodeOf(pid) === node) };
        if (!options.isLiving(home)) return { ended: [], collected: [] };
        await outbox.flushed(home);
        return options.rpc.call(home, holdCall, { pids: members }, this.families.once());
      }),
    );
    const collected = answers.flatMap((answer) => answer.collected);
    await this.unmake(collected);
    const [first] = [...collected, ...answers.flatMap(({ ended }) => ended).filter((pid) => present.has(pid))];
    if (first !== undefined) throw new KorriganError('KRG_PROCESS_BUSY', `process ${first}, a relative, has just ended; try again`);
  }

  /** Husks of processes that are nowhere any more. */
  private async unmake(pids: readonly number[]): Promise<void> {
    const { present, keeper } = this.families;
    for (const pid of pids) {
      if (present.delete(pid)) {
        await keeper.do('discard', [pid]);
      } else {
        this.news.collecting.add(pid);
        await keeper.do('collect', pid);
      }
    }
  }

  /** Watched first and looked at then: whoever is collected in between is found missing, or heard of. */
  private async heldElsewhere(pids: readonly number[], by: NodeId): Promise<{ ended: number[]; collected: number[] }> {
    const { directory, keeper, table, node, options } = this.families;
    for (const pid of pids) directory.held(pid, by);
    await keeper.do(
      'watch',
      pids.filter((pid) => directory.nodeOf(pid) === node),
    );
    const collected = pids.filter((pid) => options.container.hostPidOf(pid) === undefined);
    for (const pid of collected) directory.dropped(pid, by);
    return { ended: pids.filter((pid) => table.find(pid)?.ended !== undefined), collected };
  }
}
