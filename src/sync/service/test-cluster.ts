/** Nodes with sync over kddm and real links in one process, taken from view to view by the test, as hotplug does it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NodeRecord, transitionOf, type View } from '../../hotplug/index.ts';
import { Kddm, lifeOf } from '../../kddm/index.ts';
import { CertificateAuthority, type NodeCredentials, type NodeId, RpcNode, Trust } from '../../rpc/index.ts';
import { Sync } from './sync.ts';

const HOST = '127.0.0.1';
const NOBODY: View = { epoch: 0, nodes: [] };

interface TestNode {
  readonly rpc: RpcNode;
  readonly kddm: Kddm;
  readonly sync: Sync;
  readonly record: NodeRecord;
  current: View;
  work: Promise<void>;
}

export class SyncCluster implements AsyncDisposable {
  readonly #directory: string;
  readonly #credentials: readonly NodeCredentials[];
  readonly #nodes = new Map<NodeId, TestNode>();
  readonly #ports = new Map<NodeId, number>();
  #view: View = NOBODY;
  #starts = 0;
  readonly complaints: string[] = [];

  private constructor(directory: string, credentials: readonly NodeCredentials[]) {
    this.#directory = directory;
    this.#credentials = credentials;
  }

  static async start(count: number): Promise<SyncCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'korrigan-sync-'));
    const authority = await CertificateAuthority.create(join(directory, 'authority'), 'locks');
    const credentials = await Promise.all(Array.from({ length: count }, (_, n) => authority.credentialsFor(n + 1)));
    const cluster = new SyncCluster(directory, credentials);
    for (let id = 1; id <= count; id++) await cluster.#boot(id);
    cluster.#become([...cluster.#nodes.values()].map(({ record }) => record));
    return cluster;
  }

  sync(id: NodeId): Sync {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} is not up`);
    return node.sync;
  }

  /** The node dies, and the others are told. */
  async kill(id: NodeId): Promise<void> {
    await this.#end(id);
    this.#become(this.#view.nodes.map((node) => (node.id === id ? { ...node, state: 'possible', lost: node.life } : node)));
  }

  /** Another daemon in the same container, which knows nothing. */
  async restart(id: NodeId): Promise<void> {
    await this.#end(id);
    const { record } = await this.#boot(id);
    this.#become(this.#view.nodes.map((node) => (node.id === id ? record : node)));
  }

  async #end(id: NodeId): Promise<void> {
    const node = this.#nodes.get(id);
    this.#nodes.delete(id);
    await node?.sync[Symbol.asyncDispose]();
    await node?.kddm[Symbol.asyncDispose]();
    await node?.rpc.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#nodes.keys()) await this.#end(id);
    rmSync(this.#directory, { recursive: true });
  }

  #become(nodes: readonly NodeRecord[]): void {
    this.#view = { epoch: this.#view.epoch + 1, nodes: nodes.toSorted((a, b) => a.id - b.id) };
    const after = this.#view;
    for (const node of this.#nodes.values()) {
      const stages = [node.kddm.stage, node.sync.stage];
      node.work = node.work.then(async () => {
        const transition = transitionOf(node.current, after);
        if (transition === undefined) return;
        node.current = after;
        for (const { freeze } of stages.toReversed()) await freeze?.();
        for (const { change } of stages) await change?.(transition);
        for (const { resume } of stages) await resume?.();
      });
    }
  }

  async #boot(id: NodeId): Promise<TestNode> {
    const credentials = this.#credentials[id - 1];
    if (credentials === undefined) throw new Error(`there is no place for node ${id}`);
    const rpc = new RpcNode({ trust: new Trust(credentials) });
    const { port } = await rpc.listen({ host: HOST, port: this.#ports.get(id) ?? 0 });
    this.#ports.set(id, port);
    const name = `node${id}`;
    const record: NodeRecord = {
      id,
      name,
      address: HOST,
      port,
      state: 'online',
      life: `life ${id}`,
      daemon: `${++this.#starts}`,
      isOut: false,
    };
    const complain = (details: object, message: string): void => {
      this.complaints.push(`node ${id}: ${message} ${JSON.stringify(details)}`);
    };
    const log = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
    const life = lifeOf(record);
    const kddm = new Kddm({ rpc, log, life, renewEpoch: () => this.#become(this.#view.nodes) });
    const sync = new Sync({ rpc, kddm, log, life });
    for (const other of this.#nodes.values()) {
      other.rpc.addPeer(id, HOST, port);
      rpc.addPeer(other.record.id, HOST, other.record.port);
    }
    const node: TestNode = { rpc, kddm, sync, record, current: NOBODY, work: Promise.resolve() };
    this.#nodes.set(id, node);
    return node;
  }
}
