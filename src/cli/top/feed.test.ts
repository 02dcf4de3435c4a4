/** What watches goes on when the node that it asks does not: daemons that end, and one that listens and says nothing. On real sockets. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterEvent, NodeDescription } from '../../node/api/index.ts';
// The servers are the daemons': only tests join the two.
import { type ApiServer, startApiServer } from '../../node/api/server.ts';
import type { NodeServices } from '../../node/api/services.ts';
import { Feed } from './feed.ts';

const directory = mkdtempSync(join(tmpdir(), 'krg-feed-'));
after(() => rmSync(directory, { recursive: true }));

const describe = (id: number): NodeDescription => {
  return { id, name: `node${id}`, address: '10.0.0.1', socket: join(directory, `${id}.sock`), pid: null };
};

/** A daemon that tells of itself. */
function serve({ name, socket }: NodeDescription): Promise<ApiServer> {
  const services: Pick<NodeServices, 'usage' | 'events'> = {
    usage: () => Promise.resolve({ cluster: 'lab', node: name, nodes: [], processes: [] }),
    events: async function* (_caller, abort) {
      for (; !abort.aborted; await delay(20)) yield { time: 0, node: name, kind: 'test', message: `seen by ${name}` };
    },
  };
  return startApiServer({ socketPath: socket, services: services as NodeServices, onFault: (error) => assert.fail(String(error)) });
}

function feedOf(nodes: readonly NodeDescription[]): { feed: Feed; events: ClusterEvent[]; silences: () => number } {
  const events: ClusterEvent[] = [];
  let silences = 0;
  const onSilence = (): void => void (silences += 1);
  const feed = new Feed({ nodes: () => nodes, onEvent: (event) => events.push(event), onSilence, answerMilliseconds: 300 });
  return { feed, events, silences: () => silences };
}

async function until(reached: () => boolean): Promise<void> {
  for (const last = Date.now() + 20_000; !reached(); await delay(10)) assert.ok(Date.now() < last, 'it did not come true');
}

test('when a daemon ends the next one is asked, tells of events, and it is said', async () => {
  const nodes = [describe(1), describe(2)] as const;
  const first = await serve(nodes[0]);
  await using second = Object.assign(await serve(nodes[1]), { [Symbol.asyncDispose]: () => second.close() });
  const { feed, events } = feedOf(nodes);
  using watching = feed;
  const following = watching.follow();
  assert.equal((await watching.look(true)).node, 'node1');
  await until(() => events.some(({ message }) => message === 'seen by node1'));
  await first.close();
  assert.equal((await watching.look()).node, 'node2');
  await until(() => events.some(({ message }) => message === 'seen by node2'));
  assert.ok(events.some(({ message }) => message === 'node1 does not answer; node2 is asked now'));
  watching[Symbol.dispose]();
  await following;
});

test('one that listens and does not answer is given up', async () => {
  const nodes = [describe(3), describe(4)] as const;
  const silent = createServer(() => undefined).listen(nodes[0].socket);
  await using second = Object.assign(await serve(nodes[1]), { [Symbol.asyncDispose]: () => second.close() });
  const { feed } = feedOf(nodes);
  using watching = feed;
  assert.equal((await watching.look(true)).node, 'node4');
  assert.equal((await watching.look()).node, 'node4');
  silent.close();
});

test('when nobody answers it fails at the start, and goes on asking later', async () => {
  const nodes = [describe(5)] as const;
  const { feed, silences } = feedOf(nodes);
  using watching = feed;
  await assert.rejects(watching.look(true), { code: 'KRG_NO_DAEMON' });
  const look = watching.look();
  await until(() => silences() > 0);
  await using server = Object.assign(await serve(nodes[0]), { [Symbol.asyncDispose]: () => server.close() });
  assert.equal((await look).node, 'node5');
});
