import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessEntry } from '../api/types.ts';
import { loadOf, residentsOf, targetFor, treesOf } from './drain-plan.ts';

const entry = (pid: number, ppid: number, rest: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  ppid,
  processGroup: pid,
  session: pid,
  uid: 0,
  node: 'node2',
  state: 'S',
  terminal: null,
  startedAt: 0,
  cpuTimeMilliseconds: 0,
  residentBytes: 0,
  virtualBytes: 0,
  nice: 0,
  threads: 1,
  command: 'x',
  kind: 'process',
  ...rest,
});

test('whole trees go; the root of one has its parent elsewhere, or is an orphan', () => {
  const residents = [entry(10, 1), entry(11, 10), entry(12, 11), entry(13, 10), entry(20, 99), entry(30, 1)];
  assert.deepEqual(treesOf(residents), [
    { root: 10, members: [10, 11, 12, 13] },
    { root: 20, members: [20] },
    { root: 30, members: [30] },
  ]);
  assert.deepEqual(treesOf([]), []);
});

test('husks and zombies need not go', () => {
  const all = [entry(1, 0), entry(2, 1, { kind: 'husk' }), entry(3, 1, { state: 'Z' }), entry(4, 1, { state: 'T' })];
  assert.deepEqual(
    residentsOf(all).map(({ pid }) => pid),
    [1, 4],
  );
});

test('the least busy node is the target, then that with fewer processes, and what is coming counts', () => {
  const busy = (count: number): ProcessEntry[] => Array.from({ length: count }, (_, pid) => entry(pid, 1, { state: 'R' }));
  const idle = (count: number): ProcessEntry[] => Array.from({ length: count }, (_, pid) => entry(pid, 1));
  const loads = [loadOf(1, busy(2)), loadOf(3, idle(9)), loadOf(4, idle(8))];
  assert.equal(targetFor(loads, new Map()), 4);
  assert.equal(targetFor(loads, new Map([[4, 1]])), 3);
  const both = new Map([
    [3, 3],
    [4, 3],
  ]);
  assert.equal(targetFor(loads, both), 1);
  assert.equal(targetFor([], new Map()), undefined);
});
