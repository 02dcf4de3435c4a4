/** The columns that a list of processes can have, for `krg ps -o` and `--sort`: named as ps(1) names them. */
import { basename } from 'node:path';
import { KorriganError } from '../linux/errors.ts';
import type { ProcessEntry } from '../node/api/index.ts';
import { formatCpuTime, formatStart } from './output.ts';
import type { Column } from './output.ts';

/** What cells need besides the process. */
export interface ColumnContext {
  readonly now: number;
  readonly nameOf: (uid: number) => string;
  /** Memory of the machine that a node runs on; undefined when it is not known. */
  readonly memoryOf: (node: string) => number | undefined;
}

interface KnownColumn {
  readonly title: string;
  readonly align?: 'right';
  readonly means: string;
  readonly text: (entry: ProcessEntry, context: ColumnContext) => string;
  /** What is compared when it is sorted by; the text when there is none. */
  readonly key?: (entry: ProcessEntry, context: ColumnContext) => number | string;
}

const KIBIBYTE = 1024;

const number = (title: string, means: string, value: (entry: ProcessEntry) => number): KnownColumn => ({
  title,
  align: 'right',
  means,
  text: (entry) => String(value(entry)),
  key: value,
});

/** Since the process was started on its node, as ps(1) shows it: 100 is one processor. */
export function processorShare({ cpuTimeMilliseconds, startedAt }: ProcessEntry, now: number): number {
  return (100 * cpuTimeMilliseconds) / Math.max(10, now - startedAt);
}

/** The name of the program: of its file where the command line says it. */
export function programName({ command }: Pick<ProcessEntry, 'command'>): string {
  const [first = ''] = command.split(' ');
  return first.startsWith('[') ? first.slice(1, -1) : basename(first.replace(/^-/, '').replace(/:$/, ''));
}

const memoryShare = (entry: ProcessEntry, { memoryOf }: ColumnContext): number | undefined => {
  const total = memoryOf(entry.node);
  return total === undefined ? undefined : (100 * entry.residentBytes) / total;
};

export const PROCESS_COLUMNS = {
  pid: number('PID', 'of the process, cluster-wide', ({ pid }) => pid),
  ppid: number('PPID', 'of its parent', ({ ppid }) => ppid),
  pgid: number('PGID', 'its process group', ({ processGroup }) => processGroup),
  sid: number('SID', 'its session', ({ session }) => session),
  node: { title: 'NODE', means: 'where it runs', text: ({ node }) => node },
  user: { title: 'USER', means: 'whose it is', text: ({ uid }, { nameOf }) => nameOf(uid) },
  uid: number('UID', 'the same as a number', ({ uid }) => uid),
  s: { title: 'S', means: 'state: R runs, S sleeps, D waits for a disk, T stopped, Z zombie', text: ({ state }) => state },
  tty: { title: 'TTY', means: 'its terminal', text: ({ terminal }) => terminal ?? '?' },
  start: {
    title: 'START',
    align: 'right',
    means: 'when it was started on its node',
    text: ({ startedAt }, { now }) => formatStart(startedAt, now),
    key: ({ startedAt }) => startedAt,
  },
  etime: {
    title: 'ELAPSED',
    align: 'right',
    means: 'how long ago that was',
    text: ({ startedAt }, { now }) => formatCpuTime(Math.max(0, now - startedAt)),
    key: ({ startedAt }) => -startedAt,
  },
  time: {
    title: 'TIME',
    align: 'right',
    means: 'processor time on its node',
    text: ({ cpuTimeMilliseconds }) => formatCpuTime(cpuTimeMilliseconds),
    key: ({ cpuTimeMilliseconds }) => cpuTimeMilliseconds,
  },
  ni: number('NI', 'nice value', ({ nice }) => nice),
  nlwp: number('NLWP', 'threads', ({ threads }) => threads),
  rss: number('RSS', 'memory that is resident, KiB', ({ residentBytes }) => Math.round(residentBytes / KIBIBYTE)),
  vsz: number('VSZ', 'memory that is mapped, KiB', ({ virtualBytes }) => Math.round(virtualBytes / KIBIBYTE)),
  '%cpu': {
    title: '%CPU',
    align: 'right',
    means: 'processor time for each second since its start',
    text: (entry, { now }) => processorShare(entry, now).toFixed(1),
    key: (entry, { now }) => processorShare(entry, now),
  },
  '%mem': {
    title: '%MEM',
    align: 'right',
    means: "share of its node's memory that is resident",
    text: (entry, context) => memoryShare(entry, context)?.toFixed(1) ?? '-',
    key: (entry, context) => memoryShare(entry, context) ?? 0,
  },
  kind: { title: 'KIND', means: 'process, or husk of one that runs elsewhere', text: ({ kind }) => kind },
  comm: { title: 'COMM', means: 'name of the program', text: programName },
  args: { title: 'COMMAND', means: 'command line', text: ({ command }) => command },
} as const satisfies Readonly<Record<string, KnownColumn>>;

