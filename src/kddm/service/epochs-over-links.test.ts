/** What becomes of objects when links are lost and nodes come, go and die. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKorriganError } from '../../linux/errors.ts';
import type { IoLinker } from '../linker.ts';
import type { SetOptions } from './kddm.ts';
import type { KddmSetHandle } from './set-handle.ts';
import { KddmCluster, until } from './test-cluster.ts';

const OPTIONS = { timeout: 120_000 };

const numbers: IoLinker<number> = {
  name: 'number',
  firstTouch: () => 0,
  exportObject: (content) => Buffer.from(String(content)),
  importObject: (bytes) => Number(Buffer.from(bytes).toString()),
};
const linkers = (): IoLinker<unknown>[] => [numbers] as IoLinker<unknown>[];
type NumberSet = KddmSetHandle<number>;

const isLost = (error: unknown): boolean => isKorriganError(error, 'KRG_OBJECT_LOST');

/** The same set on each of the nodes. */
async function setOn(cluster: KddmCluster, nodes: readonly number[], options: SetOptions): Promise<NumberSet[]> {
  return Promise.all(nodes.map((id) => cluster.kddm(id).createSet(numbers, { name: 'numbers', ...options })));
}

const at = (sets: readonly NumberSet[], id: number): NumberSet => sets[id - 1] ?? assert.fail();

async function increment(set: NumberSet, object: number): Promise<void> {
  await using hold = await set.grab(object);
  hold.content += 1;
}

