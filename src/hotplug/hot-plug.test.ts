/** Nodes of one cluster, each with its RPC, its store and its modules, over real links. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError } from '../linux/errors.ts';
import { CertificateAuthority, RpcNode, Trust } from '../rpc/index.ts';
import { HotPlug } from './hot-plug.ts';
import { RegisterStore } from './register-store.ts';
import type { Stage } from './stages.ts';
import { sampleNode, sampleView } from './store-suite.ts';
import { add, appear, drain, membersOf, removed } from './view.ts';

const HOST = '127.0.0.1';
const SILENT = { info: () => undefined, warn: () => undefined };

interface Node extends AsyncDisposable {
  readonly rpc: RpcNode;
  readonly store: RegisterStore;
  readonly hotPlug: HotPlug;
  /** What its modules were told. */
  readonly told: string[];
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 15_000; !condition(); await delay(10)) assert.ok(performance.now() < end, 'waited in vain');
}

function recorder(name: string, told: string[]): Stage {
  return {
    name,
    freeze: () => Promise.resolve(void told.push(`${name} freeze`)),
    change: ({ joined, left, died }) => Promise.resolve(void told.push(`${name} +${joined.join()} -${left.join()} x${died.join()}`)),
    resume: () => Promise.resolve(void told.push(`${name} resume`)),
  };
}

/** @param members nodes 1 to that one take part at first */
async function startNodes(count: number, members: number): Promise<{ nodes: Node[] } & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-hotplug-'));
  const authority = await CertificateAuthority.create(join(directory, 'authority'), 'plug');
  const credentials = await Promise.all(Array.from({ length: count }, (_, n) => authority.credentialsFor(n + 1)));
  const rpcs = credentials.map((each) => new RpcNode({ trust: new Trust(each) }));
  const ports = await Promise.all(rpcs.map((rpc) => rpc.listen({ host: HOST, port: 0 })));
  for (const rpc of rpcs) for (const [n, { port }] of ports.entries()) if (n + 1 !== rpc.id) rpc.addPeer(n + 1, HOST, port);
  const nodes = rpcs.map((rpc): Node => {
    const told: string[] = [];
    const first = rpc.id <= members ? sampleView(members) : undefined;
    const store = new RegisterStore({ rpc, path: join(directory, `acceptor-${rpc.id}`), first });
    const hotPlug = new HotPlug({
      rpc,
      store,
      stages: [recorder('low', told), recorder('high', told)],
      restartMilliseconds: 1500,
      log: SILENT,
    });
    const close = async (): Promise<void> => {
      await hotPlug[Symbol.asyncDispose]();
      await rpc.close();
      await store[Symbol.asyncDispose]();
    };
    return { rpc, store, hotPlug, told, [Symbol.asyncDispose]: close };
  });
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    rmSync(directory, { recursive: true });
  };
  return { nodes, [Symbol.asyncDispose]: close };
}

const at = (nodes: readonly Node[], id: number): Node => nodes[id - 1] ?? assert.fail();

test('a node that falls silent is dead for all within two seconds or little more, and its modules are told in order', async () => {
  await using world = await startNodes(3, 3);
  const { nodes } = world;
  await Promise.all(nodes.map(({ hotPlug }) => hotPlug.settled()));
  const begun = ['high freeze', 'low freeze', 'low +1,2,3 - x', 'high +1,2,3 - x', 'low resume', 'high resume'];
  for (const { told } of nodes) assert.deepEqual(told.splice(0), begun);
  await delay(500);
  await at(nodes, 3)[Symbol.asyncDispose]();
  await until(() => [1, 2].every((id) => membersOf(at(nodes, id).hotPlug.view).join() === '1,2'));
  for (const id of [1, 2]) {
    await at(nodes, id).hotPlug.settled();
    assert.deepEqual(at(nodes, id).told, ['high freeze', 'low freeze', 'high + - x3', 'low + - x3', 'low resume', 'high resume']);
  }
  // The same life does not come back.
  await assert.rejects(
    at(nodes, 1).store.change((view) => appear(view, sampleNode(3))),
    (error) => isKorriganError(error, 'KRG_NODE_FENCED'),
  );
});

test('nodes are added and removed while all are up', async () => {
  await using world = await startNodes(4, 2);
  const { nodes } = world;
  await at(nodes, 1).store.change((view) => [3, 4].reduce((present, id) => appear(present, sampleNode(id)), view));
  await at(nodes, 1).store.change((view) => add(view, [3, 4]));
  await until(() => nodes.every(({ hotPlug }) => membersOf(hotPlug.view).join() === '1,2,3,4'));
  await at(nodes, 4).store.change((view) => drain(view, 1, 4));
  await at(nodes, 4).store.change((view) => removed(view, 1));
  await until(() => nodes.every(({ hotPlug }) => membersOf(hotPlug.view).join() === '2,3,4'));
  assert.ok(at(nodes, 2).told.includes('low + -1 x'));
});

test('a side without a majority stands still until it is back', async () => {
  await using world = await startNodes(3, 3);
  const { nodes } = world;
  const one = at(nodes, 1);
  await one.hotPlug.settled();
  await delay(500);
  await at(nodes, 2)[Symbol.asyncDispose]();
  await at(nodes, 3)[Symbol.asyncDispose]();
  await until(() => !one.hotPlug.hasMajority);
  await one.hotPlug.settled();
  assert.deepEqual(one.told.slice(-2), ['high freeze', 'low freeze']);
  assert.deepEqual(membersOf(one.hotPlug.view), [1, 2, 3], 'it declares nobody dead');
});
