/**
 * The files of /proc that tell of a whole machine, made from those of the nodes: one machine with all their processors and all their memory. Processors are numbered
 * over the cluster, as in Kerrighed: node × {@link PROCESSORS_PER_NODE} + processor. Pure. Formats: proc(5), fs/proc, kernel/sched/psi.c.
 */
import type { NodeId } from '../rpc/index.ts';

/** More than the processors of any node. A round number, so that people see the node in `ps -o psr`. */
export const PROCESSORS_PER_NODE = 1000;

export function clusterProcessor(node: NodeId, processor: number): number {
  return node * PROCESSORS_PER_NODE + processor;
}

/** What each node shows; this node's first. */
export type Shown = readonly { readonly node: NodeId; readonly text: string }[];

const texts = (shown: Shown): string[] => shown.map(({ text }) => text);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** Joins lines of a key and numbers that all nodes have, in the order of this node, and after them those that only others have. */
function byKey(
  lists: readonly (readonly string[])[],
  keyOf: (line: string) => string,
  join: (lines: readonly string[], key: string) => string,
): string[] {
  const found = new Map<string, string[]>();
  for (const line of lists.flat()) {
    const key = keyOf(line);
    const lines = found.get(key);
    if (lines === undefined) found.set(key, [line]);
    else lines.push(line);
  }
  return [...found].map(([key, lines]) => join(lines, key));
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const firstWord = (line: string): string => line.slice(0, line.indexOf(' '));

/** Adds up the numbers after the first word, place by place. */
function addNumbers(lines: readonly string[], key: string): string {
  const rows = lines.map((line) => line.split(/\s+/).slice(1).map(Number));
  const width = Math.max(...rows.map((row) => row.length));
  const sums = Array.from({ length: width }, (_, n) => sum(rows.map((row) => row[n] ?? 0)));
  return `${key} ${sums.join(' ')}`;
}

export function clusterCpuinfo(shown: Shown): string {
  const ofNode = ({ node, text }: Shown[number]): string =>
    text.replaceAll(/^(processor\s*: )(\d+)$/gm, (_, head: string, number: string) => `${head}${clusterProcessor(node, Number(number))}`);
  return shown.map(ofNode).join('');
}

/** Sizes that are the same on all nodes and do not add up. */
const UNITS = new Set(['Hugepagesize:', 'VmallocTotal:']);

export function clusterMeminfo(shown: Shown): string {
  const add = (lines: readonly string[], key: string): string => {
    const [first = ''] = lines;
    if (UNITS.has(key)) return first;
    const [, value = '', unit = ''] = /^\S+(\s*\d+)(.*)$/.exec(first) ?? [];
    const total = String(sum(lines.map((line) => Number(line.split(/\s+/)[1]))));
    return key + total.padStart(Math.max(value.length, total.length + 1)) + unit;
  };
  return `${byKey(texts(shown).map(linesOf), firstWord, add).join('\n')}\n`;
}

/** The start of a machine is this node's: the clocks of all containers of a cluster are one clock. */
export function clusterStat(shown: Shown): string {
  const processors = shown.flatMap(({ node, text }) =>
    linesOf(text).flatMap((line) => {
      const number = /^cpu(\d+) /.exec(line)?.[1];
      return number === undefined ? [] : [`cpu${clusterProcessor(node, Number(number))}${line.slice(line.indexOf(' '))}`];
    }),
  );
  const others = texts(shown).map((text) => linesOf(text).filter((line) => !/^cpu\d/.test(line)));
  const joined = byKey(others, firstWord, (lines, key) => {
    if (key === 'btime') return lines[0] ?? '';
    // The summary of all processors is set apart by two blanks.
    return key === 'cpu' ? addNumbers(lines, 'cpu ') : addNumbers(lines, key);
  });
  const [first = '', ...rest] = joined;
  return `${[first, ...processors, ...rest].join('\n')}\n`;
}

export function clusterLoadavg(shown: Shown): string {
  const rows = texts(shown).map((text) => text.trim().split(' '));
  const loads = [0, 1, 2].map((n) => sum(rows.map((row) => Number(row[n]))).toFixed(2));
  const tasks = rows.map((row) => (row[3] ?? '0/0').split('/').map(Number));
  return `${loads.join(' ')} ${sum(tasks.map(([running = 0]) => running))}/${sum(tasks.map(([, all = 0]) => all))} ${rows[0]?.[4] ?? 0}\n`;
}

/** How long the longest has been up, and the idle time of all processors. */
export function clusterUptime(shown: Shown): string {
  const rows = texts(shown).map((text) => text.trim().split(' ').map(Number));
  return `${Math.max(...rows.map(([up = 0]) => up)).toFixed(2)} ${sum(rows.map(([, idle = 0]) => idle)).toFixed(2)}\n`;
}

export function clusterVmstat(shown: Shown): string {
  return `${byKey(texts(shown).map(linesOf), firstWord, addNumbers).join('\n')}\n`;
}

/** The mean of the nodes, of the shares as of the times: what grows by the share of the time that passes. */
export function clusterPressure(shown: Shown): string {
  const mean = (lines: readonly string[], field: string, digits: number): string => {
    const values = lines.map((line) => Number(new RegExp(`${field}=([\\d.]+)`).exec(line)?.[1] ?? 0));
    return `${field}=${(sum(values) / values.length).toFixed(digits)}`;
  };
  const join = (lines: readonly string[], key: string): string =>
    [key, ...['avg10', 'avg60', 'avg300'].map((field) => mean(lines, field, 2)), mean(lines, 'total', 0)].join(' ');
  return `${byKey(texts(shown).map(linesOf), firstWord, join).join('\n')}\n`;
}

/** The stat of a process with its processor numbered over the cluster (field 39). */
export function withClusterProcessor(stat: string, node: NodeId): string {
  return changeField(stat, 39, (processor) => clusterProcessor(node, processor));
}

/**
 * The stat of a process as a reader in another time namespace sees it: its start (field 22) is a time since boot.
 * @param ticks by which the clock there is ahead
 */
export function withStartShifted(stat: string, ticks: number): string {
  return ticks === 0 ? stat : changeField(stat, 22, (start) => start + ticks);
}

/** The name of a command, field 2, may hold blanks and brackets. */
function changeField(stat: string, field: number, change: (value: number) => number): string {
  const start = stat.lastIndexOf(')') + 2;
  const fields = stat.slice(start).split(' ');
  const value = fields[field - 3];
  if (value === undefined) return stat;
  fields[field - 3] = String(change(Number(value)));
  return stat.slice(0, start) + fields.join(' ');
}
