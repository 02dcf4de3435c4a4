import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, appear, declareDead, drain, removed, type View } from '../../hotplug/index.ts';
import { changeOf } from './epochs.ts';

const node = (id: number, life = 'life', daemon = 'first'): Parameters<typeof appear>[1] => ({
  id,
  name: `node${id}`,
  address: '10.0.0.1',
  port: 1,
  life,
  daemon,
});
const NOBODY: View = { epoch: 0, nodes: [] };
const THREE = add(
  [1, 2, 3].reduce((view, id) => appear(view, node(id)), NOBODY),
  [1, 2, 3],
);

test('who died, who leaves, and whose daemon was started again', () => {
  const begun: View = { ...THREE, nodes: THREE.nodes.map((record) => ({ ...record, life: '', daemon: undefined })) };
  assert.deepEqual(changeOf(begun, appear(begun, node(2))), { epoch: 4, members: [1, 2, 3], dead: [], leaving: [] });
  assert.deepEqual(changeOf(NOBODY, THREE), { epoch: 3, members: [1, 2, 3], dead: [], leaving: [] });
  const dead = declareDead(THREE, 2, 'life');
  assert.deepEqual(changeOf(THREE, dead), { epoch: 4, members: [1, 3], dead: [2], leaving: [] });
  const without = removed(drain(THREE, 2, 1), 2);
  assert.deepEqual(changeOf(THREE, without), { epoch: 4, members: [1, 3], dead: [], leaving: [2] });
  const restarted = appear(THREE, node(2, 'life', 'second'));
  assert.deepEqual(changeOf(THREE, restarted), { epoch: 4, members: [1, 2, 3], dead: [2], leaving: [] });
});

test('views that were missed in between', () => {
  const back = add(appear(declareDead(THREE, 2, 'life'), node(2, 'another life')), [2]);
  assert.deepEqual(changeOf(THREE, back), { epoch: 5, members: [1, 2, 3], dead: [2], leaving: [] });
  const leftAndRestarted = appear(removed(drain(THREE, 2, 1), 2), node(2, 'life', 'second'));
  assert.deepEqual(changeOf(THREE, leftAndRestarted), { epoch: 4, members: [1, 3], dead: [2], leaving: [] });
});
