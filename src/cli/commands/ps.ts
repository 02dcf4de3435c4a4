import type { ProcessEntry } from '../../node/api/index.ts';
import { findNode } from '../../node/api/index.ts';
import { describedCluster, nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatCpuTime, formatStart, formatTable, outputWidth, printJson } from '../output.ts';
import type { Column } from '../output.ts';
import { parsePid } from '../pids.ts';
import { userNames } from '../users.ts';

export interface PsOptions extends CommonOptions {
  readonly node?: string;
  readonly husks?: boolean;
}

/** The processes of the cluster; exit status 1 when pids were named and none of them exists. */
export async function ps(words: readonly string[], options: PsOptions): Promise<number> {
  const pids = new Set(words.map(parsePid));
  const node = options.node === undefined ? undefined : findNode(describedCluster(options).nodes, options.node).name;
  const all = await nodeClient(options).processes({ husks: options.husks === true });
  const shown = all.filter((entry) => (pids.size === 0 || pids.has(entry.pid)) && (node === undefined || entry.node === node));
  if (options.json === true) printJson(shown);
  else process.stdout.write(formatTable(columns(options.husks === true), shown, outputWidth()));
  return pids.size > 0 && shown.length === 0 ? 1 : 0;
}

function columns(withKind: boolean): readonly Column<ProcessEntry>[] {
  const nameOf = userNames();
  const now = Date.now();
  const kind: Column<ProcessEntry> = { title: 'KIND', value: (entry) => entry.kind };
  return [
    { title: 'PID', align: 'right', value: (entry) => String(entry.pid) },
    { title: 'PPID', align: 'right', value: (entry) => String(entry.ppid) },
    { title: 'NODE', value: (entry) => entry.node },
    { title: 'USER', value: (entry) => nameOf(entry.uid) },
    ...(withKind ? [kind] : []),
    { title: 'S', value: (entry) => entry.state },
    { title: 'TTY', value: (entry) => entry.terminal ?? '?' },
    { title: 'START', align: 'right', value: (entry) => formatStart(entry.startedAt, now) },
    { title: 'TIME', align: 'right', value: (entry) => formatCpuTime(entry.cpuTimeMilliseconds) },
    { title: 'RSS', align: 'right', value: (entry) => String(Math.round(entry.residentBytes / 1024)) },
    { title: 'COMMAND', value: (entry) => entry.command },
  ];
}
