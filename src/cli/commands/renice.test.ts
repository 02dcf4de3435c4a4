import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReniceWords } from './renice.ts';
import { shellRequest } from './shell.ts';

test('a nice value stands first, or in an option', () => {
  assert.deepEqual(parseReniceWords(['5', '65601'], {}), { change: { nice: 5 }, words: ['65601'] });
  assert.deepEqual(parseReniceWords(['-5', '65601', '65602'], {}), { change: { nice: -5 }, words: ['65601', '65602'] });
  assert.deepEqual(parseReniceWords(['+3', '-p', '65601'], {}), { change: { nice: 3 }, words: ['65601'] });
  assert.deepEqual(parseReniceWords(['65601'], { priority: '-5' }), { change: { nice: -5 }, words: ['65601'] });
  assert.deepEqual(parseReniceWords(['65601'], { relative: '-2' }), { change: { by: -2 }, words: ['65601'] });
});

test('what is no order is refused', () => {
  for (const words of [[], ['5'], ['x', '65601'], ['65601', '65602']])
    assert.throws(() => parseReniceWords(words, {}), { code: 'KRG_USAGE' }, words.join(' '));
  assert.throws(() => parseReniceWords(['1'], { priority: '1', relative: '1' }), { code: 'KRG_USAGE' });
});

test('a shell gets the locale and the time zone of the user, and nothing else', () => {
  const environment = { LANG: 'C.UTF-8', LC_TIME: 'C', TZ: 'UTC', HOME: '/x', PATH: '/x', LD_PRELOAD: 'x', TERM: 'xterm' };
  const request = shellRequest(['-c', 'x'], { node: 'node2', cluster: 'lab' }, environment, false);
  assert.deepEqual(request.environment, { LANG: 'C.UTF-8', LC_TIME: 'C', TZ: 'UTC', TERM: 'xterm', KRG_CLUSTER: 'lab' });
  assert.deepEqual([request.login, request.node, request.terminal], [true, 'node2', undefined]);
  assert.equal(shellRequest([], {}, environment, true).terminal?.type, 'xterm');
});
