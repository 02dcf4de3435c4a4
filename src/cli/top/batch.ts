/** `krg top` for scripts: tables one after the other, or JSON. */
import type { ClusterEvent } from '../../node/api/index.ts';
import { formatBytes, formatTable, printable } from '../output.ts';
import type { Column } from '../output.ts';
import { columnsFor } from './columns.ts';
import type { TopNode } from './model.ts';
import { rowsOf, type Row } from './rows.ts';
import type { TopState } from './state.ts';
import { headLine } from './view-edges.ts';
import { plainText } from './text.ts';

/** Wider than all columns: the command takes what it needs. */
const ALL_COLUMNS = 200;

/** @param now milliseconds since the epoch @param width lines are cut here */
export function batchText(state: TopState, now: number, width: number): string {
  const { picture, events } = state;
  if (picture === undefined) return '';
  const columns = columnsFor(state, ALL_COLUMNS).map(
    ({ title, align, text }): Column<Row> => ({ title, align, value: (row) => text(row) }),
  );
  const told = events.map(({ time, node, message }) => `${new Date(time).toTimeString().slice(0, 8)} ${node} ${printable(message)}\n`);
  return [
    `${plainText(headLine({ ...state, size: { columns: ALL_COLUMNS, rows: 1 } }, now))}\n`,
    formatTable(NODE_COLUMNS, picture.nodes, width),
    '\n',
    formatTable(columns, rowsOf(state), width),
    ...(told.length > 0 ? ['\n', ...told] : []),
    '\n',
  ].join('');
}

/** One line of JSON. */
export function batchJson(state: TopState): string {
  const { picture } = state;
  const events: readonly ClusterEvent[] = state.events;
  if (picture === undefined) return '';
  const { time, cluster, node } = picture;
  const nodes = picture.nodes.map(({ name, state: nodeState, processes, running, figures }) => ({
    name,
    state: nodeState,
    processes,
    running,
    ...figures,
  }));
  return `${JSON.stringify({ time, cluster, node, nodes, processes: rowsOf(state).map(({ process }) => process), events })}\n`;
}

const NODE_COLUMNS: readonly Column<TopNode>[] = [
  { title: 'NODE', value: ({ name }) => name },
  { title: 'STATE', value: ({ state }) => state },
  { title: '%CPU', align: 'right', value: ({ figures }) => figures?.cpu.toFixed(1) ?? '-' },
  { title: '%OWN', align: 'right', value: ({ figures }) => figures?.own.toFixed(1) ?? '-' },
  { title: 'LOAD', align: 'right', value: ({ figures }) => figures?.loadAverage[0].toFixed(2) ?? '-' },
  { title: 'USED', align: 'right', value: ({ figures }) => (figures === null ? '-' : formatBytes(figures.memoryUsedBytes)) },
  { title: 'MEMORY', align: 'right', value: ({ figures }) => (figures === null ? '-' : formatBytes(figures.memoryTotalBytes)) },
  { title: 'PROC', align: 'right', value: ({ processes }) => String(processes) },
  { title: 'RUN', align: 'right', value: ({ running }) => String(running) },
];