export type ColumnName = keyof typeof PROCESS_COLUMNS;

const ALIASES: Readonly<Record<string, ColumnName>> = {
  pcpu: '%cpu',
  cpu: '%cpu',
  pmem: '%mem',
  mem: '%mem',
  pgrp: 'pgid',
  sess: 'sid',
  session: 'sid',
  state: 's',
  stat: 's',
  tt: 'tty',
  tname: 'tty',
  nice: 'ni',
  thcount: 'nlwp',
  threads: 'nlwp',
  rssize: 'rss',
  vsize: 'vsz',
  cputime: 'time',
  euser: 'user',
  uname: 'user',
  euid: 'uid',
  lstart: 'start',
  cmd: 'args',
  command: 'args',
  ucmd: 'comm',
};

/** @throws KorriganError KRG_USAGE that names what there is */
export function columnName(text: string): ColumnName {
  const name = text.toLowerCase();
  if (Object.hasOwn(PROCESS_COLUMNS, name)) return name as ColumnName;
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (alias !== undefined) return alias;
  const known = Object.keys(PROCESS_COLUMNS).join(', ');
  throw new KorriganError('KRG_USAGE', `there is no column "${text}"; there are ${known}`);
}

/** `pid,node,args`, also with blanks. @throws KorriganError KRG_USAGE */
export function parseColumns(text: string): ColumnName[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(columnName);
}

export function tableColumns(names: readonly ColumnName[], context: ColumnContext): Column<ProcessEntry>[] {
  return names.map((name) => {
    const column: KnownColumn = PROCESS_COLUMNS[name];
    const { title, align, text } = column;
    return { title, ...(align === undefined ? {} : { align }), value: (entry) => text(entry, context) };
  });
}

export interface SortKey {
  readonly column: ColumnName;
  readonly descending: boolean;
}

/** `-rss,+pid`: a minus before a name sorts downwards, as for ps(1). @throws KorriganError KRG_USAGE */
export function parseSortKeys(text: string): SortKey[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((word) => ({ column: columnName(word.replace(/^[+-]/, '')), descending: word.startsWith('-') }));
}

/** In the order of the keys; those that are alike, by pid. */
export function sortProcesses<Entry extends ProcessEntry>(
  entries: readonly Entry[],
  keys: readonly SortKey[],
  context: ColumnContext,
): Entry[] {
  const valueOf = (entry: Entry, name: ColumnName): number | string => {
    const { key, text }: KnownColumn = PROCESS_COLUMNS[name];
    return (key ?? text)(entry, context);
  };
  return entries.toSorted((a, b) => {
    for (const { column, descending } of keys) {
      const order = compare(valueOf(a, column), valueOf(b, column));
      if (order !== 0) return descending ? -order : order;
    }
    return a.pid - b.pid;
  });
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en');
}
