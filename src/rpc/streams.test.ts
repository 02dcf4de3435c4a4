import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { KorriganError } from '../linux/errors.ts';
import type { RpcNode } from './rpc-node.ts';
import { bytes, count, sums, TestCluster, until } from './test-cluster.ts';

const OPTIONS = { timeout: 30_000 };

/** Answers every number with the sum so far. */
function handleSums(node: RpcNode): void {
  node.handleStream(sums, async ({ from }, stream) => {
    let sum = from;
    for await (const number of stream) {
      sum += number;
      await stream.write(sum);
    }
  });
}

describe('streams', OPTIONS, () => {
  test('messages flow in both directions, each with its own end', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    handleSums(two);
    for (const node of [one, two]) {
      if (node === two) continue;
      const stream = await node.openStream(2, sums, { from: 100 });
      for (let number = 1; number <= 3; number++) await stream.write(number);
      await stream.end();
      const got: number[] = [];
      for await (const sum of stream) got.push(sum);
      assert.deepEqual(got, [101, 103, 106]);
      assert.equal(await stream.closed, undefined);
    }
  });

  test('a node has streams to itself', async () => {
    await using cluster = new TestCluster();
    const [one] = await cluster.pair();
    handleSums(one);
    const stream = await one.openStream(1, sums, { from: 0 });
    await stream.write(5);
    assert.equal(await stream.read(), 5);
    await stream.end();
    assert.equal(await stream.read(), undefined);
  });

  test('raw bytes arrive whole and in order', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const arrived = createHash('sha256');
    two.handleStream(bytes, async (_, stream) => {
      for await (const piece of stream) arrived.update(piece);
      await stream.write(arrived.digest());
    });
    const sent = createHash('sha256');
    const stream = await one.openStream(2, bytes, {});
    for (let round = 0; round < 200; round++) {
      const piece = randomBytes(1 + ((round * 7919) % 300_000));
      sent.update(piece);
      await stream.write(piece);
    }
    await stream.end();
    const digest = await stream.read();
    assert.deepEqual(Buffer.from(digest ?? []), sent.digest());
  });

  test('a writer waits for its reader: what lies in memory is bounded by the window', async () => {
    await using cluster = new TestCluster();
    const window = 100_000;
    const [one, two] = await cluster.pair({ streamWindowBytes: window, streamChunkBytes: 10_000 });
    const { promise: mayRead, resolve: startReading } = Promise.withResolvers<void>();
    let readBytes = 0;
    two.handleStream(bytes, async (_, stream) => {
      await mayRead;
      for await (const piece of stream) readBytes += piece.byteLength;
    });
    two.handle(count, (number) => number);
    const stream = await one.openStream(2, bytes, {});
    let writtenBytes = 0;
    const total = 20 * window;
    const writing = (async () => {
      for (; writtenBytes < total; writtenBytes += 10_000) await stream.write(Buffer.alloc(10_000));
      await stream.end();
    })();
    // Calls go back and forth while the stream stands still.
    for (let round = 0; round < 50; round++) await one.call(2, count, round);
    assert.ok(writtenBytes >= window - 20_000 && writtenBytes <= window + 10_000, `${writtenBytes} bytes were accepted`);
    startReading();
    await writing;
    await stream.closed;
    assert.equal(readBytes, total);
  });

  test('writers that do not wait keep their order', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ streamWindowBytes: 1000 });
    const got: number[] = [];
    two.handleStream(sums, async (_, stream) => {
      for await (const number of stream) got.push(number);
    });
    const stream = await one.openStream(2, sums, { from: 0 });
    const numbers = Array.from({ length: 1000 }, (_, index) => index);
    void stream.write(-1);
    await Promise.all([...numbers.map((number) => stream.write(number)), stream.end()]);
    await stream.closed;
    assert.deepEqual(got, [-1, ...numbers]);
  });

  test('control overtakes bulk: calls are answered in the midst of a stream that fills the link', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    let readBytes = 0;
    two.handleStream(bytes, async (_, stream) => {
      for await (const piece of stream) readBytes += piece.byteLength;
    });
    const total = 64 * 1024 * 1024;
    two.handle(count, () => readBytes);
    const stream = await one.openStream(2, bytes, {});
    const writing = (async () => {
      await stream.write(Buffer.alloc(total));
      await stream.end();
    })();
    const seen: number[] = [];
    for (let round = 0; round < 20; round++) seen.push(await one.call(2, count, 0));
    await writing;
    await stream.closed;
    assert.equal(readBytes, total);
    assert.ok((seen.at(-1) ?? 0) < total, 'twenty calls were answered before the stream was through');
  });

  test('a refusal, a bad request and a missing handler fail the opening', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    two.handleStream(sums, async () => {
      throw new KorriganError('KRG_PERMISSION', 'not you');
    });
    const refused = await one.openStream(2, sums, { from: 0 });
    await assert.rejects(refused.read(), { code: 'KRG_PERMISSION', message: 'not you' });
    await assert.rejects(one.openStream(2, sums, { from: 0.5 }), { code: 'KRG_BAD_REQUEST' });
    await assert.rejects(one.openStream(2, bytes, {}), { code: 'KRG_NO_SUCH_CALL' });
  });

  test('an abort reaches the other end with its code, wherever that waits', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ streamWindowBytes: 1000 });
    const ends: string[] = [];
    two.handleStream(sums, async ({ from }, stream) => {
      try {
        if (from === 0) await stream.read();
        else for (;;) await stream.write(1);
      } catch (error) {
        ends.push((error as KorriganError).code);
        assert.equal(stream.signal.aborted, true);
        throw error;
      }
    });
    for (const from of [0, 1]) {
      const stream = await one.openStream(2, sums, { from });
      stream.abort(new KorriganError('KRG_PROCESS_BUSY', 'stop'));
      await assert.rejects(stream.read(), { code: 'KRG_PROCESS_BUSY' });
      await assert.rejects(stream.write(1), /./);
      assert.equal((await stream.closed)?.code, 'KRG_PROCESS_BUSY');
    }
    await until(() => ends.length === 2);
    assert.deepEqual(ends, ['KRG_PROCESS_BUSY', 'KRG_PROCESS_BUSY']);
    assert.deepEqual(cluster.complaints, []);
  });

  test('a reader that leaves its loop, or its block, breaks the stream off', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    const ends: string[] = [];
    two.handleStream(sums, async (_, stream) => {
      void stream.write(1);
      ends.push((await stream.closed)?.code ?? 'none');
    });
    const stream = await one.openStream(2, sums, { from: 0 });
    for await (const number of stream) if (number === 1) break;
    {
      await using second = await one.openStream(2, sums, { from: 0 });
      assert.equal(await second.read(), 1);
    }
    await until(() => ends.length === 2);
    assert.deepEqual(ends, ['KRG_CANCELLED', 'KRG_CANCELLED']);
  });

  test('a signal breaks a stream off, a deadline only its opening', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    handleSums(two);
    two.disable(sums);
    await assert.rejects(one.openStream(2, sums, { from: 0 }, { deadlineMs: 30 }), { code: 'KRG_DEADLINE' });
    two.enable(sums);
    const controller = new AbortController();
    const stream = await one.openStream(2, sums, { from: 0 }, { deadlineMs: 2000, signal: controller.signal });
    await stream.write(1);
    assert.equal(await stream.read(), 1);
    const reading = stream.read();
    controller.abort();
    await assert.rejects(reading, { code: 'KRG_CANCELLED' });
  });

  test('many streams live side by side, and their number is bounded', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair({ streams: 200 });
    handleSums(two);
    const streams = await Promise.all(Array.from({ length: 200 }, (_, from) => one.openStream(2, sums, { from })));
    await assert.rejects(one.openStream(2, sums, { from: 0 }), { code: 'KRG_LIMIT' });
    await Promise.all(
      streams.map(async (stream, from) => {
        await stream.write(1);
        assert.equal(await stream.read(), from + 1);
        await stream.end();
        await stream.closed;
      }),
    );
    await (await one.openStream(2, sums, { from: 0 })).end();
  });

  test('a message that does not fit breaks off its stream and nothing else', async () => {
    await using cluster = new TestCluster();
    const [one, two] = await cluster.pair();
    handleSums(two);
    two.handle(count, (number) => number);
    const stream = await one.openStream(2, sums, { from: 0 });
    await stream.write(0.5);
    await assert.rejects(stream.read(), { code: 'KRG_BAD_REQUEST' });
    assert.equal(await one.call(2, count, 3), 3);
  });
});
