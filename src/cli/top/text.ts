/** Pieces of lines with their styles, in columns of a terminal. Pure. */
import { printable } from '../output.ts';

export type Style = 'plain' | 'bold' | 'faint' | 'title' | 'selected' | 'good' | 'warning' | 'bad' | 'own' | 'other' | 'marked' | 'caret';

export interface Span {
  readonly text: string;
  readonly style?: Style;
}
export type Line = readonly Span[];

/** Parameters of SGR, ECMA-48. Where there are no colours only those remain that are none. */
const COLOURED: Readonly<Record<Style, string>> = {
  plain: '',
  bold: '1',
  faint: '2',
  title: '7',
  selected: '30;46',
  good: '32',
  warning: '33',
  bad: '1;31',
  own: '32',
  other: '34',
  marked: '1;33',
  caret: '7',
};
const COLOURLESS: Readonly<Partial<Record<Style, string>>> = { bold: '1', title: '7', selected: '7', marked: '1', caret: '7', bad: '1' };

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** East Asian Wide and pictures, Unicode Standard Annex 11: roughly. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}])/u;
const PLAIN = /^[\u0020-\u007e]*$/;

/** Columns that a text takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** A text in so many columns: cut, or filled up. What would move the cursor is shown as `?`. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const clean = printable(text);
  const kept = PLAIN.test(clean) ? clean.slice(0, Math.max(0, width)) : cut(clean, width);
  const blank = ' '.repeat(Math.max(0, width - widthOf(kept)));
  return align === 'left' ? kept + blank : blank + kept;
}

function cut(text: string, width: number): string {
  let kept = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += WIDE.test(segment) ? 2 : 1;
    if (used > width) break;
    kept += segment;
  }
  return kept;
}

/** Pieces in so many columns. */
export function fitLine(line: Line, width: number, fill: Style = 'plain'): Line {
  const spans: Span[] = [];
  let left = width;
  for (const span of line) {
    const text = fit(span.text, Math.min(left, widthOf(printable(span.text))));
    left -= widthOf(text);
    if (text !== '') spans.push({ ...span, text });
  }
  return left > 0 ? [...spans, { text: ' '.repeat(left), style: fill }] : spans;
}

/** What is written to the terminal. */
export function render(line: Line, colours: boolean): string {
  return line
    .map(({ text, style = 'plain' }) => {
      const code = (colours ? COLOURED[style] : COLOURLESS[style]) ?? '';
      return code === '' ? text : `\u001b[${code}m${text}\u001b[0m`;
    })
    .join('');
}

/** Without styles. */
export function plainText(line: Line): string {
  return line.map(({ text }) => text).join('');
}
