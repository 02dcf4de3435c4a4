/** sync over kddm and real links between nodes of this process. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeOfId } from '../../kddm/index.ts';
import type { Reply, Request } from '../events.ts';
import { keyOf } from '../table.ts';
import type { SyncClient } from './sync-client.ts';
import { SyncCluster } from './test-cluster.ts';

const LOCK = keyOf('lock', '0', 'build');

function acquire(key = LOCK, timeoutMs?: number): Request {
  return { kind: 'acquire', key, mode: 'exclusive', timeoutMs };
}

/** @returns the claim */
async function granted(reply: Promise<Reply> | Reply): Promise<Reply & { readonly kind: 'granted' }> {
  const answer = await reply;
  if (answer.kind !== 'granted') assert.fail(`granted was expected, ${answer.kind} came`);
  return answer;
}

/** @returns the answer that is still to come, when the request stands in the queue */
async function queued(
  client: SyncClient,
  request: Request,
): Promise<{ readonly reply: Promise<Reply>; readonly holders: readonly string[] }> {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const reply = client.ask(request, { onQueued: (owners) => resolve(owners.map(({ label }) => label)) });
  return { holders: await promise, reply };
}

describe('sync over real links', { timeout: 60_000 }, () => {
  test('a lock goes from node to node, in the order in which it was asked for', async () => {
    await using cluster = await SyncCluster.start(3);
    const clients = [1, 2, 3].map((id) => cluster.sync(id).open(`program on node ${id}`));
    const [one, two, three] = clients as [SyncClient, SyncClient, SyncClient];
    const first = await granted(one.ask(acquire()));
    const second = await queued(two, acquire());
    assert.deepEqual(second.holders, ['program on node 1']);
    const third = await queued(three, acquire());
    assert.deepEqual(await three.ask(acquire(LOCK, 0)), { kind: 'busy' });
    assert.deepEqual(await one.ask({ kind: 'release', claim: first.claim }), { kind: 'done' });
    const mine = await granted(second.reply);
    assert.ok(mine.token > first.token);
    await two.ask({ kind: 'release', claim: mine.claim });
    await granted(third.reply);
    assert.deepEqual(cluster.complaints, []);
  });

  test('a client that ends, and a node that dies, leave the lock to the next, who is told', async () => {
    await using cluster = await SyncCluster.start(4);
    const [one, two, three] = [1, 2, 3].map((id) => cluster.sync(id).open(`program on node ${id}`)) as [SyncClient, SyncClient, SyncClient];
    await granted(one.ask(acquire()));
    const second = await queued(two, acquire());
    const third = await queued(three, acquire());
    one[Symbol.dispose]();
    assert.equal((await granted(second.reply)).ownerDied, true);
    await cluster.kill(2);
    const last = await granted(third.reply);
    assert.equal(last.ownerDied, true);
    assert.deepEqual(await three.ask({ kind: 'repair', claim: last.claim }), { kind: 'done' });
    await three.ask({ kind: 'release', claim: last.claim });
    assert.equal((await granted(cluster.sync(4).open('a fourth').ask(acquire()))).ownerDied, false);
  });

  test('a daemon that is started again has lost what its clients had', async () => {
    await using cluster = await SyncCluster.start(3);
    const one = cluster.sync(1).open('program on node 1');
    let lost = 0;
    one.onLost(() => lost++);
    await granted(one.ask(acquire()));
    const second = await queued(cluster.sync(2).open('program on node 2'), acquire());
    await cluster.restart(1);
    assert.equal(lost, 1);
    assert.equal((await granted(second.reply)).ownerDied, true);
    const third = await queued(cluster.sync(1).open('a later program'), acquire());
    assert.deepEqual(third.holders, ['program on node 2']);
  });

  test('time-outs and cancellation leave nothing behind', async () => {
    await using cluster = await SyncCluster.start(2);
    const [one, two] = [1, 2].map((id) => cluster.sync(id).open(`program on node ${id}`)) as [SyncClient, SyncClient];
    const { claim } = await granted(one.ask(acquire()));
    assert.deepEqual(await two.ask(acquire(LOCK, 30)), { kind: 'timed-out' });
    const impatience = new AbortController();
    const asked = two.ask(acquire(), { signal: impatience.signal, onQueued: () => impatience.abort() });
    assert.deepEqual(await asked, { kind: 'cancelled' });
    await one.ask({ kind: 'release', claim });
    assert.deepEqual(await cluster.sync(1).tables(), []);
  });

  test('a barrier opens on all nodes; semaphores, conditions and numbers are shared', async () => {
    await using cluster = await SyncCluster.start(3);
    const clients = [1, 2, 3].map((id) => cluster.sync(id).open(`program on node ${id}`));
    const barrier: Request = { kind: 'arrive', key: keyOf('barrier', '0', 'all'), parties: 3, timeoutMs: undefined };
    const passed = await Promise.all(clients.map((client) => client.ask(barrier)));
    assert.ok(passed.every(({ kind }) => kind === 'passed'));
    assert.equal(passed.filter((reply) => reply.kind === 'passed' && reply.isSerial).length, 1);

    const [one, two] = clients as [SyncClient, SyncClient];
    const units = keyOf('semaphore', '0', 'units');
    await one.ask({ kind: 'create-semaphore', key: units, value: 0 });
    const taken = await queued(two, { kind: 'take', key: units, count: 2, undo: false, timeoutMs: undefined });
    await one.ask({ kind: 'post', key: units, count: 2 });
    await granted(taken.reply);

    const condition = keyOf('condition', '0', 'ready');
    const lock = await granted(two.ask(acquire()));
    const waits = await queued(two, { kind: 'wait', key: condition, lock: lock.claim, timeoutMs: undefined });
    const mine = await granted(one.ask(acquire()));
    await one.ask({ kind: 'signal', key: condition, count: 1 });
    await one.ask({ kind: 'release', claim: mine.claim });
    assert.equal((await waits.reply).kind, 'signalled');

    const ids = keyOf('counter', '0', 'ids');
    const reserved = await Promise.all(clients.map((client) => client.ask({ kind: 'reserve', key: ids, count: 10 })));
    const firsts = reserved.map((reply) => (reply.kind === 'done' ? (reply.value ?? 0) : 0));
    assert.deepEqual(
      firsts.toSorted((a, b) => a - b),
      [1, 11, 21],
    );
    const id = await cluster.sync(1).uniqueId();
    await cluster.restart(1);
    assert.equal(nodeOfId(id), 1);
    assert.ok((await cluster.sync(1).uniqueId()) > id);
  });

  test('who waits for whom in a circle is named; who would wait for itself is refused', async () => {
    await using cluster = await SyncCluster.start(2);
    const [one, two] = [1, 2].map((id) => cluster.sync(id).open(`program on node ${id}`)) as [SyncClient, SyncClient];
    const [first, second] = [keyOf('lock', '0', 'first'), keyOf('lock', '0', 'second')];
    const mine = await granted(one.ask(acquire(first)));
    await granted(two.ask(acquire(second)));
    assert.deepEqual(await cluster.sync(1).open('a child', one.identity.session).ask(acquire(first)), { kind: 'deadlock' });
    const waits = await queued(two, acquire(first));
    assert.deepEqual(await cluster.sync(1).deadlocks(), []);
    await queued(one, acquire(second));
    const watching = new AbortController();
    const { promise, resolve } = Promise.withResolvers<string[]>();
    void cluster.sync(1).watchDeadlocks(one.identity.session, watching.signal, ({ waits: links }) => {
      resolve(links.map(({ waiter, key, blocker }) => `${waiter.label} ${key} ${blocker.label}`).toSorted());
    });
    assert.deepEqual(await promise, [
      'program on node 1 lock/0/second program on node 2',
      'program on node 2 lock/0/first program on node 1',
    ]);
    watching.abort();
    await one.ask({ kind: 'release', claim: mine.claim });
    await granted(waits.reply);
  });
});
