/** The store over real links between nodes of one machine; the links are cut by closing nodes, which keep what is on their disks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateAuthority, RpcNode, Trust } from '../rpc/index.ts';
import { RegisterStore } from './register-store.ts';
import { describeStore, sampleNode, sampleView } from './store-suite.ts';
import { add, appear, membersOf, type View } from './view.ts';

const HOST = '127.0.0.1';

class Nodes implements AsyncDisposable {
  readonly stores = new Map<number, RegisterStore>();
  private readonly rpcs = new Map<number, RpcNode>();
  private readonly ports = new Map<number, number>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-store-'));
  private readonly first: View;
  private authority: CertificateAuthority | undefined;

  private constructor(first: View) {
    this.first = first;
  }

  /** @param count nodes, of which `members` take part at first */
  static async start(count: number, members: number): Promise<Nodes> {
    const nodes = new Nodes(sampleView(members));
    for (let id = 1; id <= count; id++) await nodes.start(id);
    return nodes;
  }

  async start(id: number): Promise<RegisterStore> {
    this.authority ??= await CertificateAuthority.create(join(this.directory, 'authority'), 'stores');
    const rpc = new RpcNode({ trust: new Trust(await this.authority.credentialsFor(id)) });
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

describeStore('the register of the members', async () => {
  const nodes = await Nodes.start(3, 3);
  return {
    store: (id) => nodes.store(id),
    takeMajorityAway: async () => {
      await nodes.stop(2);
      await nodes.stop(3);
    },
    giveMajorityBack: async () => {
      await nodes.start(2);
    },
    [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
  };
});

test('members come and go while the record is changed; who was not in the cluster at first knows it when it is', async () => {
  await using nodes = await Nodes.start(5, 2);
  for (const id of [3, 4, 5]) await nodes.store(1).change((view) => add(appear(view, sampleNode(id)), [id]));
  assert.deepEqual(membersOf(await nodes.store(5).read()), [1, 2, 3, 4, 5]);
  await nodes.stop(1);
  await nodes.stop(2);
  const view = await nodes.store(4).change((present) => appear(present, sampleNode(9)));
  assert.equal(view.nodes.at(-1)?.id, 9);
});

test('all nodes are stopped and started again: what was agreed on is on their disks', async () => {
  await using nodes = await Nodes.start(3, 3);
  await nodes.store(1).change((view) => appear(view, sampleNode(7)));
  for (const id of [1, 2, 3]) await nodes.stop(id);
  await nodes.start(2);
  const store = await nodes.start(3);
  assert.deepEqual(
    (await store.read()).nodes.map(({ id }) => id),
    [1, 2, 3, 7],
  );
});
