/** The picture of the demo: a box per node with what runs there. Pure: state in, lines out. */
import { styleText } from 'node:util';
import { formatMicroseconds, printable } from '../output.ts';

export interface DemoState {
  readonly nodes: readonly string[];
  readonly processes: readonly { readonly pid: number; readonly node: string; readonly command: string }[];
  /** The counting program. */
  readonly pid: number;
  /** The last number that it wrote. */
  readonly number: number;
  readonly moving: string | undefined;
  readonly downtimesMicroseconds: readonly number[];
  readonly moves: number;
  readonly automatic: boolean;
}

const BOX_LINES = 5;
const LONGEST_BOX = 40;

/** @param width of the terminal; no line is longer */
export function demoLines(state: DemoState, width: number): string[] {
  const gap = state.nodes.length - 1;
  const box = Math.max(12, Math.min(LONGEST_BOX, Math.floor((width - 1 - gap) / state.nodes.length)));
  const boxes = state.nodes.map((node) => boxLines(node, state, box));
  const rows = (boxes[0] ?? []).map((_, index) => boxes.map((lines) => lines[index] ?? '').join(' '));
  const done = state.downtimesMicroseconds.length;
  const last = state.downtimesMicroseconds.at(-1);
  const moves = `moves ${done} of ${state.moves}`;
  const now =
    state.moving === undefined
      ? last === undefined
        ? ''
        : `the last one stopped it for ${formatMicroseconds(last)}`
      : `moving to ${state.moving} …`;
  const keys = state.nodes.map((_, index) => index + 1).join(' ');
  const help = `${keys}: move there   space: to the next   a: ${state.automatic ? 'by hand' : 'by itself'}   q: end`;
  return [...rows, fit(`number ${state.number}   ${moves}   ${now}`, width - 1), styleText('gray', fit(help, width - 1))];
}

function boxLines(node: string, state: DemoState, width: number): string[] {
  const here = state.processes.filter((process) => process.node === node);
  const counting = here.some((process) => process.pid === state.pid);
  const inner = width - 4;
  const contents = here.map(({ pid, command }) => `${pid} ${printable(command)}`);
  if (counting) contents.push(`number ${state.number}`);
  const colour = counting ? 'green' : 'gray';
  const edge = (text: string): string => styleText(colour, text);
  const body = Array.from({ length: BOX_LINES }, (_, index) => {
    const text = fit(contents[index] ?? '', inner).padEnd(inner);
    return `${edge('│')} ${text} ${edge('│')}`;
  });
  return [
    edge(`┌ ${fit(node, inner)} ${'─'.repeat(Math.max(0, width - 4 - fit(node, inner).length))}┐`),
    ...body,
    edge(`└${'─'.repeat(width - 2)}┘`),
  ];
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
