import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, listRoot } from './listing.ts';

const names = [
  { name: 'self', type: 10 },
  { name: 'sys', type: 4 },
  { name: 'stat', type: 8 },
  { name: 'version', type: 8 },
];
const list = (elsewhere: { node: number; pids: number[] }[]): string[] =>
  listRoot({ names, pids: [70_001, 1, 140_000], elsewhere }).map(({ name }) => name);

test('processes of this node come first, then those of the others', () => {
  const shown = list([
    { node: 3, pids: [66_000, 200_000] },
    { node: 2, pids: [131_073, 131_072] },
  ]);
  assert.deepEqual(shown.slice(shown.indexOf('1')), ['1', '70001', '140000', '131072', '131073', '66000', '200000']);
  assert.deepEqual(shown.slice(0, 2), ['.', '..']);
});

test('a process that two nodes name is shown once', () => {
  assert.deepEqual(
    list([
      { node: 2, pids: [140_000, 131_072] },
      { node: 3, pids: [131_072] },
    ]).filter((name) => name === '140000' || name === '131072'),
    ['140000', '131072'],
  );
});

test('what the cluster has of its own hides what the node has, which shows links as Linux does', () => {
  const entries = listRoot({ names, pids: [], elsewhere: [] });
  assert.equal(entries.filter(({ name }) => name === 'stat').length, 1);
  assert.deepEqual(
    ['self', 'sys', 'version', 'nodes', 'stat', 'pressure'].map((name) => entries.find((entry) => entry.name === name)?.type),
    [10, 4, 8, 4, 8, 4],
  );
  assert.ok(!entries.some(({ name }) => name === '.real'));
});

test('who goes on reading after anything has changed misses nothing that stayed', () => {
  const before = listRoot({ names, pids: [1, 70_001, 70_002], elsewhere: [{ node: 2, pids: [131_072, 131_080] }] });
  const after = listRoot({
    names,
    pids: [1, 70_002, 70_005],
    elsewhere: [
      { node: 2, pids: [131_080] },
      { node: 3, pids: [5000] },
    ],
  });
  for (let read = 1; read <= before.length; read++) {
    const offset = before[read - 1]?.offset ?? 0;
    const shown = new Set([...before.slice(0, read), ...after.filter((entry) => entry.offset > offset)].map(({ name }) => name));
    for (const name of ['1', '70002', '131080', 'self', 'nodes']) assert.ok(shown.has(name), `${name} after ${read}`);
  }
  for (const entries of [before, after])
    assert.deepEqual(
      entries,
      entries.toSorted((a, b) => a.offset - b.offset),
    );
});

test('digests are 56 bits', () => {
  assert.ok(names.every(({ name }) => digestOf(name) < 1n << 56n));
  assert.equal(new Set(names.map(({ name }) => digestOf(name))).size, names.length);
});
