/** What every driver of the store must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import type { ClusterStore } from './store.ts';
import { add, appear, type View, vanish } from './view.ts';

export const sampleNode = (id: number): Parameters<typeof appear>[1] => ({
  id,
  name: `node${id}`,
  address: '127.0.0.1',
  port: 1,
  life: `life ${id}`,
});

/** Nodes 1 to `count` take part. */
export function sampleView(count: number): View {
  const ids = Array.from({ length: count }, (_, n) => n + 1);
  const nobody: View = { epoch: 0, nodes: [] };
  return add(
    ids.reduce((view, id) => appear(view, sampleNode(id)), nobody),
    ids,
  );
}

/** Three nodes that take part, each with its store. */
export interface StoreWorld extends AsyncDisposable {
  store(id: number): ClusterStore;
  /** Afterwards the store of node 1 has no majority. */
  takeMajorityAway(): Promise<void>;
  giveMajorityBack(): Promise<void>;
}

const idsOf = ({ nodes }: View): number[] => nodes.map(({ id }) => id);

export function describeStore(name: string, start: () => Promise<StoreWorld>): void {
  describe(`the store: ${name}`, () => {
    test('changes of all nodes at once are all made, everybody hears of them, and a read shows what another has changed', async () => {
      await using world = await start();
      const heard: View[] = [];
      world.store(3).watch((view) => heard.push(view));
      const changes = [1, 2, 3].flatMap((id) =>
        [0, 1, 2].map((n) => world.store(id).change((view) => appear(view, sampleNode(10 * id + n)))),
      );
      await Promise.all(changes);
      const ids = [1, 2, 3, 10, 11, 12, 20, 21, 22, 30, 31, 32];
      assert.deepEqual(idsOf(await world.store(2).read()), ids);
      while ((heard.at(-1)?.nodes.length ?? 0) < ids.length) await delay(5);
      assert.deepEqual(world.store(3).known, heard.at(-1));
      for (const [n, view] of heard.entries())
        assert.ok(view.nodes.length >= (heard[n - 1]?.nodes.length ?? 0), 'each is later than the last');
    });

    test('what a change throws is thrown, and nothing is changed', async () => {
      await using world = await start();
      const refusal = new KorriganError('KRG_NODE_ONLINE', 'no');
      await assert.rejects(
        world.store(1).change(() => {
          throw refusal;
        }),
        refusal,
      );
      assert.deepEqual(await world.store(2).read(), sampleView(3));
    });

    test('without a majority nothing can be agreed on; with one it goes on, and nothing is forgotten', async () => {
      await using world = await start();
      await world.store(1).change((view) => appear(view, sampleNode(7)));
      await world.takeMajorityAway();
      await assert.rejects(world.store(1).read(), (error) => isKorriganError(error, 'KRG_NO_MAJORITY'));
      await world.giveMajorityBack();
      const view = await world.store(1).change((present) => vanish(present, 7));
      assert.deepEqual([idsOf(view), view.nodes.at(-1)?.state], [[1, 2, 3, 7], 'possible']);
      assert.deepEqual(await world.store(2).read(), view);
    });
  });
}
