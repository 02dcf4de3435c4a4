import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKillWords } from './commands/kill.ts';
import { parseSignal } from './signals.ts';

test('a signal is known by number, by name and by its place among the real-time ones', () => {
  assert.deepEqual(['0', '9', 'KILL', 'sigterm', 'RTMIN', 'RTMIN+3', 'SIGRTMAX-1', 'CHLD'].map(parseSignal), [0, 9, 9, 15, 34, 37, 63, 17]);
});

for (const wrong of ['', '65', 'NOPE', 'RTMIN+31', 'RTMAX+1', '-1']) {
  test(`"${wrong}" is no signal`, () => {
    assert.throws(() => parseSignal(wrong), { code: 'KRG_USAGE' });
  });
}

const understood: readonly (readonly [string, number, readonly number[]])[] = [
  ['12', 15, [12]],
  ['-9 12 13', 9, [12, 13]],
  ['-KILL 12', 9, [12]],
  ['-s HUP 12', 1, [12]],
  ['--signal HUP 12', 1, [12]],
  ['-s 0 12', 0, [12]],
  ['-TERM -- -12', 15, [-12]],
  ['-9 -12 5', 9, [-12, 5]],
  ['-- -12', 15, [-12]],
];
for (const [line, signal, targets] of understood) {
  test(`kill ${line}`, () => {
    assert.deepEqual(parseKillWords(line.split(' ')), { kind: 'send', signal, targets });
  });
}

for (const line of ['-9', '-s', '-9 0', '1x', '-s HUP', '-NOPE 5', '']) {
  test(`kill ${line} is refused`, () => {
    assert.throws(() => parseKillWords(line.split(' ')), { code: 'KRG_USAGE' });
  });
}
