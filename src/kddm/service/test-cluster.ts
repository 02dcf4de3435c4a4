/** Nodes with kddm over real links in one process, taken from view to view by the test, as hotplug does it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { membersOf, type NodeRecord, transitionOf, type View } from '../../hotplug/index.ts';
import { CertificateAuthority, type NodeCredentials, type NodeId, RpcNode, Trust } from '../../rpc/index.ts';
import type { IoLinker } from '../linker.ts';
import { lifeOf } from './epochs.ts';
import { Kddm } from './kddm.ts';

/** Short, for tests in which a node dies while it leaves. */
const LEAVER_PATIENCE_MILLISECONDS = 400;
const HOST = '127.0.0.1';
const NOBODY: View = { epoch: 0, nodes: [] };

export interface TestNode {
  readonly id: NodeId;
  readonly rpc: RpcNode;
  readonly kddm: Kddm;
  readonly record: NodeRecord;
  current: View;
  /** What its stage has still to do, in order. */
  work: Promise<void>;
}

export interface KddmClusterOptions {
  /** Each node has its own. */
  readonly linkers?: () => IoLinker<unknown>[];
}

export class KddmCluster implements AsyncDisposable {
  readonly #directory: string;
  readonly #credentials: readonly NodeCredentials[];
  readonly #options: KddmClusterOptions;
  readonly #nodes = new Map<NodeId, TestNode>();
  readonly #ports = new Map<NodeId, number>();
  readonly complaints: string[] = [];
  view: View = NOBODY;
  #starts = 0;

  private constructor(directory: string, credentials: readonly NodeCredentials[], options: KddmClusterOptions) {
    this.#directory = directory;
    this.#credentials = credentials;
    this.#options = options;
  }

  /** @param members nodes 1 to that one take part at first; @param places there may be so many */
  static async start(members: number, options: KddmClusterOptions = {}, places: number = members): Promise<KddmCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'korrigan-kddm-'));
    const authority = await CertificateAuthority.create(join(directory, 'authority'), 'objects');
    const credentials = await Promise.all(Array.from({ length: places }, (_, n) => authority.credentialsFor(n + 1)));
    const cluster = new KddmCluster(directory, credentials, options);
    await Promise.all(Array.from({ length: members }, (_, n) => cluster.#boot(n + 1)));
    cluster.#become(cluster.#nodes.values().map(({ record }) => record));
    return cluster;
  }

  node(id: NodeId): TestNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} is not up`);
    return node;
  }

  kddm(id: NodeId): Kddm {
    return this.node(id).kddm;
  }

  /** Resolves when all living members serve in the epoch of the view. */
  async settled(): Promise<void> {
    const serves = ({ kddm: { state } }: TestNode): boolean => state.epoch === this.view.epoch && state.isRunning;
    await until(() => membersOf(this.view).every((id) => serves(this.node(id))));
  }

  /** Resolves when all replicas are made. */
  async recovered(): Promise<void> {
    await until(() =>
      membersOf(this.view).every((id) => this.kddm(id).state.epoch === this.view.epoch && this.kddm(id).state.hasRecovered),
    );
  }

  async add(id: NodeId): Promise<void> {
    const { record } = await this.#boot(id);
    this.#become([...this.view.nodes.filter((node) => node.id !== id), record]);
  }

  /** The node and its memory are gone; the others are not told. */
  async kill(id: NodeId): Promise<void> {
    const { rpc, kddm } = this.node(id);
    this.#nodes.delete(id);
    await kddm[Symbol.asyncDispose]();
    await rpc.close();
  }

  /** The others are told that it is dead. */
  declareDead(id: NodeId): void {
    this.#change(id, (node) => ({ ...node, state: 'possible', lost: node.life }));
  }

  /** Another daemon in the same container, which knows nothing. */
  async restart(id: NodeId): Promise<void> {
    await this.kill(id);
    const { record } = await this.#boot(id);
    this.#change(id, () => record);
  }

  /** Takes a node out that was drained. */
  remove(id: NodeId): void {
    this.#change(id, (node) => ({ ...node, state: 'present' }));
  }

  renewEpoch(): void {
    this.#become(this.view.nodes);
  }

  /** Cuts the link between two nodes; what is under way is lost. */
  cut(one: NodeId, other: NodeId): void {
    this.node(one).rpc.disconnect(other);
    this.node(other).rpc.disconnect(one);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#nodes.keys()) await this.kill(id);
    rmSync(this.#directory, { recursive: true });
  }

  #change(id: NodeId, change: (node: NodeRecord) => NodeRecord): void {
    this.#become(this.view.nodes.map((node) => (node.id === id ? change(node) : node)));
  }

  #become(nodes: Iterable<NodeRecord>): void {
    this.view = { epoch: this.view.epoch + 1, nodes: [...nodes].toSorted((a, b) => a.id - b.id) };
    const after = this.view;
    for (const node of this.#nodes.values()) {
      const { stage } = node.kddm;
      node.work = node.work.then(async () => {
        const transition = transitionOf(node.current, after);
        if (transition === undefined) return;
        node.current = after;
        await stage.freeze?.();
        await stage.change?.(transition);
        await stage.resume?.();
      });
    }
  }

  async #boot(id: NodeId): Promise<TestNode> {
    const credentials = this.#credentials[id - 1];
    if (credentials === undefined) throw new Error(`there is no place for node ${id}`);
    const rpc = new RpcNode({ trust: new Trust(credentials) });
    const { port } = await rpc.listen({ host: HOST, port: this.#ports.get(id) ?? 0 });
    this.#ports.set(id, port);
    const record: NodeRecord = {
      id,
      name: `node${id}`,
      address: HOST,
      port,
      state: 'online',
      isOut: false,
      life: `life ${id}`,
      daemon: `${++this.#starts}`,
    };
    const complain = (details: object, message: string): void => {
      this.complaints.push(`node ${id}: ${message} ${JSON.stringify(details)}`);
    };
    const log = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
    const kddm = new Kddm({
      rpc,
      log,
      life: lifeOf(record),
      linkers: this.#options.linkers?.() ?? [],
      renewEpoch: () => this.renewEpoch(),
      leaverPatience: LEAVER_PATIENCE_MILLISECONDS,
    });
    for (const other of this.#nodes.values()) {
      other.rpc.addPeer(id, HOST, port);
      rpc.addPeer(other.id, HOST, other.record.port);
    }
    const node: TestNode = { id, rpc, kddm, record, current: NOBODY, work: Promise.resolve() };
    this.#nodes.set(id, node);
    return node;
  }
}

/** Resolves when `condition` holds; the test's own timeout ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
