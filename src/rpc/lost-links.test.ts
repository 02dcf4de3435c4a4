import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KorriganError } from '../linux/errors.ts';
import type { RpcNode } from './rpc-node.ts';
import { bytes, count, echo, HOST, sums, TestCluster, told, until, wait } from './test-cluster.ts';

const OPTIONS = { timeout: 30_000 };
const FAST = { connectMs: 300, heartbeatMs: 20, heartbeatsMissed: 5, reconnectFirstMs: 5 };

describe('lost links', OPTIONS, () => {
  test('a node that is not there: KRG_NODE_DEAD, never a hang', async () => {
    await using cluster = new TestCluster();
    const one = cluster.node(1, { limits: FAST });
    one.addPeer(2, HOST, 1);
    await assert.rejects(one.call(2, echo, { text: '' }), { code: 'KRG_NODE_DEAD', message: /ECONNREFUSED/ });
    await assert.rejects(one.openStream(2, sums, { from: 0 }), { code: 'KRG_NODE_DEAD' });
    await assert.rejects(one.call(2, echo, { text: '' }, { idempotencyKey: 'k' }), { code: 'KRG_NODE_DEAD' });
    await assert.rejects(one.call(2, echo, { text: '' }, { deadlineMs: 20 }), { code: 'KRG_DEADLINE' });
    one.notify(2, told, 1);
    await until(() => cluster.complaints.some(({ message }) => message === 'a notice was not delivered'));
  });

  test('a link that is cut ends its calls and streams, and the next call makes a new one', async () => {
    await using cluster = new TestCluster();
    const [one, two, proxy] = await cluster.throughProxy(FAST);
    let aborted = 0;
    two.handle(echo, ({ text }) => ({ text, by: 2 }));
    two.handle(
      wait,
      (_, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            aborted += 1;
            resolve({});
          }),
        ),
    );
    const streamEnds: (string | undefined)[] = [];
    two.handleStream(bytes, async (_, stream) => void streamEnds.push((await stream.closed)?.code));
    const changes: boolean[] = [];
    one.onLinkChange(({ up }) => changes.push(up));

    const stream = await one.openStream(2, bytes, {});
    const call = one.call(2, wait, {});
    const reading = stream.read();
    await one.call(2, echo, { text: 'it has started' });
    proxy.cut();
    await assert.rejects(call, { code: 'KRG_NODE_DEAD', message: /lost during the call test\.wait/ });
    await assert.rejects(reading, { code: 'KRG_NODE_DEAD' });
    await until(() => aborted === 1 && streamEnds.length === 1);
    assert.deepEqual(streamEnds, ['KRG_NODE_DEAD']);
    assert.equal(one.isConnected(2), false);
    assert.equal((await one.call(2, echo, { text: 'again' })).text, 'again');
    assert.deepEqual(changes, [true, false, true]);
  });

  test('a peer that falls silent is found dead by its missing heartbeats, on both ends', async () => {
    await using cluster = new TestCluster();
    const [one, two, proxy] = await cluster.throughProxy(FAST);
    two.handle(wait, () => new Promise(() => {}));
    const call = one.call(2, wait, {});
    await until(() => one.isConnected(2) && two.isConnected(1));
    proxy.hold();
    await assert.rejects(call, { code: 'KRG_NODE_DEAD', message: /no sign of life/ });
    await until(() => !two.isConnected(1));
  });

  test('an idle link stays, and a stall of this process is no death', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair(FAST);
    two.handle(echo, ({ text }) => ({ text, by: 2 }));
    await one.call(2, echo, { text: '' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Both nodes stand still for ten times what a peer may be silent.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await one.call(2, echo, { text: '' });
    assert.deepEqual(cluster.complaints, []);
  });

  test('a call with a key survives cut links and is carried out once', async () => {
    await using cluster = new TestCluster();
    const [one, two, proxy] = await cluster.throughProxy({ ...FAST, connectMs: 10_000 });
    const runs = new Map<number, number>();
    two.handle(count, async (number, { signal }) => {
      runs.set(number, (runs.get(number) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 5 + (number % 20)));
      assert.equal(signal.aborted, false);
      return number * 2;
    });
    const calls = Array.from({ length: 300 }, async (_, number) => {
      await new Promise((resolve) => setTimeout(resolve, number));
      return one.call(2, count, number, { idempotencyKey: `call ${number}` });
    });
    // On a busy machine a handshake takes longer than from one cut to the next.
    const cutting = setInterval(() => one.isConnected(2) && proxy.cut(), 15);
    const answers = await Promise.all(calls.slice(0, 250)).finally(() => clearInterval(cutting));
    assert.deepEqual(
      answers,
      answers.map((_, number) => number * 2),
    );
    await Promise.all(calls);
    assert.deepEqual(
      [...runs.values()].filter((times) => times !== 1),
      [],
    );
    assert.ok(cluster.log.filter(({ message }) => message === 'link is down').length > 2);
  });

  test('who asks last waits as long as who asked first', async () => {
    await using cluster = new TestCluster();
    const one = cluster.node(1, { limits: { ...FAST, connectMs: 400 } });
    const two = cluster.node(2);
    const { port } = await two.listen({ host: HOST, port: 0 });
    await two.close();
    one.addPeer(2, HOST, port);
    const first = one.call(2, echo, { text: 'first' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const second = one.call(2, echo, { text: 'second' });
    await assert.rejects(first, { code: 'KRG_NODE_DEAD' });
    const again = cluster.node(2);
    again.addPeer(1, HOST, 1);
    again.handle(echo, ({ text }) => ({ text, by: 2 }));
    await again.listen({ host: HOST, port });
    assert.deepEqual(await second, { text: 'second', by: 2 });
  });

  test('an open port speaks for a daemon that has ended, and not for one that has fallen silent', async () => {
    await using cluster = new TestCluster();
    const [one, two, proxy] = await cluster.throughProxy({ ...FAST, connectMs: 200 });
    two.handle(echo, ({ text }) => ({ text, by: 2 }));
    const answers: boolean[] = [];
    one.onPortAnswer(({ isOpen }) => answers.push(isOpen));
    assert.deepEqual(await one.call(2, echo, { text: 'first' }), { text: 'first', by: 2 });
    proxy.cut();
    await until(() => !one.isConnected(2));
    assert.deepEqual(await one.call(2, echo, { text: 'second' }), { text: 'second', by: 2 });
    assert.deepEqual(answers.splice(0), [true, true]);
    proxy.hold();
    await until(() => !one.isConnected(2));
    await assert.rejects(one.call(2, echo, { text: 'third' }), { code: 'KRG_NODE_DEAD' });
    assert.deepEqual(answers, []);
    await proxy[Symbol.asyncDispose]();
    await assert.rejects(one.call(2, echo, { text: 'fourth' }), { code: 'KRG_NODE_DEAD' });
    assert.ok(answers.length > 0 && answers.every((isOpen) => !isOpen));
  });

  test('a call with a key is not repeated on a peer that was started anew, unless the caller says so', async () => {
    await using cluster = new TestCluster();
    const one = cluster.node(1, { limits: { ...FAST, connectMs: 3000 } });
    const first = cluster.node(2);
    const { port } = await first.listen({ host: HOST, port: 0 });
    first.addPeer(1, HOST, 1);
    one.addPeer(2, HOST, port);
    first.handle(wait, () => new Promise(() => {}));
    const once = one.call(2, wait, {}, { idempotencyKey: 'once' });
    const again = one.call(2, wait, {}, { idempotencyKey: 'again', acrossRestarts: true });
    await until(() => first.isConnected(1));
    const second: RpcNode = cluster.node(2);
    second.addPeer(1, HOST, 1);
    const keys: (string | undefined)[] = [];
    second.handle(wait, (_, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      return {};
    });
    await first.close();
    await second.listen({ host: HOST, port });
    await assert.rejects(once, { code: 'KRG_NODE_DEAD', message: /started anew/ });
    assert.deepEqual(await again, {});
    assert.deepEqual(keys, ['again']);
  });

  test('a node that leaves says so: calls to it end at once', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    two.handle(wait, () => new Promise(() => {}));
    const ended = assert.rejects(one.call(2, wait, {}), { code: 'KRG_NODE_DEAD', message: /goodbye: this node was shut down/ });
    await until(() => two.isConnected(1));
    await two.close();
    await ended;
    await assert.rejects(two.call(1, wait, {}), { code: 'KRG_NODE_DEAD' });
  });

  test('a node that is removed is unknown afterwards, and refused when it connects', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair(FAST);
    two.handle(wait, () => new Promise(() => {}));
    const ended = assert.rejects(one.call(2, wait, {}), { code: 'KRG_NODE_DEAD', message: /node 2 was removed/ });
    await until(() => two.isConnected(1));
    one.removePeer(2);
    await ended;
    await until(() => !two.isConnected(1));
    await assert.rejects(one.call(2, wait, {}), { code: 'KRG_NO_SUCH_NODE' });
    await assert.rejects(two.call(1, wait, {}), { code: 'KRG_NO_SUCH_NODE' });
  });

  test('both connect at once, a hundred times: one link each time, and no call is lost', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    for (const node of [one, two]) node.handle(count, (number) => number);
    let links = 0;
    one.onLinkChange(({ up }) => {
      if (up) links += 1;
    });
    for (let round = 0; round < 100; round++) {
      const answers = Promise.all([
        one.call(2, count, round),
        two.call(1, count, round),
        one.call(2, count, round),
        two.call(1, count, round),
      ]);
      assert.deepEqual(await answers, [round, round, round, round]);
      assert.equal(links, round + 1);
      one.disconnect(2);
      await until(() => !two.isConnected(1) && !one.isConnected(2));
    }
  });

  test('both sides lose a link while many call: every call has an outcome', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ ...FAST, connectMs: 3000 });
    for (const node of [one, two]) node.handle(count, (number) => number);
    const outcomes: string[] = [];
    const callFrom = async (node: RpcNode, to: number): Promise<void> => {
      for (let number = 0; number < 300; number++) {
        try {
          assert.equal(await node.call(to, count, number, { deadlineMs: 10_000 }), number);
          outcomes.push('answered');
        } catch (error) {
          outcomes.push((error as KorriganError).code);
        }
      }
    };
    const cutting = setInterval(() => (Math.random() < 0.5 ? one.disconnect(2) : two.disconnect(1)), 3);
    await Promise.all([callFrom(one, 2), callFrom(two, 1), callFrom(one, 2), callFrom(two, 1)]).finally(() => clearInterval(cutting));
    assert.equal(outcomes.length, 1200);
    assert.deepEqual(new Set(outcomes).difference(new Set(['answered', 'KRG_NODE_DEAD'])), new Set());
    assert.ok(outcomes.filter((outcome) => outcome === 'answered').length > 600);
  });
});
