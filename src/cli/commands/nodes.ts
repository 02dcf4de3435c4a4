import { styleText } from 'node:util';
import type { NodeStatus } from '../../node/api/index.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatTable, outputWidth, printJson } from '../output.ts';
import type { Column } from '../output.ts';

/** A node as scripts see it. */
interface ListedNode extends Pick<NodeStatus, 'id' | 'name' | 'address' | 'state'> {
  /** Of its daemon; null, as all that follows, when that does not answer. */
  readonly pid: number | null;
  readonly version: string | null;
  /** Over the last minute. */
  readonly load: number | null;
}

/** The nodes of the cluster: who they are, and what they have to do with it. */
export async function nodes(options: CommonOptions): Promise<number> {
  const listed = (await nodeClient(options).status()).nodes.map(listedNode);
  if (options.json === true) printJson(listed);
  else process.stdout.write(formatTable(COLUMNS, listed, outputWidth()));
  return 0;
}

export function listedNode({ id, name, address, port, state, daemon }: NodeStatus): ListedNode {
  const { pid = null, version = null, loadAverage: [load = null] = [] } = daemon ?? {};
  return { id, name, address: `${address}:${port}`, state, pid, version, load };
}

const COLOURS: Readonly<Partial<Record<NodeStatus['state'], 'green' | 'yellow' | 'red'>>> = {
  online: 'green',
  leaving: 'yellow',
  unreachable: 'red',
  dead: 'red',
};

const COLUMNS: readonly Column<ListedNode>[] = [
  { title: 'ID', align: 'right', value: ({ id }) => String(id) },
  { title: 'NODE', value: ({ name }) => name },
  { title: 'ADDRESS', value: ({ address }) => address },
  { title: 'STATE', value: ({ state }) => state, style: (text, { state }) => styleText(COLOURS[state] ?? 'reset', text) },
  { title: 'KRGD', align: 'right', value: ({ pid }) => String(pid ?? '-') },
  { title: 'VERSION', value: ({ version }) => version ?? '-' },
  { title: 'LOAD', align: 'right', value: ({ load }) => load?.toFixed(2) ?? '-' },
];
