/** The whole terminal, on its other screen, so that what was there comes back. Only lines that have changed are written, within a synchronised update. */
import type { ScreenOutput } from '../screen.ts';

/** No cursor, and no new line after the last column; see ctlseqs of xterm. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[H\u001b[2J';
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l';

export class FullScreen {
  readonly #output: ScreenOutput;
  #lines: readonly string[] = [];

  constructor(output: ScreenOutput) {
    this.#output = output;
  }

  enter(): void {
    this.#lines = [];
    this.#output.write(ENTER);
  }

  leave(): void {
    this.#output.write(LEAVE);
  }

  /** Everything is drawn anew the next time. */
  forget(): void {
    this.#lines = [];
    this.#output.write('\u001b[2J');
  }

  /** @param lines from the first of the terminal on, each as wide as the terminal */
  draw(lines: readonly string[]): void {
    const text = changes(this.#lines, lines);
    this.#lines = lines;
    if (text !== '') this.#output.write(`\u001b[?2026h${text}\u001b[?2026l`);
  }
}

/** What turns a screen with `before` into one with `after`. */
export function changes(before: readonly string[], after: readonly string[]): string {
  return after.map((line, row) => (line === before[row] ? '' : `\u001b[${row + 1};1H${line}`)).join('');
}
