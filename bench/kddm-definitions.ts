/** What the processes of the KDDM benchmark have in common. */
import { z } from 'zod';
import { type View } from '../src/hotplug/index.ts';
import { Kddm, type KddmSetHandle, memoryLinker } from '../src/kddm/index.ts';
import { defineCall, type NodeCredentials, type NodeId, RpcNode, Trust } from '../src/rpc/index.ts';

export const HOST = '127.0.0.1';
export const CLUSTER = 'bench-kddm';
export const SIZES = [4, 4096] as const;
export const NODES = 4;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
export const echoCall = defineCall('bench.echo', bytes, bytes);
/** A node gets or grabs some objects and puts them. */
export const useCall = defineCall(
  'bench.use',
  z.object({ set: z.int(), kind: z.enum(['get', 'grab']), first: z.int(), count: z.int() }),
  z.object({}),
);

/** From the main process to a node, and back. */
export interface Begin {
  readonly id: NodeId;
  readonly credentials: NodeCredentials;
}
export interface Ports {
  readonly rpc: number;
  /** Sends back what comes over TCP. */
  readonly echo: number;
}

export const linkers = SIZES.map((size) => memoryLinker(size, `memory-${size}`));

/** The life of a node's daemon. */
const lifeOf = (id: NodeId): string => `bench ${id}`;

export class BenchNode implements AsyncDisposable {
  readonly rpc: RpcNode;
  readonly kddm: Kddm;

  constructor({ id, credentials }: Begin) {
    this.rpc = new RpcNode({ trust: new Trust(credentials) });
    const say = (details: object, message: string): void => console.error(`node ${id}: ${message}`, details);
    const log = { debug: () => undefined, info: () => undefined, warn: say, error: say };
    this.kddm = new Kddm({
      rpc: this.rpc,
      log,
      life: `${lifeOf(id)}/`,
      linkers,
      renewEpoch: (reason) => console.error(`node ${id}: ${reason}`),
    });
    this.rpc.handle(echoCall, (message) => message);
    this.rpc.handle(useCall, async ({ set: of, kind, first, count }) => {
      const set = await this.set(of);
      for (let object = first; object < first + count; object++) await (await set[kind](object)).put();
      return {};
    });
  }

  async set(id: number): Promise<KddmSetHandle<Uint8Array>> {
    for (const linker of linkers) {
      const set = await this.kddm.findSet(linker, id).catch(() => undefined);
      if (set !== undefined) return set;
    }
    throw new Error(`there is no set ${id}`);
  }

  /** All nodes take part from now on. @param ports of their RPC, in the order of their ids */
  async join(ports: readonly number[]): Promise<void> {
    const nodes = ports.map((port, n) => ({
      id: n + 1,
      name: `node${n + 1}`,
      address: HOST,
      port,
      state: 'online' as const,
      life: lifeOf(n + 1),
      isOut: false,
    }));
    for (const { id, port } of nodes) if (id !== this.rpc.id) this.rpc.addPeer(id, HOST, port);
    const before: View = { epoch: 0, nodes: [] };
    const after: View = { epoch: 1, nodes };
    const { stage } = this.kddm;
    await stage.change?.({ before, after, joined: nodes.map(({ id }) => id), left: [], died: [], restarted: [] });
    await stage.resume?.();
    while (!this.kddm.state.isRunning) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kddm[Symbol.asyncDispose]();
    await this.rpc.close();
  }
}
