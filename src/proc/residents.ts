/** What is in a container when a daemon comes to it. */
import type { NodeFamilies } from './node-families.ts';
import { INIT_PID } from './relatives.ts';

/** A process or husk that a daemon finds in a container that it adopts. */
export interface Resident {
  readonly pid: number;
  /**
   * `template`: any husk that stands for nobody; `undecided`: on its way to this node or away again, and frozen; `unfinished`: what was to become
   * a husk when its daemon was killed.
   */
  readonly kind: 'process' | 'husk' | 'template' | 'undecided' | 'unfinished';
}

/** Takes note of what is there. @param proxies by group @returns those that stand for nobody any more */
export function adoptResidents(residents: readonly Resident[], families: NodeFamilies, proxies: Map<number, number>): number[] {
  const { present, visitors, arriving, table, keeper } = families;
  const discarded = residents.filter(({ kind }) => kind === 'unfinished').map(({ pid }) => pid);
  let template: number | undefined;
  for (const { pid, kind } of residents) {
    const member = kind === 'template' ? table.find(pid) : undefined;
    const isProxy = member !== undefined && member.session !== INIT_PID;
    // A second one, or one that was made only to make others and is a child of its maker.
    const isLeft = member?.parent !== INIT_PID || (isProxy ? proxies.has(member.group) : template !== undefined);
    if (kind === 'template' && isLeft) discarded.push(pid);
    else if (isProxy) proxies.set(member.group, pid);
    else if (kind === 'template') keeper.adoptTemplate((template = pid));
    else if (kind === 'process' && !families.isHome(pid)) visitors.add(pid);
    if (kind === 'husk' || kind === 'undecided') present.add(pid);
    if (kind === 'husk' && !families.isHome(pid)) families.refer(pid);
    if (kind === 'undecided') arriving.add(pid);
  }
  return discarded;
}
