/** The columns of the list of processes, and which of them a terminal has room for. Pure. */
import { formatBytes } from '../output.ts';
import { programName } from '../process-columns.ts';
import type { Row } from './rows.ts';
import type { SortColumn, TopState } from './state.ts';

export interface TopColumn {
  readonly title: string;
  readonly sort: SortColumn | undefined;
  readonly align: 'left' | 'right';
  readonly width: number;
  readonly text: (row: Row) => string;
}

interface KnownColumn extends TopColumn {
  /** Those with a lower one are left out first. */
  readonly worth: number;
}

/** Columns that the command has at least. */
const LEAST_COMMAND = 16;
const TITLES: Readonly<Record<SortColumn, string>> = {
  cpu: '%CPU',
  memory: '%MEM',
  time: 'TIME',
  pid: 'PID',
  user: 'USER',
  node: 'NODE',
  state: 'S',
  nice: 'NI',
  command: 'COMMAND',
};

export function columnTitle(column: SortColumn): string {
  return TITLES[column];
}

/** The columns for a width of so many; the last one, the command, takes the rest. */
export function columnsFor({ picture, nameOf, wholeCommands }: TopState, width: number): readonly TopColumn[] {
  const processes = picture?.processes ?? [];
  const widest = (texts: readonly string[], least: number, most: number): number =>
    Math.min(most, Math.max(least, ...texts.map(({ length }) => length)));
  const column = (sort: SortColumn, columns: number, worth: number, text: TopColumn['text'], align: 'left' | 'right'): KnownColumn => ({
    title: TITLES[sort],
    sort,
    align,
    width: columns,
    worth,
    text,
  });
  const known: readonly KnownColumn[] = [
    column(
      'pid',
      widest([String(Math.max(0, ...processes.map(({ pid }) => pid)))], 5, 7),
      9,
      ({ process }) => String(process.pid),
      'right',
    ),
    column('user', widest([...new Set(processes.map(({ uid }) => nameOf(uid)))], 4, 10), 4, ({ process }) => nameOf(process.uid), 'left'),
    column('node', widest([...new Set(processes.map(({ node }) => node))], 4, 12), 8, ({ process }) => process.node, 'left'),
    column('state', 1, 5, ({ process }) => process.state, 'left'),
    column('nice', 3, 1, ({ process }) => String(process.nice), 'right'),
    column('cpu', 5, 7, ({ process }) => percent(process.cpu), 'right'),
    column('memory', 4, 2, ({ process }) => percent(process.memory), 'right'),
    { ...column('memory', 9, 3, ({ process }) => formatBytes(process.residentBytes), 'right'), title: 'RSS', sort: undefined },
    column('time', 8, 6, ({ process }) => formatTime(process.cpuTimeMilliseconds), 'right'),
  ];
  const used = (columns: readonly TopColumn[]): number => columns.reduce((sum, each) => sum + each.width + 1, 0);
  const chosen = [...known];
  while (chosen.length > 1 && width - used(chosen) < LEAST_COMMAND) {
    const least = chosen.reduce((worst, each) => (each.worth < worst.worth ? each : worst));
    chosen.splice(chosen.indexOf(least), 1);
  }
  const command: TopColumn = {
    title: TITLES.command,
    sort: 'command',
    align: 'left',
    width: Math.max(0, width - used(chosen)),
    text: ({ process, branch }) => branch + (wholeCommands ? process.command : programName(process)),
  };
  return [...chosen, command];
}

/** In four columns, as long as it is below 10,000. */
function percent(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
}

/** In eight columns: `0:01.23`, `12:34.56`, `1h23:45`, `12d05h`. */
export function formatTime(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${(Math.floor((seconds % 60) * 100) / 100).toFixed(2).padStart(5, '0')}`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds / 3600) % 24)}h`;
}
