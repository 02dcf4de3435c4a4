/** The nodes: one line each. Pure. */
import { formatBytes } from '../output.ts';
import type { NodeState } from '../../node/api/index.ts';
import type { NodeFigures, TopNode } from './model.ts';
import { fit, type Line, type Span, type Style } from './text.ts';
import type { TopState } from './state.ts';

const STATES: Readonly<Partial<Record<NodeState, Style>>> = { online: 'good', leaving: 'warning', unreachable: 'bad', dead: 'bad' };
const BUSY_PERCENT = 90;
const STATE_WIDTH = 11;
const LOAD_WIDTH = 6;
const COUNT_WIDTH = 5;
/** Such as `12.3 GiB of 15.6 GiB`. */
const AMOUNT_WIDTH = 20;
const PERCENT_WIDTH = 5;
const LONGEST_BAR = 30;

interface Widths {
  readonly name: number;
  readonly bar: number;
  /** What there is room for. */
  readonly state: boolean;
  readonly amounts: boolean;
  readonly counts: boolean;
}

/** @param lines how many there are, with the title; fewer than nodes: the last one tells of the rest */
export function nodeLines({ picture, style }: TopState, lines: number, columns: number): Line[] {
  if (picture === undefined || lines < 2) return [];
  const { nodes } = picture;
  const widths = widthsFor(nodes, columns);
  const room = lines - 1;
  const shown = nodes.length <= room ? nodes : nodes.slice(0, room - 1);
  const rest = nodes.slice(shown.length);
  const rows = shown.map((node) => nodeLine(node, widths, style.unicode));
  return [title(widths), ...rows, ...(rest.length > 0 ? [restLine(rest)] : [])];
}

function widthsFor(nodes: readonly TopNode[], columns: number): Widths {
  const name = Math.min(14, Math.max(4, ...nodes.map((node) => node.name.length)));
  let left = columns - name - 1 - 2 * (PERCENT_WIDTH + 1) - LOAD_WIDTH - 1;
  const take = (width: number, leaves: number): boolean => {
    if (left - width < leaves) return false;
    left -= width;
    return true;
  };
  const state = take(STATE_WIDTH + 1, 0);
  const counts = take(2 * (COUNT_WIDTH + 1), 10);
  const amounts = take(AMOUNT_WIDTH + 1, 16);
  const bar = left >= 10 ? Math.min(LONGEST_BAR, Math.floor(left / 2) - 1) : 0;
  return { name, state, counts, amounts, bar };
}

function title({ name, bar, state, amounts, counts }: Widths): Line {
  const part = (text: string, width: number, align: 'left' | 'right' = 'left'): string => `${fit(text, width, align)} `;
  const aboveGauge = (text: string): string => (bar > 0 ? part(text, bar) + part('', PERCENT_WIDTH) : part(text, PERCENT_WIDTH, 'right'));
  const text = [
    part('NODE', name),
    state ? part('STATE', STATE_WIDTH) : '',
    aboveGauge('CPU'),
    part('LOAD', LOAD_WIDTH, 'right'),
    aboveGauge('MEMORY'),
    amounts ? part('', AMOUNT_WIDTH) : '',
    counts ? part('PROC', COUNT_WIDTH, 'right') + part('RUN', COUNT_WIDTH, 'right') : '',
  ];
  return [{ text: text.join('').trimEnd(), style: 'title' }];
}

function nodeLine(node: TopNode, widths: Widths, unicode: boolean): Line {
  const { figures } = node;
  const spans: Span[] = [{ text: `${fit(node.name, widths.name)} `, style: 'bold' }];
  if (widths.state) spans.push({ text: `${fit(node.state, STATE_WIDTH)} `, style: STATES[node.state] ?? 'faint' });
  if (figures === null) {
    const state = widths.state ? '' : node.state;
    return [...spans, { text: state, style: STATES[node.state] ?? 'faint' }];
  }
  const memory = figures.memoryTotalBytes === 0 ? 0 : (100 * figures.memoryUsedBytes) / figures.memoryTotalBytes;
  spans.push(...gauge(figures.cpu, Math.min(figures.own, figures.cpu), widths.bar, unicode));
  spans.push({
    text: `${fit(figures.loadAverage[0].toFixed(2), LOAD_WIDTH, 'right')} `,
    style: isOverloaded(figures) ? 'warning' : 'plain',
  });
  spans.push(...gauge(memory, 0, widths.bar, unicode));
  if (widths.amounts) spans.push({ text: `${fit(amountOf(figures), AMOUNT_WIDTH)} `, style: 'faint' });
  if (widths.counts) {
    spans.push({ text: `${fit(String(node.processes), COUNT_WIDTH, 'right')} ` });
    spans.push({ text: fit(String(node.running), COUNT_WIDTH, 'right'), style: node.running > 0 ? 'good' : 'plain' });
  }
  return spans;
}

function isOverloaded({ loadAverage: [load], processors }: NodeFigures): boolean {
  return load > 2 * processors;
}

function amountOf({ memoryUsedBytes, memoryTotalBytes }: NodeFigures): string {
  return `${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryTotalBytes)}`;
}

/** A bar and its percentage. @param own the first part of `value` */
function gauge(value: number, own: number, width: number, unicode: boolean): Span[] {
  const percent: Span = { text: `${fit(`${value.toFixed(0)}%`, PERCENT_WIDTH, 'right')} `, style: value >= BUSY_PERCENT ? 'bad' : 'plain' };
  if (width === 0) return [percent];
  const cells = Math.round((Math.min(100, value) / 100) * width);
  const ownCells = Math.min(cells, Math.round((own / 100) * width));
  const [ownMark, otherMark, blank] = unicode ? ['█', '▒', '·'] : ['#', '=', '.'];
  return [
    { text: ownMark.repeat(ownCells), style: 'own' },
    { text: otherMark.repeat(cells - ownCells), style: 'other' },
    { text: `${blank.repeat(width - cells)} `, style: 'faint' },
    percent,
  ];
}

function restLine(rest: readonly TopNode[]): Line {
  const online = rest.filter(({ state }) => state === 'online');
  const figures = rest.flatMap((node) => node.figures ?? []);
  const cpu = figures.length === 0 ? 0 : figures.reduce((sum, each) => sum + each.cpu, 0) / figures.length;
  const processes = rest.reduce((sum, node) => sum + node.processes, 0);
  const others = online.length === rest.length ? '' : `, ${rest.length - online.length} not online`;
  const text = `and ${rest.length} more: ${cpu.toFixed(0)} % of their processors, ${processes} processes${others}`;
  return [{ text, style: others === '' ? 'faint' : 'warning' }];
}
