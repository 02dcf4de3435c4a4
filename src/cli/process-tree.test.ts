import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ancestors, LETTERS, treeRows } from './process-tree.ts';

const families = [
  { pid: 10, ppid: 1 },
  { pid: 11, ppid: 10 },
  { pid: 12, ppid: 11 },
  { pid: 13, ppid: 10 },
  { pid: 20, ppid: 7 },
];
const drawn = (only?: number): string[] => treeRows(families, LETTERS, only).map(({ entry, branch }) => branch + String(entry.pid));

test('children stand under their parents, whoever has none here at the left', () => {
  assert.deepEqual(drawn(), ['10', '|- 11', '|  `- 12', '`- 13', '20']);
});

test('one family alone', () => {
  assert.deepEqual(drawn(11), ['11', '`- 12']);
  assert.deepEqual(drawn(99), []);
});

test('pids that came again while the list was put together draw no ring', () => {
  const ring = [
    { pid: 1, ppid: 2 },
    { pid: 2, ppid: 1 },
  ];
  assert.equal(treeRows(ring, LETTERS, 1).length, 2);
  assert.deepEqual(
    ancestors(ring, 1).map(({ pid }) => pid),
    [2, 1],
  );
});

test('who stands above a process', () => {
  assert.deepEqual(
    ancestors(families, 12).map(({ pid }) => pid),
    [10, 11, 12],
  );
});
