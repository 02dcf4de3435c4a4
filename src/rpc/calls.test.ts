import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import { defineCall } from './definition.ts';
import { count, echo, TestCluster, told, until, wait } from './test-cluster.ts';

const OPTIONS = { timeout: 30_000 };

describe('calls', OPTIONS, () => {
  test('a call is answered, in both directions over one link', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    for (const node of [one, two]) node.handle(echo, ({ text }, { caller }) => ({ text: `${text} for ${caller}`, by: node.id }));
    assert.deepEqual(await one.call(2, echo, { text: 'a' }), { text: 'a for 1', by: 2 });
    assert.deepEqual(await two.call(1, echo, { text: 'b' }), { text: 'b for 2', by: 1 });
    assert.equal(cluster.log.filter(({ message }) => message === 'link is up').length, 2, 'one link, seen from two ends');
    assert.deepEqual(cluster.complaints, []);
  });

  test('a node calls itself', async () => {
    await using cluster = new TestCluster();
    const [one] = await cluster.pair();
    one.handle(echo, ({ text }, { caller }) => ({ text, by: caller }));
    assert.deepEqual(await one.call(1, echo, { text: 'me' }), { text: 'me', by: 1 });
    await assert.rejects(one.call(1, wait, {}), { code: 'KRG_NO_SUCH_CALL' });
  });

  test('raw bytes travel with request and response', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    two.handle(count, (size, context) => {
      context.answerBytes(Buffer.alloc(size, context.bytes[0]));
      return context.bytes.byteLength;
    });
    for (const size of [0, 1, 100, 100_000, 3_000_000]) {
      const { response, bytes, from } = await one.callWithBytes(2, count, size, { bytes: Buffer.alloc(size, 0x5a) });
      assert.equal(response, size);
      assert.equal(from, 2);
      assert.ok(Buffer.alloc(size, 0x5a).equals(bytes));
    }
  });

  test('values keep their kinds', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const kinds = defineCall('test.kinds', z.unknown(), z.unknown());
    two.handle(kinds, (value) => value);
    const value = {
      big: 2n ** 63n - 1n,
      small: 5n,
      negative: -7n,
      float: 1.5,
      large: 2 ** 40,
      text: 'ü',
      none: null,
      list: [1, [2]],
      yes: true,
    };
    assert.deepEqual(await one.call(2, kinds, value), value);
    const { data } = z.object({ data: z.instanceof(Uint8Array) }).parse(await one.call(2, kinds, { data: Buffer.from('bytes') }));
    assert.equal(Buffer.from(data).toString(), 'bytes');
  });

  test('an error crosses with its code, message and cause; a fault of a handler is KRG_INTERNAL and logged', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    two.handle(echo, () => {
      throw new KorriganError('KRG_NO_SUCH_PROCESS', 'no process 7', { cause: new Error('why') });
    });
    two.handle(wait, async () => {
      throw new TypeError('oops');
    });
    await assert.rejects(one.call(2, echo, { text: '' }), (error: KorriganError) => {
      assert.equal(error.code, 'KRG_NO_SUCH_PROCESS');
      assert.equal(error.message, 'no process 7');
      assert.equal((error.cause as Error).message, 'why');
      return true;
    });
    await assert.rejects(one.call(2, wait, {}), { code: 'KRG_INTERNAL', message: 'oops' });
    assert.equal(cluster.complaints.length, 1);
  });

  test('what does not fit the schemas is refused at the end that reads it', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    two.handle(echo, () => ({ text: 'x', by: 0.5 }));
    two.handle(count, (value) => value);
    const badCount = defineCall('test.count', z.string(), z.string());
    await assert.rejects(one.call(2, badCount, 'many'), { code: 'KRG_BAD_REQUEST', message: /test\.count/ });
    await assert.rejects(one.call(2, echo, { text: 'x' }), { code: 'KRG_PEER_PROTOCOL', message: /node 2 to test\.echo/ });
    assert.equal(await one.call(2, count, 1), 1, 'the link goes on');
  });

  test('unknown calls and unknown nodes have their codes', async () => {
    await using cluster = new TestCluster();
    const [one] = await cluster.pair();
    await assert.rejects(one.call(2, echo, { text: '' }), { code: 'KRG_NO_SUCH_CALL' });
    await assert.rejects(one.call(9, echo, { text: '' }), { code: 'KRG_NO_SUCH_NODE' });
  });

  test('10,000 calls at once start in their order and are all answered', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const started: number[] = [];
    two.handle(count, (number) => {
      started.push(number);
      return number % 3 === 0 ? Promise.resolve(number) : number;
    });
    const numbers = Array.from({ length: 10_000 }, (_, index) => index);
    const answers = await Promise.all(numbers.map((number) => one.call(2, count, number)));
    assert.deepEqual(answers, numbers);
    assert.deepEqual(started, numbers);
  });

  test('order holds between calls and notices, from before the link is there to after', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const seen: number[] = [];
    two.handle(count, (number) => {
      seen.push(number);
      return number;
    });
    two.handleNotice(told, (number) => void seen.push(number));
    const calls: Promise<number>[] = [];
    for (let number = 0; number < 2000; number++) {
      if (number % 2 === 0) calls.push(one.call(2, count, number));
      else one.notify(2, told, number);
      if (number % 500 === 0) await new Promise(setImmediate);
    }
    await Promise.all(calls);
    await until(() => seen.length === 2000);
    assert.deepEqual(
      seen,
      Array.from({ length: 2000 }, (_, index) => index),
    );
  });

  test('a disabled handler keeps its callers, in order, until it is enabled', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ callsOfDisabledHandler: 5 });
    const started: number[] = [];
    two.handle(count, (number) => {
      started.push(number);
      return number;
    });
    two.handle(wait, () => ({}));
    two.disable(count);
    const calls = [0, 1, 2, 3, 4].map((number) => one.call(2, count, number));
    await assert.rejects(one.call(2, count, 5), { code: 'KRG_LIMIT' });
    await one.call(2, wait, {});
    assert.deepEqual(started, []);
    two.enable(count);
    assert.deepEqual(await Promise.all(calls), [0, 1, 2, 3, 4]);
    assert.deepEqual(started, [0, 1, 2, 3, 4]);
  });

  test('a call that was given up while its handler was disabled is never started', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    let started = 0;
    two.handle(wait, () => {
      started += 1;
      return {};
    });
    two.disable(wait);
    await assert.rejects(one.call(2, wait, {}, { deadlineMs: 30 }), { code: 'KRG_DEADLINE' });
    const last = one.call(2, wait, {});
    await assert.rejects(one.call(2, echo, { text: '' }), { code: 'KRG_NO_SUCH_CALL' });
    two.enable(wait);
    await last;
    assert.equal(started, 1);
  });

  test('cancel and deadline end the call and abort the handler', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const reasons: string[] = [];
    two.handle(wait, async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reasons.push((signal.reason as KorriganError).code);
      return {};
    });
    await assert.rejects(one.call(2, wait, {}, { deadlineMs: 50 }), { code: 'KRG_DEADLINE' });
    await until(() => reasons.length === 1);
    const controller = new AbortController();
    const call = one.call(2, wait, {}, { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort(new Error('not needed'));
    await assert.rejects(call, (error: KorriganError) => error.code === 'KRG_CANCELLED' && (error.cause as Error).message === 'not needed');
    await until(() => reasons.length === 2);
    assert.equal(reasons[1], 'KRG_CANCELLED');
    await assert.rejects(one.call(2, wait, {}, { signal: controller.signal }), { code: 'KRG_CANCELLED' });
  });

  test('a running handler is signalled, in order, also before it listens', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const collect = defineCall('test.collect', z.object({}), z.array(z.int()));
    two.handle(collect, async (_, context) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const got: number[] = [];
      return new Promise((resolve) =>
        context.onSignal((number) => {
          got.push(number);
          if (number === 0) resolve(got);
        }),
      );
    });
    const onStarted = (signal: (number: number) => void): void => {
      for (const number of [3, 2, 1]) signal(number);
      setTimeout(() => signal(0), 50);
    };
    assert.deepEqual(await one.call(2, collect, {}, { onStarted }), [3, 2, 1, 0]);
  });

  test('a call is forwarded to the node that can answer; a circle ends in KRG_LIMIT', async () => {
    await using cluster = new TestCluster();
    const [one, two, three] = await cluster.nodes(3);
    two?.handle(echo, ({ text }, context) => context.forward(3, { text: `${text}!` }));
    three?.handle(echo, ({ text }, { caller }) => ({ text: `${text} for ${caller}`, by: 3 }));
    const { response, from } = (await one?.callWithBytes(2, echo, { text: 'a' })) ?? {};
    assert.deepEqual(response, { text: 'a! for 1', by: 3 });
    assert.equal(from, 3);
    two?.handle(count, (number, context) => context.forward(3, number + 1));
    three?.handle(count, (number, context) => context.forward(2, number + 1));
    await assert.rejects(one?.call(2, count, 0) ?? Promise.resolve(), { code: 'KRG_LIMIT', message: /circle/ });
  });

  test('a group call: all, each, at least', async () => {
    await using cluster = new TestCluster();
    const [one, two, three] = await cluster.nodes(3);
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    let cancelled = 0;
    one.handle(count, (number) => number + 1);
    two.handle(count, (number) => number + 2);
    three.handle(count, (number, { signal }) => {
      if (number >= 0) throw new KorriganError('KRG_NOT_SUPPORTED', 'not here');
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          cancelled += 1;
          reject(signal.reason as Error);
        });
      });
    });
    const each = await one.callGroup([1, 2, 3], count, 10, { policy: 'each' });
    assert.deepEqual(
      [...each.answers].toSorted(([a], [b]) => a - b),
      [
        [1, 11],
        [2, 12],
      ],
    );
    assert.equal(each.failures.get(3)?.code, 'KRG_NOT_SUPPORTED');
    await assert.rejects(one.callGroup([1, 2, 3], count, 10, { policy: 'all' }), { code: 'KRG_NOT_SUPPORTED', message: /3 were needed/ });
    assert.equal((await one.callGroup([1, 2], count, 10, { policy: 'all' })).answers.size, 2);
    const both = await one.callGroup([1, 2, 3], count, -10, { policy: { atLeast: 2 } });
    assert.deepEqual(new Set(both.answers.values()), new Set([-8, -9]));
    assert.equal(both.failures.get(3)?.code, 'KRG_CANCELLED');
    await until(() => cancelled === 1);
    await assert.rejects(one.callGroup([1, 2, 3], count, 10, { policy: { atLeast: 3 } }), { code: 'KRG_NOT_SUPPORTED' });
    await assert.rejects(one.callGroup([1], count, 10, { policy: { atLeast: 2 } }), { code: 'KRG_BAD_REQUEST' });
  });

  test('what is too much is refused with KRG_LIMIT and the link goes on', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ outgoingCalls: 10, bodyBytes: 1000 });
    two.handle(wait, () => new Promise(() => {}));
    two.handle(echo, ({ text }) => ({ text: text.repeat(10), by: 2 }));
    await one.call(2, echo, { text: '' });
    const controller = new AbortController();
    const calls = Array.from({ length: 10 }, () => one.call(2, wait, {}, { signal: controller.signal }));
    await assert.rejects(one.call(2, wait, {}), { code: 'KRG_LIMIT' });
    controller.abort();
    await Promise.allSettled(calls);
    await assert.rejects(one.call(2, echo, { text: 'a'.repeat(2000) }), { code: 'KRG_LIMIT' });
    await assert.rejects(one.call(2, echo, { text: 'a'.repeat(200) }), { code: 'KRG_LIMIT' });
    assert.equal((await one.call(2, echo, { text: 'b' })).text.length, 10);
  });
});
