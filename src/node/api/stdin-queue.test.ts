import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StdinQueue } from './stdin-queue.ts';

async function lengths(queue: StdinQueue): Promise<number[]> {
  const seen: number[] = [];
  for await (const chunk of queue) seen.push(chunk.length);
  return seen;
}

test('chunks come in order, also those that wait when the input ends', async () => {
  const queue = new StdinQueue(100, () => undefined);
  queue.push(new Uint8Array(10));
  const seen = lengths(queue);
  queue.push(new Uint8Array(20));
  await Promise.resolve();
  queue.push(new Uint8Array(30));
  queue.end();
  assert.deepEqual(await seen, [10, 20, 30]);
});

test('credit goes back for what was taken, all of it, and not before', async () => {
  let granted = 0;
  const queue = new StdinQueue(100, (bytes) => (granted += bytes));
  queue.push(new Uint8Array(60));
  queue.push(new Uint8Array(40));
  assert.equal(granted, 0);
  assert.throws(() => queue.push(new Uint8Array(1)), { code: 'KRG_BAD_REQUEST' });
  queue.end();
  assert.deepEqual(await lengths(queue), [60, 40]);
  assert.equal(granted, 100);
});

test('input after its end is refused', () => {
  const queue = new StdinQueue(100, () => undefined);
  queue.end();
  assert.throws(() => queue.push(new Uint8Array(1)), { code: 'KRG_BAD_REQUEST', message: /after its end/ });
});
