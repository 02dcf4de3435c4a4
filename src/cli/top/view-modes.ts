/** Lists to choose from, over what is seen, and pages to read. Pure. */
import { fit, fitLine, type Line, type Style, widthOf } from './text.ts';
import type { Mode, TopState } from './state.ts';

const NARROWEST = 20;

/** The list stands at the left, below the first line, over the lines that are there. */
export function menuLines({ size, style }: TopState, menu: Extract<Mode, { kind: 'menu' }>, below: readonly Line[]): Line[] {
  const room = Math.max(1, below.length - 3);
  const widest = Math.max(NARROWEST, widthOf(menu.title), ...menu.items.map(({ label }) => widthOf(label) + 2));
  const width = Math.max(0, Math.min(size.columns - 4, widest));
  const first = Math.max(0, Math.min(menu.at - Math.floor(room / 2), menu.items.length - room));
  const items = menu.items.slice(first, first + room);
  const [across, down] = style.unicode ? ['─', '│'] : ['-', '|'];
  const edge = (left: string, right: string): Line => [{ text: `${left}${across.repeat(width + 2)}${right}`, style: 'bold' }];
  const corners = style.unicode ? (['┌', '┐', '└', '┘'] as const) : (['+', '+', '+', '+'] as const);
  const inside = (text: string, look: Style): Line => [
    { text: `${down} `, style: 'bold' },
    { text: fit(text, width), style: look },
    { text: ` ${down}`, style: 'bold' },
  ];
  const box = [
    edge(corners[0], corners[1]),
    inside(menu.title, 'bold'),
    ...items.map(({ label }, index) => (first + index === menu.at ? inside(`> ${label}`, 'selected') : inside(`  ${label}`, 'plain'))),
    edge(corners[2], corners[3]),
  ].slice(0, below.length);
  const top = below.length > box.length ? 1 : 0;
  return below.map((line, index) => {
    const over = box[index - top];
    return over === undefined ? line : [...over, ...after(line, width + 4, size.columns)];
  });
}

/** What is seen of a line to the right of the box. */
function after(line: Line, from: number, columns: number): Line {
  let at = 0;
  return fitLine(line, columns).flatMap((span) => {
    const width = widthOf(span.text);
    const hidden = Math.max(0, Math.min(width, from - at));
    at += width;
    if (hidden === width) return [];
    // Of a character in two columns half may be hidden.
    const text = span.text.length === width ? span.text.slice(hidden) : hidden === 0 ? span.text : ' '.repeat(width - hidden);
    return [{ ...span, text }];
  });
}

export function pageBody({ title, lines, scroll }: Extract<Mode, { kind: 'page' }>, rows: number): Line[] {
  const body = lines
    .slice(scroll, scroll + Math.max(0, rows - 1))
    .map((text): Line => [{ text: ` ${text}`, style: text.startsWith(' ') ? 'plain' : 'bold' }]);
  return [[{ text: ` ${title}`, style: 'title' }], ...body];
}
