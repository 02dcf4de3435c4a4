import { KorriganError } from '../../linux/errors.ts';
import { findNode } from '../../node/api/index.ts';
import type { NodeClient, ProcessEntry } from '../../node/api/index.ts';
import { describedCluster, nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatTable, outputWidth, printJson } from '../output.ts';
import { parsePid } from '../pids.ts';
import { parseColumns, parseSortKeys, sortProcesses, tableColumns } from '../process-columns.ts';
import type { ColumnContext, ColumnName } from '../process-columns.ts';
import { processFilter } from '../process-filters.ts';
import type { FilterOptions } from '../process-filters.ts';
import { userNames } from '../users.ts';

export interface PsOptions extends CommonOptions, FilterOptions {
  /** One or more, with commas between them. */
  readonly node?: string;
  readonly husks?: boolean;
  readonly columns?: string;
  readonly sort?: string;
  /** False: no line of titles. */
  readonly headers?: boolean;
}

const USUAL: readonly ColumnName[] = ['pid', 'ppid', 'node', 'user', 's', 'tty', 'start', 'time', 'rss', 'args'];

/** The processes of the cluster; exit status 1 when pids were named and none of them exists. */
export async function ps(words: readonly string[], options: PsOptions): Promise<number> {
  const [first = ''] = words;
  if (/^-?[A-Za-z]+$/.test(first))
    throw new KorriganError(
      'KRG_USAGE',
      `ps: "${first}" is no pid, and options of ps(1) are not known here: all processes are shown, and -o, -u and --sort do the rest`,
    );
  const pids = new Set(words.flatMap((word) => word.split(',')).map(parsePid));
  const husks = options.husks === true;
  const names = options.columns === undefined ? usualColumns(husks) : parseColumns(options.columns);
  const keys = parseSortKeys(options.sort ?? '');
  const isMeant = processFilter(options, namedNodes(options));
  const client = nodeClient(options);
  const needsMemory = [...names, ...keys.map(({ column }) => column)].includes('%mem');
  const [all, memoryOf] = await Promise.all([client.processes({ husks }), needsMemory ? memories(client) : () => undefined]);
  const context: ColumnContext = { now: Date.now(), nameOf: userNames(), memoryOf };
  const meant = all.filter((entry) => (pids.size === 0 || pids.has(entry.pid)) && isMeant(entry));
  const shown = keys.length === 0 ? meant : sortProcesses(meant, keys, context);
  if (options.json === true) printJson(shown);
  else process.stdout.write(table(shown, names, context, options.headers !== false));
  return pids.size > 0 && shown.length === 0 ? 1 : 0;
}

/** Names of the nodes that `--node` gives. @throws KorriganError KRG_NO_SUCH_NODE */
export function namedNodes(options: CommonOptions & { readonly node?: string }): string[] {
  if (options.node === undefined) return [];
  const { nodes } = describedCluster(options);
  return options.node
    .split(',')
    .filter(Boolean)
    .map((reference) => findNode(nodes, reference).name);
}

function usualColumns(withKind: boolean): readonly ColumnName[] {
  return withKind ? USUAL.flatMap((name) => (name === 'user' ? [name, 'kind' as const] : [name])) : USUAL;
}

function table(entries: readonly ProcessEntry[], names: readonly ColumnName[], context: ColumnContext, headers: boolean): string {
  const text = formatTable(tableColumns(names, context), entries, outputWidth());
  return headers ? text : text.slice(text.indexOf('\n') + 1);
}

async function memories(client: NodeClient): Promise<ColumnContext['memoryOf']> {
  const { nodes } = await client.usage();
  return (name) => nodes.find((node) => node.name === name)?.sample?.memory.totalBytes;
}
