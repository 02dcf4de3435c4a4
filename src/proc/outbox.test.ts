import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KorriganError } from '../linux/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import type { Notice } from './messages.ts';
import { Outbox } from './outbox.ts';

const NODE = 3;
const notice = (pid: number): Notice => ({ kind: 'ended', pid, status: 0 });

/** Another node as far as the outbox sees it. */
function peer(): { rpc: Pick<RpcNode, 'call'>; got: number[]; isUp: boolean; isLiving: boolean; calls: () => Promise<void> } {
  let called = Promise.withResolvers<void>();
  const state = {
    got: [] as number[],
    isUp: false,
    isLiving: true,
    /** Resolves at the next call. */
    calls: () => called.promise,
    rpc: {
      call: (_: number, __: unknown, { notices }: { notices: Notice[] }) => {
        called.resolve();
        called = Promise.withResolvers();
        if (!state.isUp) return Promise.reject(new KorriganError('KRG_NODE_DEAD', 'it is not there'));
        state.got.push(...notices.map(({ pid }) => pid));
        return Promise.resolve({});
      },
    } as unknown as Pick<RpcNode, 'call'>,
  };
  return state;
}

test('notices arrive in their order when the node can be reached again', async () => {
  const other = peer();
  const outbox = new Outbox(
    other.rpc,
    () => other.isLiving,
    () => assert.fail('nothing comes back'),
  );
  for (const pid of [1, 2]) outbox.put(NODE, notice(pid));
  await other.calls();
  outbox.put(NODE, notice(3));
  other.isUp = true;
  await outbox.flushed(NODE);
  assert.deepEqual(other.got, [1, 2, 3]);
});

test('what a node has not got before it died comes back, in its order', async () => {
  const other = peer();
  const back: number[] = [];
  const outbox = new Outbox(
    other.rpc,
    () => other.isLiving,
    ({ pid }) => back.push(pid),
  );
  for (const pid of [1, 2]) outbox.put(NODE, notice(pid));
  await other.calls();
  outbox.put(NODE, notice(3));
  other.isLiving = false;
  await outbox.flushed(NODE);
  assert.deepEqual([other.got, back], [[], [1, 2, 3]]);
  outbox.put(NODE, notice(4));
  assert.deepEqual(back, [1, 2, 3]);
});
