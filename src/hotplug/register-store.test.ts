/** The store over real links between nodes of one machine; the links are cut by closing nodes, which keep what is on their disks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import { RpcNode } from '../rpc/index.ts';
import { RegisterStore } from './register-store.ts';
import { add, appear, membersOf, type View, vanish } from './view.ts';

const HOST = '127.0.0.1';
const record = (id: number): Parameters<typeof appear>[1] => ({ id, name: `node${id}`, address: HOST, port: 1, life: `life ${id}` });
/** Nodes 1 to `count` take part. */
const viewOf = (count: number): View => {
  const ids = Array.from({ length: count }, (_, n) => n + 1);
  const nobody: View = { epoch: 0, nodes: [] };
  return add(
    ids.reduce((view, id) => appear(view, record(id)), nobody),
    ids,
  );
};

class Nodes implements AsyncDisposable {
  readonly stores = new Map<number, RegisterStore>();
  private readonly rpcs = new Map<number, RpcNode>();
  private readonly ports = new Map<number, number>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-store-'));
  private readonly first: View;

  private constructor(first: View) {
    this.first = first;
  }

  /** @param count nodes, of which `members` take part at first */
  static async start(count: number, members: number): Promise<Nodes> {
    const nodes = new Nodes(viewOf(members));
    for (let id = 1; id <= count; id++) await nodes.start(id);
    return nodes;
  }

  async start(id: number): Promise<RegisterStore> {
    const rpc = new RpcNode({ id, cluster: 'stores', secret: Buffer.alloc(32, 1), oneMachine: true });
    const { port } = await rpc.listen({ host: HOST, port: this.ports.get(id) ?? 0 });
    this.ports.set(id, port);
    const isMember = membersOf(this.first).includes(id);
    const path = join(this.directory, `acceptor-${id}`);
    const store = new RegisterStore({ rpc, path, first: isMember ? this.first : undefined });
    for (const [peer, other] of this.rpcs) {
      other.addPeer(id, HOST, port);
      rpc.addPeer(peer, HOST, this.ports.get(peer) ?? 0);
    }
    this.rpcs.set(id, rpc);
    this.stores.set(id, store);
    return store;
  }

  async stop(id: number): Promise<void> {
    await this.rpcs.get(id)?.close();
    await this.stores.get(id)?.[Symbol.asyncDispose]();
    this.rpcs.delete(id);
    this.stores.delete(id);
  }

  store(id: number): RegisterStore {
    return this.stores.get(id) ?? assert.fail(`node ${id} is not up`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.rpcs.keys()].map((id) => this.stop(id)));
    rmSync(this.directory, { recursive: true });
  }
}

test('changes of all nodes at once are all made, everybody hears of them, and a read shows what another has changed', async () => {
  await using nodes = await Nodes.start(3, 3);
  const heard: View[] = [];
  nodes.store(3).watch((view) => heard.push(view));
  await Promise.all(
    [...nodes.stores].flatMap(([id, store]) => [0, 1, 2].map((n) => store.change((view) => appear(view, record(10 * id + n))))),
  );
  const ids = [1, 2, 3, 10, 11, 12, 20, 21, 22, 30, 31, 32];
  assert.deepEqual(
    (await nodes.store(2).read()).nodes.map(({ id }) => id),
    ids,
  );
  while ((heard.at(-1)?.nodes.length ?? 0) < ids.length) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(nodes.store(3).known, heard.at(-1));
});

test('what a change throws is thrown, and nothing is changed', async () => {
  await using nodes = await Nodes.start(2, 2);
  const refusal = new KorriganError('KRG_NODE_ONLINE', 'no');
  await assert.rejects(
    nodes.store(1).change(() => {
      throw refusal;
    }),
    refusal,
  );
  assert.deepEqual(await nodes.store(2).read(), viewOf(2));
});

test('members come and go while the record is changed; who was not in the cluster at first knows it when it is', async () => {
  await using nodes = await Nodes.start(5, 2);
  for (const id of [3, 4, 5]) await nodes.store(1).change((view) => add(appear(view, record(id)), [id]));
  assert.deepEqual(membersOf(await nodes.store(5).read()), [1, 2, 3, 4, 5]);
  await nodes.stop(1);
  await nodes.stop(2);
  const view = await nodes.store(4).change((present) => appear(present, record(9)));
  assert.equal(view.nodes.at(-1)?.id, 9);
});

test('without a majority nothing can be agreed on; with one it goes on, and nothing is forgotten', async () => {
  await using nodes = await Nodes.start(3, 3);
  await nodes.store(1).change((view) => appear(view, record(7)));
  await nodes.stop(2);
  await nodes.store(1).change((view) => appear(view, record(8)));
  await nodes.stop(3);
  await assert.rejects(nodes.store(1).read(), (error) => isKorriganError(error, 'KRG_NO_MAJORITY'));
  await nodes.stop(1);
  await nodes.start(2);
  const store = await nodes.start(3);
  assert.deepEqual(
    (await store.read()).nodes.map(({ id }) => id),
    [1, 2, 3, 7, 8],
  );
  assert.equal((await store.change((view) => vanish(view, 7))).nodes.find(({ id }) => id === 7)?.state, 'possible');
});
