/**
 * Nodes that join a cluster that is running. Whoever shows a token and says where it will be is put into the record before it gets its certificate: from then on all
 * members know it. With its first link it asks for what it has to know of the cluster.
 */
import { z } from 'zod';
import { policySchema } from '../capability/index.ts';
import type { Container } from '../container/index.ts';
import { kernelIdentity } from '../fs/index.ts';
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, timeInside } from '../ghost/index.ts';
import { type ClusterStore, type HotPlug, introduce, viewSchema } from '../hotplug/index.ts';
import { KorriganError } from '../linux/errors.ts';
import { decodeToken, defineCall, type Enrol, type NodeId, type RpcNode } from '../rpc/index.ts';
import { type ClusterConfiguration, storeLocation } from './configuration.ts';
import type { EventLog } from './events.ts';

/** Where a node that joins will be. */
export const newcomer = z.strictObject({
  /** @default `node` and its id */
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'takes a small letter, then small letters, digits and hyphens, 32 in all')
    .optional(),
  address: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65_535),
  /** It waits, when it is up, until it is added. */
  isStandby: z.boolean(),
});
export type Newcomer = z.output<typeof newcomer>;

const nanoseconds = z.string().regex(/^\d+$/);
const difference = z.string().regex(/^-?\d+$/);

/** What a node that joins asks for first. */
export const introductionCall = defineCall(
  'node.introduction',
  z.object({}),
  z.object({
    cluster: z.string(),
    pidsPerNode: z.int().positive(),
    /** What the clocks of all containers show, in nanoseconds. */
    clocks: z.object({ monotonic: nanoseconds, boottime: nanoseconds }),
    /** The boot of the machine that answers, and how far they are ahead of its own clocks: on the same one nothing need be measured. */
    machine: z.object({ boot: z.string(), offsets: z.object({ monotonic: difference, boottime: difference }) }),
    view: viewSchema,
    store: storeLocation,
    capabilities: policySchema.prefault({}),
  }),
);

export interface NewcomersOptions {
  readonly rpc: RpcNode;
  readonly hotPlug: HotPlug;
  readonly store: ClusterStore;
  readonly container: Container;
  readonly configuration: ClusterConfiguration;
  readonly events: EventLog;
}

export class Newcomers {
  /** Gives out certificates; undefined where this node cannot. */
  readonly enrol: Enrol | undefined;
  private options: NewcomersOptions | undefined;

  /** @param certify a certificate for a token and a signing request */
  constructor(certify: ((token: string, request: string) => Promise<string>) | undefined) {
    this.enrol =
      certify === undefined
        ? undefined
        : async (token, request, about) => {
            if (about === undefined) return await certify(token, request);
            const node = parse(about);
            const { id } = decodeToken(token);
            this.check(id, node);
            const certificate = await certify(token, request);
            await this.admit(id, node);
            return certificate;
          };
  }

  /** From now on nodes may join. */
  begin(options: NewcomersOptions): void {
    this.options = options;
    const { rpc, store, container, configuration } = options;
    const { cluster, pidsPerNode, clockOffsets } = configuration;
    // Who is forgotten is a stranger again.
    store.watch(({ nodes }) => {
      for (const peer of rpc.peers) if (!nodes.some(({ id }) => id === peer)) rpc.removePeer(peer);
    });
    rpc.handle(introductionCall, () => {
      const now = (clock: number): string => String(timeInside(container.initPid, clock));
      const clocks = { monotonic: now(CLOCK_MONOTONIC), boottime: now(CLOCK_BOOTTIME) };
      const offsets = { monotonic: String(clockOffsets.monotonic), boottime: String(clockOffsets.boottime) };
      return {
        cluster,
        pidsPerNode,
        clocks,
        machine: { boot: kernelIdentity(), offsets },
        view: { ...store.known, nodes: [...store.known.nodes] },
        store: configuration.store,
        capabilities: configuration.capabilities,
      };
    });
  }

  private get begun(): NewcomersOptions {
    if (this.options !== undefined) return this.options;
    throw new KorriganError('KRG_NO_MAJORITY', 'this node has just been started; try again in a moment');
  }

  /** Before the token is used up. */
  private check(id: NodeId, { name = `node${id}`, address, port }: Newcomer): void {
    const taken = this.begun.store.known.nodes.find(
      (node) => node.id !== id && (node.name === name || (node.address === address && node.port === port)),
    );
    if (taken !== undefined)
      throw new KorriganError(
        'KRG_BAD_REQUEST',
        `${taken.name} of this cluster is at ${taken.address}:${taken.port}: two nodes differ in both`,
      );
  }

  private async admit(id: NodeId, { name = `node${id}`, address, port, isStandby }: Newcomer): Promise<void> {
    const { hotPlug, events } = this.begun;
    await hotPlug.change((view) => introduce(view, { id, name, address, port }, isStandby, true));
    await hotPlug.settled();
    events.record('node.known', `${name} at ${address}:${port} may join`);
  }
}

function parse(about: unknown): Newcomer {
  const parsed = newcomer.safeParse(about);
  if (parsed.success) return parsed.data;
  const complaints = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
  throw new KorriganError('KRG_BAD_REQUEST', `what the new node says of itself is not understood: ${complaints.join('; ')}`);
}
