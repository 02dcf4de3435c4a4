import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { redraw, Screen } from './screen.ts';

const ESCAPE = '\u001b';

/** What a terminal shows after `text`: knows the sequences that a redraw uses. */
class Terminal {
  readonly lines: string[] = [''];
  row = 0;
  column = 0;

  write(text: string): void {
    for (const match of text.replaceAll(ESCAPE, '^').matchAll(/\^\[(?<count>\d*)(?<final>[ABJK])|\^\[\?2026[hl]|[^]/gu)) {
      const count = Number(match.groups?.['count'] === '' ? 1 : match.groups?.['count']);
      switch (match.groups?.['final'] ?? match[0]) {
        case 'A':
          this.row -= count;
          assert.ok(this.row >= 0, 'the cursor left the drawing upwards');
          break;
        case 'B':
          this.row += 1;
          assert.ok(this.row < this.lines.length, 'the cursor was moved below what exists');
          break;
        case 'J':
          this.lines.splice(this.row + 1);
          this.#set(this.#line().slice(0, this.column));
          break;
        case 'K':
          this.#set(this.#line().slice(0, this.column));
          break;
        case '\r':
          this.column = 0;
          break;
        case '\n':
          this.row += 1;
          this.column = 0;
          if (this.row === this.lines.length) this.lines.push('');
          break;
        default:
          if (match[0].startsWith('^')) break;
          this.#set(this.#line().slice(0, this.column) + match[0] + this.#line().slice(this.column + 1));
          this.column += 1;
      }
    }
  }

  #line(): string {
    return this.lines[this.row] ?? '';
  }

  #set(line: string): void {
    this.lines[this.row] = line;
  }
}

const drawing = fc.array(fc.constantFrom('', 'a', 'longer line', 'b', 'another'), { maxLength: 8 });

test('after any sequence of drawings the terminal shows the last one', () => {
  fc.assert(
    fc.property(fc.array(drawing, { minLength: 1, maxLength: 10 }), (drawings) => {
      const terminal = new Terminal();
      const screen = new Screen(terminal);
      for (const lines of drawings) {
        screen.draw(lines);
        assert.deepEqual(terminal.lines, [...lines, '']);
        assert.deepEqual([terminal.row, terminal.column], [lines.length, 0]);
      }
    }),
  );
});

test('lines that did not change are not written again', () => {
  assert.equal(redraw(['a', 'b', 'c'], ['a', 'b', 'c']), '');
  const text = redraw(['first', 'second', 'third'], ['first', 'changed', 'third']);
  assert.match(text, /changed/);
  assert.doesNotMatch(text, /first|third/);
});
