import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKorriganError } from '../../linux/errors.ts';
import { type IoLinker, memoryLinker } from '../linker.ts';
import { KddmCluster, until } from './test-cluster.ts';

const OPTIONS = { timeout: 60_000 };

/** An object is a number, its own id at first. */
const numbers: IoLinker<number> = {
  name: 'number',
  firstTouch: (object) => object,
  exportObject: (content) => Buffer.from(String(content)),
  importObject: (bytes) => Number(Buffer.from(bytes).toString()),
};
const pages = memoryLinker(4096, 'page');
const linkers = (): IoLinker<unknown>[] => [numbers, pages] as IoLinker<unknown>[];

const rejects = (promise: Promise<unknown>, code: Parameters<typeof isKorriganError>[1]): Promise<void> =>
  assert.rejects(promise, (error) => isKorriganError(error, code));

describe('objects over real links', OPTIONS, () => {
  test('a set is found by its name on another node; objects are created, read, written and removed everywhere', async () => {
    await using cluster = await KddmCluster.start(3, { linkers });
    const one = await cluster.kddm(1).createSet(numbers, { name: 'counts' });
    const two = (await cluster.kddm(2).findSet(numbers, 'counts')) ?? assert.fail();
    const three = (await cluster.kddm(3).findSet(numbers, one.id)) ?? assert.fail();
    assert.equal((await cluster.kddm(3).createSet(numbers, { name: 'counts' })).id, one.id);
    assert.equal(await cluster.kddm(3).findSet(numbers, 'other'), undefined);
    for (const set of [one, two, three]) {
      await using hold = await set.grab(7);
      hold.content += 1;
    }
    for (const set of [one, two, three]) assert.equal(await set.read(7), 10);
    await two.remove(7);
    assert.equal(await three.read(7, { noFirstTouch: true }), undefined);
    assert.equal(await one.read(7), 7);
    await cluster.kddm(3).destroySet(one);
    await rejects(one.read(7), 'KRG_NO_SUCH_OBJECT');
    assert.deepEqual(cluster.complaints, []);
  });

  test('what is held is not taken away, and is had at once where it is', async () => {
    await using cluster = await KddmCluster.start(2, { linkers });
    const one = await cluster.kddm(1).createSet(numbers, { name: 'held' });
    const two = (await cluster.kddm(2).findSet(numbers, 'held')) ?? assert.fail();
    const held = await one.get(1);
    const writer = two.grab(1).then(async (hold) => {
      hold.content = 5;
      await hold.put();
      return 'written';
    });
    assert.equal(await Promise.race([writer, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits');
    await rejects(two.grab(2, { signal: AbortSignal.abort() }), 'KRG_CANCELLED');
    await held.put();
    assert.equal(await writer, 'written');
    assert.equal(one.getNow(1), undefined, 'it is not here');
    {
      using now = two.getNow(1);
      assert.equal(now?.content, 5);
      assert.equal(await one.tryGrab(1), undefined);
    }
    const tried = (await one.tryGrab(1)) ?? assert.fail();
    const impatience = new AbortController();
    const given = two.grab(1, { signal: impatience.signal });
    setTimeout(() => impatience.abort(), 20);
    await rejects(given, 'KRG_CANCELLED');
    await tried.put();
    // What came for who had given up was put: it can be had again.
    await (await one.grab(1)).put();
  });

  test('an object that its user makes by hand', async () => {
    await using cluster = await KddmCluster.start(2, { linkers });
    const one = await cluster.kddm(1).createSet(numbers, { name: 'by hand' });
    const two = (await cluster.kddm(2).findSet(numbers, 'by hand')) ?? assert.fail();
    const hold = await two.grab(4, { manualFirstTouch: true });
    assert.equal(hold.content, undefined);
    await hold.setObject(44);
    await hold.put();
    assert.equal(await one.read(4), 44);
    const nothing = await one.grab(5, { manualFirstTouch: true });
    await nothing.put();
    assert.equal(await two.get(5, { noFirstTouch: true }), undefined);
    await two.flush(4).catch(() => undefined);
    assert.equal(await two.find(4), undefined);
    await until(() => one.getNow(4) !== undefined);
  });
});
