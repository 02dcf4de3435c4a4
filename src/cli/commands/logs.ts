import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import { clusterName, describedCluster, nodeClient } from '../options.ts';
import { findNode, nodeDirectory } from '../../node/api/index.ts';
import type { CommonOptions } from '../options.ts';
import { printable } from '../output.ts';

export interface LogsOptions extends CommonOptions {
  readonly lines: string;
  readonly follow?: boolean;
}

/** The log of a node's daemon; from its file when the daemon is dead. */
export async function logs(node: string | undefined, options: LogsOptions): Promise<number> {
  const lines = Number(options.lines);
  if (!Number.isInteger(lines) || lines < 0) throw new KorriganError('KRG_USAGE', `--lines takes a number from 0, not "${options.lines}"`);
  const at = node ?? options.at;
  const { nodes } = describedCluster(options);
  const wanted = at === undefined ? nodes[0] : findNode(nodes, at);
  if (wanted === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', 'the cluster has no nodes');
  const print = (line: string): void => {
    process.stdout.write(`${options.json === true ? line : formatLogLine(line)}\n`);
  };
  try {
    const client = nodeClient({ ...options, at: wanted.name });
    for await (const line of client.logs({ lines, follow: options.follow === true })) print(line);
  } catch (error) {
    if (!isKorriganError(error, 'KRG_NO_DAEMON')) throw error;
    const text = readFileSync(join(nodeDirectory(clusterName(options), wanted.id), 'krgd.log'), 'utf8');
    for (const line of text.trimEnd().split('\n').slice(-lines)) print(line);
  }
  return 0;
}

const LEVELS = [
  { from: 50, name: 'ERROR', colour: 'red' },
  { from: 40, name: 'WARN ', colour: 'yellow' },
  { from: 30, name: 'INFO ', colour: 'green' },
  { from: 0, name: 'DEBUG', colour: 'gray' },
] as const;

/** Members of a log line that are not shown as key=value. */
const SHOWN_OTHERWISE = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v']);

/** A line of krgd's JSON log for people; anything else as it is. */
export function formatLogLine(line: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return printable(line);
    throw error;
  }
  if (typeof entry !== 'object' || entry === null) return printable(line);
  const members = entry as Readonly<Record<string, unknown>>;
  const level = LEVELS.find(({ from }) => Number(members['level'] ?? 30) >= from) ?? LEVELS[2];
  const time = new Date(Number(members['time'] ?? 0)).toISOString().slice(11, 23);
  const rest = Object.entries(members).filter(([name]) => !SHOWN_OTHERWISE.has(name));
  const details = rest.map(
    ([name, value]) => ` ${styleText('gray', `${name}=`)}${typeof value === 'string' ? printable(value) : JSON.stringify(value)}`,
  );
  const message = typeof members['msg'] === 'string' ? printable(members['msg']) : '';
  return `${time} ${styleText(level.colour, level.name)} ${message}${details.join('')}`;
}
