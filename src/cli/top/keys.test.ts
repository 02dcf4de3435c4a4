import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKeys } from './keys.ts';

/** @returns the keys, however the text was cut */
function keysOf(text: string, size = Math.max(1, text.length)): { keys: string[]; rest: string } {
  const keys: string[] = [];
  let rest = '';
  for (let at = 0; at < text.length; at += size) {
    const decoded = decodeKeys(rest + text.slice(at, at + size));
    keys.push(...decoded.keys);
    rest = decoded.rest;
  }
  return { keys, rest };
}

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['qé/', ['q', 'é', '/']],
  ['\u001b[A\u001b[B\u001bOA', ['up', 'down', 'up']],
  ['\u001b[5~\u001b[6~\u001b[H\u001b[4~', ['pageup', 'pagedown', 'home', 'end']],
  ['\u001bOP\u001b[15~\u001b[21~\u001b[[C', ['f1', 'f5', 'f10', 'f3']],
  ['\u001b[1;5A\u001b[5;2~', ['up', 'pageup']],
  ['\r\u007f\u0003\u001a\t', ['enter', 'backspace', 'ctrl-c', 'ctrl-z', 'tab']],
  ['\u001b[200~x\u001b[?1;2c', ['x']],
];
for (const [text, keys] of cases) {
  test(`keys of ${JSON.stringify(text)}`, () => {
    assert.deepEqual(keysOf(text), { keys, rest: '' });
    assert.deepEqual(keysOf(text, 1), { keys, rest: '' });
  });
}

test('an escape may be the beginning of more, and is itself before what begins nothing', () => {
  assert.deepEqual(decodeKeys('a\u001b'), { keys: ['a'], rest: '\u001b' });
  assert.deepEqual(decodeKeys('\u001b[1'), { keys: [], rest: '\u001b[1' });
  assert.deepEqual(decodeKeys('\u001bq'), { keys: ['escape', 'q'], rest: '' });
  assert.deepEqual(decodeKeys('\u001b\u001b[A'), { keys: ['escape', 'up'], rest: '' });
});