describe('objects when the cluster changes', OPTIONS, () => {
  test('links that are cut again and again lose nothing, and no reader sees an older value after a newer one', async () => {
    await using cluster = await KddmCluster.start(3, { linkers });
    const sets = await setOn(cluster, [1, 2, 3], {});
    const objects = 4;
    const [most, least, end] = [40, 60, new AbortController()];
    const seen = new Map<string, number>();
    let [cuts, increments] = [0, 0];
    const cutting = setInterval(() => {
      cluster.cut((cuts++ % 3) + 1, (cuts % 3) + 1);
      if (cuts >= most && increments >= least) end.abort();
    }, 25);
    const work = sets.map(async (set, node) => {
      for (let n = 0; !end.signal.aborted; n++) {
        await increment(set, (n + node) % objects);
        increments += 1;
        using hold = await set.get((n * 7) % objects);
        const key = `${node} ${hold.object}`;
        assert.ok(hold.content >= (seen.get(key) ?? 0));
        seen.set(key, hold.content);
      }
    });
    await Promise.all(work).finally(() => clearInterval(cutting));
    const values = await Promise.all(Array.from({ length: objects }, (_, object) => at(sets, 1).read(object)));
    assert.equal(
      values.reduce((sum, value) => sum + value, 0),
      increments,
    );
    assert.equal(cluster.view.epoch, 1, 'no new epoch was needed');
    assert.deepEqual(cluster.complaints, []);
  });

  test('a node that dies takes with it what was there alone, and says so; what others have lives', async () => {
    await using cluster = await KddmCluster.start(3, { linkers });
    const sets = await setOn(cluster, [1, 2, 3], { policy: { kind: 'fixed', node: 1 } });
    await at(sets, 3).write(2, 22);
    assert.equal(await at(sets, 2).read(2), 22);
    await at(sets, 1).write(3, 33);
    const held = await at(sets, 3).grab(1);
    const outcome = assert.rejects(at(sets, 2).grab(1), isLost);
    await cluster.kill(3);
    assert.equal(await at(sets, 2).read(3), 33, 'the others go on while nobody is declared dead');
    assert.equal(held.isHeld, true);
    cluster.declareDead(3);
    await outcome;
    assert.equal(await at(sets, 1).read(2), 22);
    await increment(at(sets, 2), 3);
    assert.equal(await at(sets, 1).read(3), 34);
    await at(sets, 1).remove(1);
    assert.equal(await at(sets, 2).read(1), 0, 'removed, it is created anew');
  });

  test('with replicas what was put survives the node that wrote it, and the home too', async () => {
    await using cluster = await KddmCluster.start(4, { linkers });
    const sets = await setOn(cluster, [1, 2, 3, 4], { replicas: 1 });
    for (let object = 0; object < 40; object++) await at(sets, (object % 4) + 1).write(object, 100 + object);
    await cluster.kill(4);
    cluster.declareDead(4);
    await cluster.settled();
    for (let object = 0; object < 40; object++) assert.equal(await at(sets, 1).read(object), 100 + object);
    // When their replicas are made again another one may die.
    await cluster.recovered();
    await at(sets, 2).write(3, 5);
    await cluster.kill(2);
    cluster.declareDead(2);
    await cluster.settled();
    const values = await Promise.all(Array.from({ length: 40 }, (_, object) => at(sets, 3).read(object)));
    assert.deepEqual(
      values,
      values.map((_, object) => (object === 3 ? 5 : 100 + object)),
    );
  });

  test('a daemon that is started again has lost its memory: that is said as of a node that died, and it takes part anew', async () => {
    await using cluster = await KddmCluster.start(3, { linkers });
    const sets = await setOn(cluster, [1, 2, 3], { policy: { kind: 'fixed', node: 1 } });
    const safe = await cluster.kddm(1).createSet(numbers, { name: 'safe', replicas: 1 });
    await at(sets, 2).write(7, 77);
    const onTwo = (await cluster.kddm(2).findSet(numbers, 'safe')) ?? assert.fail();
    await onTwo.write(1, 1);
    const asked = at(sets, 3).read(8);
    await cluster.restart(2);
    await cluster.settled();
    assert.equal(await asked, 0);
    await assert.rejects(at(sets, 1).read(7), isLost);
    assert.equal(await safe.read(1), 1);
    const again = (await cluster.kddm(2).findSet(numbers, 'numbers')) ?? assert.fail();
    await increment(again, 9);
    assert.equal(await at(sets, 3).read(9), 1);
    await assert.rejects(again.read(7), isLost);
  });

  test('a node that joins takes part; one that leaves hands over all that it has, and is refused then', async () => {
    await using cluster = await KddmCluster.start(2, { linkers }, 3);
    const sets = await setOn(cluster, [1, 2], {});
    for (let object = 0; object < 2000; object++) await at(sets, (object % 2) + 1).write(object, object);
    await cluster.add(3);
    await cluster.settled();
    const three = (await cluster.kddm(3).findSet(numbers, 'numbers')) ?? assert.fail();
    for (let object = 0; object < 300; object++) await increment(three, object);
    const held = await three.grab(1999);
    const drained = cluster.kddm(3).drain();
    await assert.rejects(three.get(0), (error) => isKorriganError(error, 'KRG_NODE_LEAVING'));
    held.content = 5;
    await held.put();
    await drained;
    cluster.remove(3);
    await cluster.settled();
    for (let object = 0; object < 300; object++) assert.equal(await at(sets, 1).read(object), object + 1);
    assert.equal(await at(sets, 2).read(1999), 5);
    await assert.rejects(three.get(0), (error) => isKorriganError(error, 'KRG_NODE_LEAVING'));
    await cluster.kill(3);
    assert.equal(await at(sets, 2).read(700), 700);
  });

  test('a node that dies while it leaves is dead: what was there alone is lost, and the others go on', async () => {
    await using cluster = await KddmCluster.start(3, { linkers });
    const sets = await setOn(cluster, [1, 2, 3], {});
    const safe = await cluster.kddm(3).createSet(numbers, { name: 'safe', replicas: 1 });
    await safe.write(2, 22);
    await at(sets, 3).write(2, 33);
    await at(sets, 1).write(1, 11);
    await cluster.kill(3);
    cluster.remove(3);
    assert.equal(await at(sets, 2).read(1), 11);
    await assert.rejects(at(sets, 1).read(2), isLost);
    assert.equal(await (await cluster.kddm(1).findSet(numbers, 'safe'))?.read(2), 22);
  });

  test('membership that changes while it changes, under work', async () => {
    await using cluster = await KddmCluster.start(4, { linkers });
    const sets = await setOn(cluster, [1, 2, 3, 4], { replicas: 1 });
    const end = new AbortController();
    const done = new Map<number, number>();
    const work = [1, 2, 3].map(async (id) => {
      while (!end.signal.aborted) {
        await increment(at(sets, id), id);
        done.set(id, (done.get(id) ?? 0) + 1);
      }
    });
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 3; n++) cluster.renewEpoch();
      await cluster.restart(4);
      cluster.renewEpoch();
      cluster.cut(1, 2);
      await cluster.settled();
      const goals = new Map([...done].map(([id, count]) => [id, count + 5]));
      await until(() => [1, 2, 3].every((id) => (done.get(id) ?? 0) >= (goals.get(id) ?? 1)));
    }
    await cluster.kill(4);
    cluster.renewEpoch();
    cluster.declareDead(4);
    await cluster.settled();
    end.abort();
    await Promise.all(work);
    for (const id of [1, 2, 3]) assert.equal(await at(sets, 1).read(id), done.get(id));
  });
});
