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
import { sampleNode } from './store-suite.ts';
import { add, appear, comeUp, declareDead, drain, membersOf, type OwnRecord, removed, type View } from './view.ts';

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
  const own = (id: number): OwnRecord => ({ ...sampleNode(id), port: ports[id - 1]?.port ?? 0 });
  const ids = Array.from({ length: members }, (_, n) => n + 1);
  const first = add(
    ids.reduce((view: View, id) => appear(view, { ...own(id), life: '' }), { epoch: 0, nodes: [] }),
    ids,
  );
  const nodes = rpcs.map((rpc): Node => {
    const told: string[] = [];
    const store = new RegisterStore({ rpc, path: join(directory, `acceptor-${rpc.id}`), first });
    const hotPlug = new HotPlug({
      rpc,
      store,
      stages: [recorder('low', told), recorder('high', told)],
      self: own(rpc.id),
      onFenced: () => told.push('fenced'),
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
  await Promise.all(nodes.slice(0, members).map(({ hotPlug }) => hotPlug.start()));
  return { nodes, [Symbol.asyncDispose]: close };
}

const at = (nodes: readonly Node[], id: number): Node => nodes[id - 1] ?? assert.fail();

const told = async ({ hotPlug, told: all }: Node): Promise<string[]> => {
  await hotPlug.settled();
  return all.splice(0);
};

test('a node that falls silent is dead for all, and its modules are told in order; it comes back with another life only', async () => {
  await using world = await startNodes(3, 3);
  const { nodes } = world;
  await until(() => nodes.every(({ hotPlug }) => hotPlug.view.nodes.every(({ life }) => life !== '')));
  const [begun = []] = await Promise.all(nodes.map(told));
  assert.deepEqual(begun.slice(0, 6), ['high freeze', 'low freeze', 'low +1,2,3 - x', 'high +1,2,3 - x', 'low resume', 'high resume']);
  const three = at(nodes, 3);
  await three.hotPlug[Symbol.asyncDispose]();
  await until(() => [1, 2].every((id) => membersOf(at(nodes, id).hotPlug.view).join() === '1,2'));
  for (const id of [1, 2])
    assert.deepEqual(await told(at(nodes, id)), ['high freeze', 'low freeze', 'high + - x3', 'low + - x3', 'low resume', 'high resume']);
  await assert.rejects(
    at(nodes, 1).store.change((view) => appear(view, sampleNode(3))),
    (error) => isKorriganError(error, 'KRG_NODE_FENCED'),
  );
  await three.store.change((view) => comeUp(view, { ...sampleNode(3), life: 'another life' }));
  await until(() => [1, 2].every((id) => membersOf(at(nodes, id).hotPlug.view).join() === '1,2,3'));
  for (const id of [1, 2]) assert.ok((await told(at(nodes, id))).includes('low +3 - x'));
});

test('a node that was stopped longer than the others waited hears that it is fenced when it goes on', async () => {
  await using world = await startNodes(3, 3);
  const { nodes } = world;
  await until(() => nodes.every(({ hotPlug }) => hotPlug.view.nodes.every(({ life }) => life !== '')));
  // The others declare it dead by mistake: it is up all the time.
  await at(nodes, 1).store.change((view) => declareDead(view, 3, sampleNode(3).life));
  await until(() => at(nodes, 3).told.includes('fenced'));
  assert.ok(!at(nodes, 1).told.includes('fenced'));
});

test('nodes are added and removed while all are up; who was taken out is told of the cluster, and forgotten when it has gone', async () => {
  await using world = await startNodes(4, 2);
  const { nodes } = world;
  await Promise.all([3, 4].map((id) => at(nodes, id).hotPlug.start()));
  await until(() => nodes.every(({ hotPlug }) => membersOf(hotPlug.view).join() === '1,2,3,4'));
  await at(nodes, 4).store.change((view) => drain(view, 1, 4));
  await at(nodes, 4).store.change((view) => removed(view, 1));
  await until(() => nodes.every(({ hotPlug }) => membersOf(hotPlug.view).join() === '2,3,4'));
  assert.ok(at(nodes, 2).told.includes('low + -1 x'));
  await at(nodes, 1)[Symbol.asyncDispose]();
  await until(() => at(nodes, 4).hotPlug.view.nodes.some(({ id, state }) => id === 1 && state === 'possible'));
});

test('a side without a majority stands still until it is back', async () => {
  await using world = await startNodes(3, 3);
  const { nodes } = world;
  const one = at(nodes, 1);
  await Promise.all([2, 3].map((id) => at(nodes, id)[Symbol.asyncDispose]()));
  await until(() => !one.hotPlug.hasMajority);
  assert.deepEqual((await told(one)).slice(-2), ['high freeze', 'low freeze']);
  assert.deepEqual(membersOf(one.hotPlug.view), [1, 2, 3], 'it declares nobody dead');
});
