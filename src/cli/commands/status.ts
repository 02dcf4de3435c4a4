import { styleText } from 'node:util';
import type { ClusterDescription, NodeStatus } from '../../node/api/index.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatBytes, formatTable, outputWidth, printJson } from '../output.ts';
import type { Column } from '../output.ts';

/** The nodes of the cluster and how they are. */
export async function status(options: CommonOptions): Promise<number> {
  const answer = await nodeClient(options).status();
  if (options.json === true) {
    printJson(answer);
    return 0;
  }
  const online = answer.nodes.filter((node) => node.state === 'online').length;
  process.stdout.write(`cluster ${answer.cluster}: ${online} of ${answer.nodes.length} nodes online, Korrigan ${answer.version}\n`);
  process.stdout.write(formatTable(STATUS_COLUMNS, answer.nodes, outputWidth()));
  return 0;
}

const STATUS_COLUMNS: readonly Column<NodeStatus>[] = [
  { title: 'ID', align: 'right', value: (node) => String(node.id) },
  { title: 'NODE', value: (node) => node.name },
  { title: 'STATE', value: (node) => node.state, style: (text, node) => styleText(node.state === 'online' ? 'green' : 'red', text) },
  { title: 'ADDRESS', value: (node) => node.address },
  { title: 'PROCESSES', align: 'right', value: (node) => String(node.daemon?.processes ?? '-') },
  { title: 'LOAD', align: 'right', value: (node) => node.daemon?.loadAverage[0].toFixed(2) ?? '-' },
  { title: 'FREE', align: 'right', value: ({ daemon }) => (daemon === null ? '-' : formatBytes(daemon.memory.availableBytes)) },
  { title: 'KRGD', align: 'right', value: (node) => String(node.daemon?.pid ?? '-') },
  { title: 'PID 1', align: 'right', value: (node) => String(node.daemon?.containerPid ?? '-') },
];

/** What `krg up` prints: where the nodes are. */
export function printNodes({ cluster, nodes }: ClusterDescription): void {
  const up = nodes.filter(({ pid }) => pid !== null).length;
  process.stdout.write(`cluster ${cluster}: ${up === nodes.length ? '' : `${up} of `}${nodes.length} nodes up\n`);
  process.stdout.write(
    formatTable(
      [
        { title: 'ID', align: 'right', value: (node) => String(node.id) },
        { title: 'NODE', value: (node) => node.name },
        { title: 'ADDRESS', value: (node) => node.address },
        { title: 'KRGD', align: 'right', value: (node) => String(node.pid ?? '-') },
        { title: 'SOCKET', value: (node) => node.socket },
      ],
      nodes,
      outputWidth(),
    ),
  );
}
