import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterUsage, NodeSample, ProcessEntry } from '../../node/api/index.ts';
import { pictureOf } from './rates.ts';
import { entry } from './test-picture.ts';

const sample: NodeSample = {
  at: 1000,
  processors: 2,
  loadAverage: [1, 1, 1],
  processorTime: { user: 1000, system: 1000, idle: 8000, waiting: 0, stolen: 0 },
  memory: { totalBytes: 100 << 20, availableBytes: 75 << 20, swapTotalBytes: 0, swapFreeBytes: 0 },
  uptimeSeconds: 5,
  ownProcessorMilliseconds: 100,
};

const usage = (processes: readonly ProcessEntry[], changes: Partial<NodeSample> | null = {}): ClusterUsage => ({
  cluster: 'lab',
  node: 'node1',
  nodes: [{ id: 1, name: 'node1', state: 'online', sample: changes === null ? null : { ...sample, ...changes } }],
  processes,
});

const cpuOf = (before: ClusterUsage | undefined, now: ClusterUsage): readonly number[] =>
  pictureOf(before, now, 10_000).processes.map(({ cpu }) => Math.round(cpu * 100) / 100);

test('a process: what it has used between two samples of its node', () => {
  const before = usage([entry(7, { cpuTimeMilliseconds: 500 })]);
  assert.deepEqual(cpuOf(before, usage([entry(7, { cpuTimeMilliseconds: 1500 })], { at: 3000 })), [50]);
  assert.deepEqual(cpuOf(before, usage([entry(7, { cpuTimeMilliseconds: 4500 })], { at: 3000 })), [200]);
});

test('one that has come, from nowhere or from another node, has used all its time since', () => {
  const now = usage([entry(7, { cpuTimeMilliseconds: 500 })], { at: 3000 });
  assert.deepEqual(cpuOf(usage([]), now), [25]);
  assert.deepEqual(cpuOf(usage([entry(7, { node: 'node2', cpuTimeMilliseconds: 400 })]), now), [25]);
  // It has been away, and is back.
  assert.deepEqual(cpuOf(usage([entry(7, { cpuTimeMilliseconds: 9000 })]), now), [25]);
});

test('without a sample before, as when the daemon was started anew, it is the share since its start', () => {
  const now = usage([entry(7, { cpuTimeMilliseconds: 5000, startedAt: 0 })]);
  assert.deepEqual(cpuOf(undefined, now), [50]);
  assert.deepEqual(cpuOf(usage([entry(7)], { at: 99_000 }), now), [50]);
});

test('a node: what its machine and its container have used of all processors', () => {
  const times = { user: 1900, system: 1100, idle: 10_600, waiting: 200, stolen: 200 };
  const now = usage([entry(1), entry(2, { state: 'R' })], { at: 3000, processorTime: times, ownProcessorMilliseconds: 900 });
  const [node] = pictureOf(usage([]), now, 0).nodes;
  assert.deepEqual([node?.figures?.cpu, node?.figures?.own, node?.processes, node?.running], [25, 20, 2, 1]);
  assert.equal(node?.figures?.memoryUsedBytes, 25 << 20);
});

test('where the kernel does not count for a container, its processes are added up', () => {
  const before = usage([entry(7, { cpuTimeMilliseconds: 0 })], { ownProcessorMilliseconds: null });
  const now = usage([entry(7, { cpuTimeMilliseconds: 1000 })], { at: 3000, ownProcessorMilliseconds: null });
  assert.equal(pictureOf(before, now, 0).nodes[0]?.figures?.own, 25);
});

test('a node that does not answer has no figures', () => {
  const [node] = pictureOf(usage([]), usage([], null), 0).nodes;
  assert.deepEqual([node?.figures, node?.processes], [null, 0]);
});
