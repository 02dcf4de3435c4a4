import type { ProcessEntry } from '../../node/api/index.ts';
import { isUnicode } from '../locale.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatCpuTime, formatTable, outputWidth, printJson } from '../output.ts';
import type { Column } from '../output.ts';
import { parsePid } from '../pids.ts';
import { processFilter } from '../process-filters.ts';
import type { FilterOptions } from '../process-filters.ts';
import { ancestors, LETTERS, LINES, treeRows } from '../process-tree.ts';
import type { TreeRow } from '../process-tree.ts';
import { userNames } from '../users.ts';
import { namedNodes } from './ps.ts';

export interface TreeOptions extends CommonOptions, Pick<FilterOptions, 'user'> {
  readonly node?: string;
  /** Also those above the process that was named. */
  readonly showParents?: boolean;
  readonly ascii?: boolean;
}

/** A process as JSON shows it, its children below it. */
interface Family extends ProcessEntry {
  readonly children: readonly Family[];
}

/** Families over all nodes; exit status 1 when a pid was named and does not exist. */
export async function tree(word: string | undefined, options: TreeOptions): Promise<number> {
  const pid = word === undefined ? undefined : parsePid(word);
  const isMeant = processFilter(options, namedNodes(options));
  const all = await nodeClient(options).processes();
  const entries = chosen(all, pid, isMeant, options.showParents === true);
  const root = pid === undefined ? undefined : options.showParents === true ? entries[0]?.pid : pid;
  const branches = options.ascii === true || !isUnicode() ? LETTERS : LINES;
  const rows = pid !== undefined && root === undefined ? [] : treeRows(entries, branches, root);
  if (options.json === true) printJson(families(rows));
  else if (rows.length > 0 || pid === undefined) process.stdout.write(formatTable(columns(), rows, outputWidth()));
  return pid !== undefined && rows.length === 0 ? 1 : 0;
}

/** Who is meant, and who stands above them, so that nobody is torn from the family. */
function chosen(
  all: readonly ProcessEntry[],
  pid: number | undefined,
  isMeant: (entry: ProcessEntry) => boolean,
  withParents: boolean,
): readonly ProcessEntry[] {
  const kept = new Set<number>();
  for (const entry of all) if (isMeant(entry)) for (const each of ancestors(all, entry.pid)) kept.add(each.pid);
  if (pid === undefined || !withParents) return all.filter((entry) => kept.has(entry.pid));
  const line = ancestors(all, pid);
  const below = new Set(treeRows(all, LETTERS, pid).map(({ entry }) => entry.pid));
  const above = line.filter((entry) => !below.has(entry.pid));
  return [...above, ...all.filter((entry) => below.has(entry.pid) && kept.has(entry.pid))];
}

function columns(): readonly Column<TreeRow<ProcessEntry>>[] {
  const nameOf = userNames();
  return [
    { title: 'PID', align: 'right', value: ({ entry }) => String(entry.pid) },
    { title: 'NODE', value: ({ entry }) => entry.node },
    { title: 'USER', value: ({ entry }) => nameOf(entry.uid) },
    { title: 'S', value: ({ entry }) => entry.state },
    { title: 'TIME', align: 'right', value: ({ entry }) => formatCpuTime(entry.cpuTimeMilliseconds) },
    { title: 'COMMAND', value: ({ entry, branch }) => `${branch}${entry.command}` },
  ];
}

/** The rows again as they hang together. */
function families(rows: readonly TreeRow<ProcessEntry>[]): Family[] {
  const roots: Family[] = [];
  const line: Family[][] = [roots];
  for (const { entry, depth } of rows) {
    const family = { ...entry, children: [] as Family[] };
    line[depth]?.push(family);
    line[depth + 1] = family.children;
  }
  return roots;
}
