/**
 * A part of the terminal that is redrawn in place: only lines that changed are written, inside a synchronised update
 * (`ESC [ ? 2026 h/l`) so that no half frame is seen. Lines must fit the width. On anything but a terminal nothing is drawn.
 */
export interface ScreenOutput {
  write(text: string): unknown;
}

export class Screen {
  readonly #output: ScreenOutput;
  #lines: readonly string[] = [];

  constructor(output: ScreenOutput) {
    this.#output = output;
  }

  /** Shows `lines` in place of what was drawn before. */
  draw(lines: readonly string[]): void {
    const text = redraw(this.#lines, lines);
    this.#lines = lines;
    if (text !== '') this.#output.write(`\u001b[?2026h${text}\u001b[?2026l`);
  }

  /** Leaves what is drawn where it is; the next drawing begins below it. */
  leave(): void {
    this.#lines = [];
  }
}

/** What turns a drawing of `before` into one of `after`. The cursor is below the last line, before and after. */
export function redraw(before: readonly string[], after: readonly string[]): string {
  if (before.length === after.length && before.every((line, index) => line === after[index])) return '';
  let text = before.length > 0 ? `\u001b[${before.length}A` : '';
  for (const [index, line] of after.entries()) text += line === before[index] ? '\u001b[B' : `\r${line}\u001b[K\n`;
  const surplus = before.length - after.length;
  return `${text}\r${surplus > 0 ? '\u001b[J' : ''}`;
}
