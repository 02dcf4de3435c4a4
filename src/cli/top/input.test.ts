import assert from 'node:assert/strict';
import { test } from 'node:test';
import { press } from './input.ts';
import { rowsOf } from './rows.ts';
import { withPicture } from './selection.ts';
import { type Effect, startState, type TopState } from './state.ts';
import { node, picture, processOf } from './test-picture.ts';

const start = withPicture(startState({ size: { columns: 80, rows: 24 } }), picture());

/** @param keys names, and texts that are typed after a colon */
function play(keys: readonly string[], state: TopState = start): { state: TopState; effects: Effect[] } {
  const effects: Effect[] = [];
  for (const key of keys.flatMap((each) => (each.startsWith(':') ? Array.from(each.slice(1)) : [each]))) {
    const step = press(state, key);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const listed = (state: TopState): number[] => rowsOf(state).map(({ process }) => process.pid);

test('nothing is chosen at first, and nothing can be done to what is not chosen', () => {
  for (const key of ['k', 'm', 'r', '[', ']', 'x']) {
    const { state, effects } = play([key]);
    assert.deepEqual([state.mode.kind, effects, state.message?.kind], ['list', [], 'info'], key);
  }
});

test('the list: by processor first, then as one sorts it', () => {
  assert.deepEqual(listed(start), [102, 104, 101, 103]);
  assert.deepEqual(listed(play(['M']).state), [104, 101, 102, 103]);
  assert.deepEqual(listed(play(['N']).state), [101, 102, 103, 104]);
  assert.deepEqual(listed(play(['N', 'R']).state), [104, 103, 102, 101]);
  assert.deepEqual(listed(play(['s', 'end', 'enter']).state), [101, 104, 102, 103]);
  assert.equal(play(['>', '>']).state.sort, 'time');
  assert.equal(play(['<']).state.sort, 'command');
});

test('the tree has children under their parents, on whatever node', () => {
  const { state } = play(['N', 't']);
  assert.deepEqual(
    rowsOf(state).map(({ process, branch }) => `${branch}${process.pid}`),
    ['101', '├─ 102', '└─ 103', '104'],
  );
});

test('filters: as it is typed, by user, by node; Esc gives up what was typed', () => {
  assert.deepEqual(listed(play(['\\', ':PYTH']).state), [102]);
  assert.deepEqual(listed(play(['\\', ':pyth', 'enter', '\\', ':x', 'escape']).state), [102]);
  assert.deepEqual(listed(play(['\\', ':xyz', 'backspace', 'ctrl-u', 'enter']).state), listed(start));
  assert.deepEqual(listed(play(['2']).state), [102, 104]);
  assert.deepEqual(listed(play(['2', '0']).state), listed(start));
  assert.deepEqual(listed(play(['u', 'end', 'enter']).state), [102]);
});

test('search chooses as it is typed, and the next one with n', () => {
  const first = play(['/', ':s', 'enter']).state;
  assert.equal(first.selected, 101);
  assert.equal(play(['n'], first).state.selected, 103);
  assert.equal(play(['n', 'n'], first).state.selected, 101);
  assert.match(play(['/', ':nothing such']).state.message?.text ?? '', /no process has "nothing such"/);
});

test('a process stays chosen wherever it goes; nobody takes the place of one that has gone', () => {
  const { state } = play(['down', 'down']);
  assert.equal(state.selected, 104);
  const busy = processOf(101, { cpu: 300 });
  const moved = withPicture(state, picture({ processes: [busy, processOf(104, { cpu: 1 }), processOf(102, { cpu: 50 })] }));
  assert.deepEqual([moved.selected, moved.position], [104, 2]);
  const gone = withPicture(moved, picture({ processes: [busy, processOf(102)] }));
  assert.equal(gone.selected, undefined);
  assert.deepEqual(play(['k'], gone).effects, []);
});

test('a signal: from the list, the usual one first, to exactly what was chosen when it was asked', () => {
  const asked = play(['down', 'k']).state;
  assert.match(asked.mode.kind === 'menu' ? asked.mode.title : '', /102 python3 crunch\.py/);
  const gone = withPicture(asked, picture({ processes: [processOf(104)] }));
  assert.deepEqual(play(['enter'], gone).effects, [{ kind: 'signal', pids: [102], signal: 15, name: 'SIGTERM' }]);
  assert.deepEqual(play(['down', 'k', ':9', 'enter']).effects, [{ kind: 'signal', pids: [102], signal: 9, name: 'SIGKILL' }]);
  assert.deepEqual(play(['down', 'k', 'down', 'escape', 'enter']).effects, []);
});

test('a move: to the idlest of the other nodes that take processes, unless another is chosen', () => {
  const { state, effects } = play(['down', 'm', 'enter']);
  assert.deepEqual(effects, [{ kind: 'move', pids: [102], node: 'node1', tree: false }]);
  assert.equal(state.mode.kind, 'list');
  const others = withPicture(start, picture({ nodes: [node('node1'), node('node2'), node('node3'), node('node4', { state: 'leaving' })] }));
  assert.deepEqual(play(['down', 'm', ':3', 't'], others).effects, [{ kind: 'move', pids: [102], node: 'node3', tree: true }]);
});

test('marks: what follows is done to all of them', () => {
  const { state, effects } = play([' ', ' ', ' ', 'down', 'r', ':-3', 'enter']);
  assert.deepEqual(effects, [{ kind: 'renice', pids: [102, 104], change: { nice: -3 } }]);
  assert.equal(state.marked.size, 2);
  assert.equal(play(['escape'], state).state.marked.size, 0);
  assert.deepEqual(play(['down', ']', '[']).effects, [
    { kind: 'renice', pids: [102], change: { by: 1 } },
    { kind: 'renice', pids: [102], change: { by: -1 } },
  ]);
});

test('what is typed wrong is refused by name', () => {
  assert.match(play(['down', 'r', ':20', 'enter']).state.message?.text ?? '', /"20" is no nice value/);
  assert.match(play(['d', 'ctrl-u', ':0.1', 'enter']).state.message?.text ?? '', /"0.1" is no time/);
  assert.equal(play(['d', 'ctrl-u', ':0.5', 'enter']).state.delayMilliseconds, 500);
});

test('help, standing still, and the end', () => {
  assert.equal(play(['h']).state.mode.kind, 'page');
  assert.equal(play(['h', 'down', 'q']).state.mode.kind, 'list');
  assert.deepEqual(play(['p', 'p']).effects, [{ kind: 'look' }]);
  assert.deepEqual(play(['q']).effects, [{ kind: 'quit' }]);
  for (const before of [[], ['h'], ['s'], ['/']]) assert.deepEqual(play([...before, 'ctrl-c']).effects, [{ kind: 'quit' }]);
});

test('the part of the list that is seen follows what is chosen', () => {
  const many = Array.from({ length: 200 }, (_, index) => processOf(1000 + index));
  const long = withPicture(start, picture({ processes: many }));
  const end = play(['end'], long).state;
  assert.equal(end.selected, 1199);
  assert.ok(end.scroll > 150 && end.scroll < 200, String(end.scroll));
  const home = play(['home'], end).state;
  assert.deepEqual([home.selected, home.scroll], [1000, 0]);
  const page = play(['pagedown'], home).state;
  assert.ok(page.position > 5 && page.scroll > 0);
});
