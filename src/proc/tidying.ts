/** Husks that are no longer needed go, and groups get their proxies: after whatever is under way. */
import type { GroupSignals } from './group-signals.ts';
import type { NodeFamilies } from './node-families.ts';

export class Tidying {
  private readonly families: NodeFamilies;
  private readonly groups: GroupSignals;
  private current: Promise<void> | undefined;
  private isRequested = false;

  constructor(families: NodeFamilies, groups: GroupSignals) {
    this.families = families;
    this.groups = groups;
  }

  /** Something has changed. */
  request(): void {
    this.isRequested = true;
    this.current ??= this.run().finally(() => (this.current = undefined));
  }

  /** Resolves when everything that was requested is done. */
  get idle(): Promise<void> {
    return this.current ?? Promise.resolve();
  }

  private async run(): Promise<void> {
    while (this.isRequested && !this.families.isClosed) {
      this.isRequested = false;
      await this.removeSuperfluous().catch((error: unknown) => this.families.complain(error, 'husks could not be removed'));
    }
  }

  private async removeSuperfluous(): Promise<void> {
    const { present, arriving, keeper } = this.families;
    await new Promise((resolve) => setImmediate(resolve));
    const husks = [...present].filter((pid) => !arriving.has(pid));
    const referred = this.families.stillReferred();
    const kept = husks.filter((pid) => this.families.isHome(pid) || referred.has(pid));
    if (kept.length < husks.length) {
      for (const pid of await keeper.do('tidy', { husks, kept, proxies: [...this.groups.proxies.values()] })) {
        present.delete(pid);
        this.families.tellHome(pid, { kind: 'dropped', pid });
      }
    }
    await this.groups.refresh();
  }
}
