import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fit, fitLine, plainText, render, widthOf } from './text.ts';

test('texts are as wide as they are shown', () => {
  assert.deepEqual(['abc', 'é', 'e\u0301', '日本', '🐳'].map(widthOf), [3, 1, 1, 4, 2]);
});

test('a text is cut, or filled up, to its columns', () => {
  assert.equal(fit('abc', 5), 'abc  ');
  assert.equal(fit('abc', 5, 'right'), '  abc');
  assert.equal(fit('abcdef', 4), 'abcd');
  // Half a character has no room.
  assert.equal(fit('日本', 3), '日 ');
  assert.equal(fit('x', 0), '');
});

test('what would move the cursor is not written', () => {
  assert.equal(fit('a\u001b[2Jb\n', 7), 'a?[2Jb?');
});

test('a line is as wide as the terminal, whatever it is made of', () => {
  for (const width of [0, 1, 5, 9, 20]) {
    const line = fitLine([{ text: 'abc', style: 'bold' }, { text: '日本語' }, { text: 'x' }], width);
    assert.equal(widthOf(plainText(line)), width);
  }
});

test('styles end where their text ends; without colours only those that are none', () => {
  assert.equal(render([{ text: 'a', style: 'good' }, { text: 'b' }], true), '\u001b[32ma\u001b[0mb');
  assert.equal(
    render(
      [
        { text: 'a', style: 'good' },
        { text: 'b', style: 'selected' },
      ],
      false,
    ),
    'a\u001b[7mb\u001b[0m',
  );
});
