/** How handlers are run: in turns, for whom, and in which version of the protocol. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { defineCall } from './definition.ts';
import { bytes, count, echo, HOST, TestCluster, told, until } from './test-cluster.ts';
import { Turns } from './turns.ts';

const OPTIONS = { timeout: 30_000 };
const change = defineCall('test.change', z.object({ set: z.int(), n: z.int() }), z.object({}));
const remove = defineCall('test.remove', z.object({ set: z.int() }), z.object({}));

describe('turns', OPTIONS, () => {
  test('what concerns one set of one peer is handled one after the other, over all handlers; the rest side by side', async () => {
    await using cluster = new TestCluster();
    const [one, two, three] = await cluster.nodes(3);
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const turns = { of: new Turns(), group: ({ set }: { set: number }, caller: number) => `${caller} ${set}` };
    const running = new Set<string>();
    const order: string[] = [];
    const together = new Set<string>();
    const run = async (group: string, what: string): Promise<Record<string, never>> => {
      assert.ok(!running.has(group), `two of ${group} at a time`);
      running.add(group);
      order.push(`${group} ${what}`);
      if (running.size > 1) together.add([...running].toSorted().join());
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      running.delete(group);
      if (what === '3') throw new Error('this one fails, and the next has its turn');
      return {};
    };
    one.handle(change, ({ set, n }, { caller }) => run(`${caller} ${set}`, String(n)), { turns });
    one.handle(remove, ({ set }, { caller }) => run(`${caller} ${set}`, 'removed'), { turns });
    const calls = [two, three].flatMap((node) =>
      [1, 2].flatMap((set) => [
        ...Array.from({ length: 10 }, (_, n) => node.call(1, change, { set, n })),
        node.call(1, remove, { set }),
        node.call(1, change, { set, n: 10 }),
      ]),
    );
    const outcomes = await Promise.allSettled(calls);
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 4);
    for (const group of ['2 1', '2 2', '3 1', '3 2']) {
      const expected = [...Array.from({ length: 10 }, (_, n) => String(n)), 'removed', '10'].map((what) => `${group} ${what}`);
      assert.deepEqual(
        order.filter((line) => line.startsWith(`${group} `)),
        expected,
      );
    }
    assert.ok(together.size > 0, 'different groups ran side by side');
    assert.equal(turns.of.size, 0);
  });

  test('at most so many at a time; one that was given up while it waited is never started; too many are refused', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const gates: (() => void)[] = [];
    const started: number[] = [];
    const hold = (number: number): Promise<number> => {
      started.push(number);
      return new Promise((resolve) => gates.push(() => resolve(number)));
    };
    one.handle(count, hold, { turns: { of: new Turns(2, 3), group: () => 'all' } });
    const [first, second] = [two.call(1, count, 1), two.call(1, count, 2)];
    await until(() => started.length === 2);
    await assert.rejects(two.call(1, count, 3, { deadlineMs: 20 }), { code: 'KRG_DEADLINE' });
    const waiting = [two.call(1, count, 4), two.call(1, count, 5)];
    await assert.rejects(two.call(1, count, 6), { code: 'KRG_LIMIT' });
    for (const next of [3, 4]) {
      gates.shift()?.();
      await until(() => started.length === next);
    }
    for (const open of gates) open();
    assert.deepEqual(await Promise.all([first, second, ...waiting]), [1, 2, 4, 5]);
    assert.deepEqual(started, [1, 2, 4, 5]);
  });
});

test('who may not ask is refused by name: calls, streams, notices', OPTIONS, async () => {
  await using cluster = new TestCluster();
  const [one, two, three] = await cluster.nodes(3);
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const allow = (caller: number): boolean => caller === 2;
  let notices = 0;
  one.handle(echo, ({ text }) => ({ text, by: 1 }), { allow });
  one.handleStream(bytes, async () => {}, { allow });
  one.handleNotice(told, () => void notices++, { allow });
  await two.call(1, echo, { text: '' });
  await assert.rejects(three.call(1, echo, { text: '' }), { code: 'KRG_PERMISSION', message: /node 3 may not/ });
  await assert.rejects(
    three.openStream(1, bytes, {}).then((stream) => stream.read()),
    { code: 'KRG_PERMISSION' },
  );
  three.notify(1, told, 1);
  two.notify(1, told, 1);
  await until(() => notices > 0 && cluster.complaints.length > 0);
  assert.equal(notices, 1);
  assert.equal(cluster.complaints[0]?.details['peer'], 3);
});

test('a call with a key that is refused before it is run is answered each time', OPTIONS, async () => {
  await using cluster = new TestCluster();
  const [one, two] = await cluster.pair({ callsOfDisabledHandler: 0 });
  two.handle(count, (number) => number);
  two.disable(count);
  for (let time = 0; time < 2; time++) await assert.rejects(one.call(2, count, 1, { idempotencyKey: 'key' }), { code: 'KRG_LIMIT' });
});

describe('versions', OPTIONS, () => {
  test('nodes of neighbouring versions work together, in the newest that both speak', async () => {
    await using cluster = new TestCluster();
    const older = cluster.node(1, { versions: { oldest: 3, newest: 4 } });
    const newer = cluster.node(2, { versions: { oldest: 4, newest: 5 } });
    newer.addPeer(1, HOST, (await older.listen({ host: HOST, port: 0 })).port);
    older.addPeer(2, HOST, 1);
    older.handle(count, (number) => number + 1);
    newer.handle(count, (number) => number + 2);
    assert.equal(older.versionWith(2), undefined);
    assert.deepEqual([await newer.call(1, count, 1), await older.call(2, count, 1)], [2, 3]);
    assert.deepEqual([older.versionWith(2), newer.versionWith(1)], [4, 4]);
  });

  test('those further apart are refused by name, at once, whoever connects', async () => {
    await using cluster = new TestCluster();
    const older = cluster.node(1, { versions: { oldest: 3, newest: 4 } });
    const newer = cluster.node(2, { versions: { oldest: 5, newest: 6 } });
    newer.addPeer(1, HOST, (await older.listen({ host: HOST, port: 0 })).port);
    older.addPeer(2, HOST, (await newer.listen({ host: HOST, port: 0 })).port);
    await assert.rejects(newer.call(1, count, 1), { code: 'KRG_PEER_VERSION', message: /versions 3 to 4 .* versions 5 to 6/ });
    await assert.rejects(older.call(2, count, 1), { code: 'KRG_PEER_VERSION', message: /update the older one/ });
  });
});
