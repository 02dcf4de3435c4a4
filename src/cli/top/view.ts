/** The picture of `krg top`: state in, lines out, as many and as wide as the terminal. Pure. */
import { layoutOf } from './layout.ts';
import { footLine, headLine } from './view-edges.ts';
import { eventLines } from './view-events.ts';
import { menuLines, pageBody } from './view-modes.ts';
import { nodeLines } from './view-nodes.ts';
import { processLines } from './view-processes.ts';
import { fitLine, type Line } from './text.ts';
import type { TopState } from './state.ts';

/** @param now milliseconds since the epoch */
export function topLines(state: TopState, now: number): readonly Line[] {
  const { columns, rows } = state.size;
  const layout = layoutOf(state);
  const { mode } = state;
  const body: Line[] =
    mode.kind === 'page'
      ? pageBody(mode, rows - Number(layout.head) - Number(layout.foot))
      : [...nodeLines(state, layout.nodes, columns), ...processLines(state, layout, columns), ...eventLines(state, layout.events, columns)];
  const lines = [...(layout.head ? [headLine(state, now)] : []), ...body];
  const blank: Line = [];
  while (lines.length < rows - Number(layout.foot)) lines.push(blank);
  const above = lines.slice(0, rows - Number(layout.foot));
  const whole = [...(mode.kind === 'menu' ? menuLines(state, mode, above) : above), ...(layout.foot ? [footLine(state, now)] : [])];
  return whole.slice(0, rows).map((line) => fitLine(line, columns, line.at(-1)?.style === 'title' ? 'title' : 'plain'));
}
