import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changes, FullScreen } from './full-screen.ts';

test('only lines that have changed are written', () => {
  assert.equal(changes([], ['a', 'b']), '\u001b[1;1Ha\u001b[2;1Hb');
  assert.equal(changes(['a', 'b', 'c'], ['a', 'x', 'c']), '\u001b[2;1Hx');
  assert.equal(changes(['a'], ['a']), '');
});

test('the other screen is taken, drawn on, and given back', () => {
  const written: string[] = [];
  const screen = new FullScreen({ write: (text) => written.push(text) });
  screen.enter();
  screen.draw(['a']);
  screen.draw(['a']);
  screen.forget();
  screen.draw(['a']);
  screen.leave();
  assert.equal(written.filter((text) => text.includes('\u001b[1;1Ha')).length, 2);
  assert.match(written[0] ?? '', /\?1049h/);
  assert.match(written.at(-1) ?? '', /\?25h.*\?1049l/);
});
