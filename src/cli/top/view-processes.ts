/** The list of processes. Pure. */
import { columnsFor, type TopColumn } from './columns.ts';
import type { Layout } from './layout.ts';
import { rowsOf, type Row } from './rows.ts';
import { fit, type Line, type Span, type Style } from './text.ts';
import type { TopState } from './state.ts';

export function processLines(state: TopState, layout: Layout, columns: number): Line[] {
  // The first column shows what is chosen and marked, also where there are no colours.
  const shown = columnsFor(state, columns - 1);
  const rows = rowsOf(state);
  const visible = rows.slice(state.scroll, state.scroll + layout.processes);
  const lines = visible.map((row) => processLine(row, shown, state));
  while (lines.length < layout.processes) lines.push([]);
  return layout.processTitle ? [title(shown, state), ...lines] : lines;
}

function title(columns: readonly TopColumn[], { sort, descending, style }: TopState): Line {
  const arrow = style.unicode ? (descending ? '▼' : '▲') : descending ? 'v' : '^';
  return columns.map(({ title: name, align, width, sort: own }): Span => {
    // Where there is no room for the arrow there is none.
    const isMarked = own === sort && name.length < width;
    const text = !isMarked ? name : align === 'right' ? `${arrow}${name}` : `${name}${arrow}`;
    return { text: ` ${fit(text, width, align)}`, style: 'title' };
  });
}

function processLine(row: Row, columns: readonly TopColumn[], { selected, marked, search }: TopState): Line {
  const { process } = row;
  const isSelected = process.pid === selected;
  const isMarked = marked.has(process.pid);
  const gutter: Span = { text: isMarked ? '*' : isSelected ? '>' : ' ', style: isSelected ? 'selected' : 'marked' };
  const whole: Style | undefined = isSelected ? 'selected' : isMarked ? 'marked' : undefined;
  const cells = columns.flatMap((column, index): Span[] => {
    const text = `${index === 0 ? '' : ' '}${fit(column.text(row), column.width, column.align)}`;
    return [{ text, style: whole ?? styleOf(column, row, search) }];
  });
  return [gutter, ...cells];
}

function styleOf({ sort, title: name }: TopColumn, { process }: Row, search: string): Style {
  switch (sort) {
    case 'state':
      return process.state === 'R' ? 'good' : process.state === 'D' || process.state === 'Z' ? 'bad' : 'plain';
    case 'cpu':
      return process.cpu >= 50 ? 'bold' : process.cpu < 0.05 ? 'faint' : 'plain';
    case 'nice':
      return process.nice === 0 ? 'faint' : 'plain';
    case 'command':
      return search !== '' && process.command.toLowerCase().includes(search.toLowerCase()) ? 'warning' : 'plain';
    default:
      return name === 'PID' ? 'bold' : 'plain';
  }
}
