import assert from 'node:assert/strict';
import { test } from 'node:test';
import { press } from './input.ts';
import { settle, withPicture } from './selection.ts';
import { startState, type TopState, withEvent } from './state.ts';
import { node, picture, processOf } from './test-picture.ts';
import { plainText, render, widthOf } from './text.ts';
import { topLines } from './view.ts';

const NOON = new Date(2026, 10, 26, 12, 0, 0).getTime();
const nameOf = (uid: number): string => (uid === 0 ? 'root' : 'ann');
const start = withPicture(startState({ size: { columns: 100, rows: 24 }, nameOf }), picture());

function screen(state: TopState): string[] {
  return topLines(state, NOON).map((line) => plainText(line).trimEnd());
}

const sized = (columns: number, rows: number, state: TopState = start): TopState => settle({ ...state, size: { columns, rows } });

test('nodes, processes and events in a hundred columns', () => {
  const event = { time: NOON, node: 'node2', kind: 'migrated', message: 'process 102 moved to node2, 1500 us down', pid: 102 };
  assert.deepEqual(screen(withEvent(sized(100, 20), event)), [
    'krg top  lab  2 of 3 nodes  4 processes, 1 running  every 2 s  by node1  12:00:00',
    'NODE  STATE       CPU                    LOAD MEMORY                                     PROC   RUN',
    'node1 online      ████▒▒▒·······   50%   1.50 ▒▒▒▒··········   25% 4.0 MiB of 16.0 MiB      1     0',
    'node2 online      █·············    7%   1.50 ▒▒▒▒··········   25% 4.0 MiB of 16.0 MiB      1     1',
    'node3 dead',
    '   PID USER NODE  S  NI ▼%CPU %MEM       RSS     TIME COMMAND',
    '   102 ann  node2 R   0  99.7  0.1   1.0 MiB  0:01.00 python3 crunch.py',
    '   104 root node2 S   0  12.0  0.1   900 MiB  0:01.00 make -j8',
    '   101 root node1 S   0   0.5  0.1   1.0 MiB  0:01.00 bash',
    '   103 root node1 S   5   0.0  0.1   1.0 MiB  0:01.00 sleep 100',
    '',
    '',
    '',
    '',
    `── events ${'─'.repeat(90)}`,
    '12:00:00 node2 process 102 moved to node2, 1500 us down',
    '',
    '',
    '',
    ' h help  / search  \\ filter  s sort  t tree  m move  k signal  r nice  u user  e events  q end',
  ]);
});

test('in letters where there is nothing else', () => {
  const letters = screen({ ...start, isTree: true, style: { colours: false, unicode: false } }).join('\n');
  // oxlint-disable-next-line no-control-regex -- that there is nothing else is what is tested
  assert.match(letters, /^[\u0000-\u007f]*$/);
  assert.match(letters, /###===\.\.\.\.\.\./);
  assert.match(letters, /\|- python3 crunch\.py/);
});

test('every line is as wide as the terminal, and there are as many as it has', () => {
  const modes: readonly (readonly string[])[] = [[], ['h'], ['down', 'k'], ['down', 'm'], ['/'], ['s', 'end'], ['t', 'end']];
  const wide = processOf(105, { command: '日本語 🐳 プログラム', cpu: 60 });
  const state = withPicture(start, picture({ processes: [...picture().processes, wide] }));
  for (const keys of modes) {
    const pressed = keys.reduce((current, key) => press(current, key).state, state);
    for (const columns of [1, 7, 20, 40, 41, 60, 80, 133, 250])
      for (const rows of [1, 2, 3, 4, 5, 8, 10, 24, 70]) {
        const lines = topLines(sized(columns, rows, pressed), NOON);
        assert.equal(lines.length, rows, `${rows} rows after ${keys.join(' ')}`);
        for (const line of lines)
          assert.equal(widthOf(plainText(line)), columns, `${columns}x${rows} ${keys.join(' ')}: ${plainText(line)}`);
      }
  }
});

test('a small terminal keeps what matters: the processes, and who they are', () => {
  assert.deepEqual(screen(sized(30, 6)), [
    '   PID NODE COMMAND'.replace('NODE ', 'NODE  '),
    '   102 node2 python3 crunch.py',
    '   104 node2 make -j8',
    '   101 node1 bash',
    '   103 node1 sleep 100',
    ' h help  / search  q end',
  ]);
});

test('nodes that have no room are told of together', () => {
  const nodes = Array.from({ length: 40 }, (_, index) =>
    node(`node${index + 1}`, index === 39 ? { state: 'unreachable', figures: null } : {}),
  );
  const lines = screen(sized(100, 24, withPicture(start, picture({ nodes }))));
  assert.match(lines.find((line) => line.startsWith('and ')) ?? '', /^and 34 more: 50 % of their processors, 34 processes, 1 not online$/);
});

test('what is chosen, marked and asked for is seen without colours', () => {
  const marked = [' ', ' ', 'down'].reduce((state, key) => press(state, key).state, start);
  const lines = screen(marked);
  assert.ok(lines.includes('*  102 ann  node2 R   0  99.7  0.1   1.0 MiB  0:01.00 python3 crunch.py'), lines.join('\n'));
  assert.ok(
    lines.some((line) => line.startsWith('>  101')),
    lines.join('\n'),
  );
  assert.match(lines.at(-1) ?? '', /^ 1 marked /);
  assert.match(screen(press(marked, 'r').state).at(-1) ?? '', /^ Nice value, -20 to 19:/);
});

test('a list to choose from stands over the rest', () => {
  const lines = screen(press(press(start, 'down').state, 'm').state);
  assert.ok(lines[2]?.startsWith('│ Move 102 python3 crunch.py to │'), lines[2]);
  assert.ok(lines[3]?.startsWith('│ > node1  cpu 50 %  1 process  │'), lines[3]);
  assert.ok(lines[0]?.startsWith('krg top'));
});

test('no escape sequence without colours but inverse and bold; none of a command', () => {
  const bad = withPicture(start, picture({ processes: [processOf(9, { command: '\u001b[31mred\u0007' })] }));
  const text = topLines({ ...bad, style: { colours: false, unicode: true } }, NOON)
    .map((line) => render(line, false))
    .join('\n');
  // oxlint-disable-next-line no-control-regex -- what must not be there
  assert.deepEqual([...new Set(text.match(/\u001b\[[\d;]*[a-zA-Z]/g))].toSorted(), ['\u001b[0m', '\u001b[1m', '\u001b[7m']);
  assert.ok(!text.includes('\u0007'));
});

test('silence is told with its length', () => {
  assert.match(screen({ ...start, silentSince: NOON - 7000 }).at(-1) ?? '', /no node answers for 7 s/);
});
