/** Objects on nodes that agree on who takes part: hotplug with its record, detector and stages, all over real links. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { add, appear, HotPlug, type OwnRecord, RegisterStore, renew, type View } from '../../hotplug/index.ts';
import { isKorriganError } from '../../linux/errors.ts';
import { CertificateAuthority, RpcNode, Trust } from '../../rpc/index.ts';
import { memoryLinker } from '../linker.ts';
import { lifeOf } from './epochs.ts';
import { Kddm } from './kddm.ts';
import type { KddmSetHandle } from './set-handle.ts';
import { until } from './test-cluster.ts';

const HOST = '127.0.0.1';
const OPTIONS = { timeout: 90_000 };
const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const pages = memoryLinker(16, 'page');

interface Node extends AsyncDisposable {
  readonly hotPlug: HotPlug;
  readonly kddm: Kddm;
  readonly rpc: RpcNode;
}

interface World extends AsyncDisposable {
  readonly nodes: readonly Node[];
  /** Another daemon in the same container. */
  restart(id: number): Promise<Node>;
}

async function start(count: number): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-kddm-'));
  const authority = await CertificateAuthority.create(join(directory, 'authority'), 'objects');
  const credentials = await Promise.all(Array.from({ length: count }, (_, n) => authority.credentialsFor(n + 1)));
  const first = credentials.map((each) => new RpcNode({ trust: new Trust(each) }));
  const ports = await Promise.all(first.map((rpc) => rpc.listen({ host: HOST, port: 0 })));
  let daemons = 0;
  const own = (id: number): OwnRecord => ({
    id,
    name: `node${id}`,
    address: HOST,
    port: ports[id - 1]?.port ?? 0,
    life: `life ${id}`,
    daemon: `daemon ${++daemons}`,
  });
  const ids = first.map(({ id }) => id);
  const nobody: View = { epoch: 0, nodes: [] };
  const view = add(
    ids.reduce((before, id) => appear(before, { ...own(id), life: '', daemon: undefined }), nobody),
    ids,
  );
  const boot = (rpc: RpcNode): Node => {
    const self = own(rpc.id);
    const store = new RegisterStore({ rpc, path: join(directory, `acceptor-${rpc.id}`), first: view });
    const kddm = new Kddm({ rpc, log: SILENT, life: lifeOf(self), linkers: [pages], renewEpoch: () => void store.change(renew) });
    const hotPlug = new HotPlug({ rpc, store, stages: [kddm.stage], self, onFenced: () => undefined, log: SILENT });
    const close = async (): Promise<void> => {
      await hotPlug[Symbol.asyncDispose]();
      await kddm[Symbol.asyncDispose]();
      await rpc.close();
      await store[Symbol.asyncDispose]();
    };
    void hotPlug.start();
    return { hotPlug, kddm, rpc, [Symbol.asyncDispose]: close };
  };
  const nodes = first.map(boot);
  return {
    nodes,
    restart: async (id) => {
      const rpc = new RpcNode({ trust: new Trust(credentials[id - 1] ?? assert.fail()) });
      await rpc.listen({ host: HOST, port: ports[id - 1]?.port ?? 0 });
      const node = boot(rpc);
      nodes[id - 1] = node;
      return node;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      rmSync(directory, { recursive: true });
    },
  };
}

const at = <T>(list: readonly T[], id: number): T => list[id - 1] ?? assert.fail();

const setsOn = (nodes: readonly Node[]): Promise<KddmSetHandle<Uint8Array>[]> =>
  Promise.all(nodes.map(({ kddm }) => kddm.createSet(pages, { name: 'pages', replicas: 1 })));

test('a node that dies is found dead, and what had a replica is there again', OPTIONS, async () => {
  await using world = await start(3);
  const { nodes } = world;
  const sets = await setsOn(nodes);
  await at(sets, 3).write(7, new Uint8Array(16).fill(7));
  const held = await at(sets, 3).grab(7);
  const waiting = at(sets, 1).grab(7);
  await at(nodes, 3)[Symbol.asyncDispose]();
  const hold = await waiting;
  assert.equal(hold.content[0], 7);
  await hold.put();
  assert.equal(held.isHeld, true);
  assert.deepEqual(at(nodes, 1).kddm.state.members, [1, 2]);
});

test('a node without a majority serves nobody, not even what it has, until others answer again', OPTIONS, async () => {
  await using world = await start(3);
  const { nodes } = world;
  const sets = await setsOn(nodes);
  const one = at(sets, 1);
  await one.write(1, new Uint8Array(16).fill(1));
  assert.ok(one.getNow(1)?.put());
  await at(nodes, 2)[Symbol.asyncDispose]();
  await at(nodes, 3)[Symbol.asyncDispose]();
  await until(() => one.getNow(1) === undefined);
  const late = one.get(1);
  assert.equal(await Promise.race([late, delay(300, 'waits')]), 'waits');
  await assert.rejects(one.get(1, { signal: AbortSignal.timeout(20) }), (error) => isKorriganError(error, 'KRG_CANCELLED'));
  // The daemons of both are started again: they have nothing in their memories, and this node is not alone any more.
  await Promise.all([world.restart(2), world.restart(3)]);
  const hold = await late;
  assert.equal(hold.content[0], 1);
  await hold.put();
  const again = await at(nodes, 2).kddm.findSet(pages, 'pages');
  assert.equal((await again?.read(1))?.[0], 1);
});
