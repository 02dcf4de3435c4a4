import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeOfId } from '../kddm/index.ts';
import { UniqueIds } from './unique-ids.ts';

test('ids are unique over lives of a node, and say which node gave them', async () => {
  let last = 0;
  const reserve = (count: number): Promise<number> => {
    last += count;
    return Promise.resolve(last - count + 1);
  };
  const seen = new Set<number>();
  for (let life = 0; life < 3; life++) {
    const ids = new UniqueIds(5, reserve);
    for (const id of await Promise.all(Array.from({ length: 1500 }, () => ids.next()))) {
      assert.ok(!seen.has(id));
      assert.equal(nodeOfId(id), 5);
      seen.add(id);
    }
  }
  assert.equal(seen.size, 4500);
});

test('a reservation that fails, fails who waits for it, and is made again', async () => {
  let attempts = 0;
  const ids = new UniqueIds(1, () => (++attempts === 1 ? Promise.reject(new Error('no majority')) : Promise.resolve(1)));
  await assert.rejects(ids.next(), /no majority/);
  assert.equal(nodeOfId(await ids.next()), 1);
});
