/** Which processes are listed, in which order. Pure. */
import { programName } from '../process-columns.ts';
import { LETTERS, LINES, treeRows } from '../process-tree.ts';
import type { TopProcess } from './model.ts';
import type { SortColumn, TopState } from './state.ts';

export interface Row {
  readonly process: TopProcess;
  /** What is drawn before its command. */
  readonly branch: string;
}

type Chosen = Pick<TopState, 'picture' | 'sort' | 'descending' | 'isTree' | 'filter' | 'user' | 'node' | 'nameOf' | 'style'>;

export function rowsOf(state: Chosen): readonly Row[] {
  const { picture, isTree, user, node, filter } = state;
  const wanted = filter.toLowerCase();
  const meant = (picture?.processes ?? []).filter(
    (entry) =>
      (user === undefined || entry.uid === user) &&
      (node === undefined || entry.node === node) &&
      (wanted === '' || entry.command.toLowerCase().includes(wanted) || String(entry.pid) === wanted),
  );
  const sorted = sortProcesses(meant, state);
  if (!isTree) return sorted.map((process) => ({ process, branch: '' }));
  return treeRows(sorted, state.style.unicode ? LINES : LETTERS).map(({ entry, branch }) => ({ process: entry, branch }));
}

function sortProcesses(processes: readonly TopProcess[], { sort, descending, nameOf }: Chosen): TopProcess[] {
  const sign = descending ? -1 : 1;
  const value = VALUES[sort];
  return processes.toSorted((a, b) => {
    const [left, right] = [value(a, nameOf), value(b, nameOf)];
    const order = typeof left === 'number' && typeof right === 'number' ? left - right : String(left).localeCompare(String(right), 'en');
    return order === 0 ? a.pid - b.pid : sign * order;
  });
}

const VALUES: Readonly<Record<SortColumn, (process: TopProcess, nameOf: (uid: number) => string) => number | string>> = {
  cpu: ({ cpu }) => Math.round(cpu * 10),
  memory: ({ residentBytes }) => residentBytes,
  time: ({ cpuTimeMilliseconds }) => cpuTimeMilliseconds,
  pid: ({ pid }) => pid,
  user: ({ uid }, nameOf) => nameOf(uid),
  node: ({ node }) => node,
  state: ({ state }) => state,
  nice: ({ nice }) => nice,
  command: (process) => programName(process),
};
