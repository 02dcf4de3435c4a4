/** Families of processes, over all nodes, as a tree. */

interface Related {
  readonly pid: number;
  readonly ppid: number;
}

export interface TreeRow<Entry> {
  readonly entry: Entry;
  /** Generations above it that are shown. */
  readonly depth: number;
  /** What is drawn before it. */
  readonly branch: string;
}

/** How branches are drawn. */
export interface Branches {
  readonly child: string;
  readonly lastChild: string;
  readonly passing: string;
  readonly blank: string;
}

export const LINES: Branches = { child: '├─ ', lastChild: '└─ ', passing: '│  ', blank: '   ' };
export const LETTERS: Branches = { child: '|- ', lastChild: '`- ', passing: '|  ', blank: '   ' };

/**
 * Each process under its parent, brothers in the order in which they come; whose parent is not among them stands at the left.
 * @param only the family of this process
 */
export function treeRows<Entry extends Related>(entries: readonly Entry[], branches: Branches, only?: number): TreeRow<Entry>[] {
  const known = new Set(entries.map(({ pid }) => pid));
  const children = Map.groupBy(entries, ({ pid, ppid }) => (known.has(ppid) && ppid !== pid ? ppid : 0));
  const rows: TreeRow<Entry>[] = [];
  const drawn = new Set<number>();
  const draw = (entry: Entry, depth: number, before: string, last: boolean): void => {
    // Pids that come again while a list is put together can make rings.
    if (drawn.has(entry.pid)) return;
    drawn.add(entry.pid);
    rows.push({ entry, depth, branch: depth === 0 ? '' : before + (last ? branches.lastChild : branches.child) });
    const below = depth === 0 ? '' : before + (last ? branches.blank : branches.passing);
    const own = children.get(entry.pid) ?? [];
    for (const [index, child] of own.entries()) draw(child, depth + 1, below, index === own.length - 1);
  };
  const roots = only === undefined ? (children.get(0) ?? []) : entries.filter(({ pid }) => pid === only);
  for (const root of roots) draw(root, 0, '', true);
  return rows;
}

/** A process and those above it, the oldest first. */
export function ancestors<Entry extends Related>(entries: readonly Entry[], pid: number): Entry[] {
  const byPid = new Map(entries.map((entry) => [entry.pid, entry]));
  const line: Entry[] = [];
  for (let entry = byPid.get(pid); entry !== undefined && !line.includes(entry); entry = byPid.get(entry.ppid)) line.unshift(entry);
  return line;
}
