import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newsFilter } from './cluster-events.ts';

test('what several nodes find at once is told once; what happens twice is told twice', () => {
  const isNews = newsFilter();
  const lost = { time: 1000, node: 'node1', kind: 'process.lost', message: 'process 7 was lost', pid: 7 };
  assert.equal(isNews(lost), true);
  assert.equal(isNews({ ...lost, node: 'node2', time: 1500 }), false);
  assert.equal(isNews({ ...lost, message: 'process 8 was lost' }), true);
  assert.equal(isNews({ ...lost, time: 60_000 }), true);
  const moved = { time: 1000, node: 'node1', kind: 'migrated', message: 'process 7 moved to node2', pid: 7 };
  assert.deepEqual([isNews(moved), isNews({ ...moved, node: 'node3' })], [true, true]);
});
