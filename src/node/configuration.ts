/** What the daemons of this machine are started with: `configuration.json` in the cluster's directory, written once. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { policySchema } from '../capability/index.ts';
import { viewSchema } from '../hotplug/index.ts';
import { KorriganError } from '../linux/errors.ts';
import { clusterDirectory } from './api/index.ts';

const nanoseconds = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);

const nodeConfiguration = z.object({
  id: z.int().positive(),
  name: z.string(),
  address: z.string(),
  port: z.int().positive(),
  /** Path of the unix socket of the API. */
  socket: z.string(),
  /** The node's network namespace, as `ip netns` knows it; that of the machine when there is none. */
  networkNamespace: z.string().optional(),
  /** The machine's end of the node's cable. */
  networkDevice: z.string().optional(),
  /** How many seconds longer than the machine the node claims to have been up. */
  bootOffsetSeconds: z.int(),
  /** It takes part from the beginning, and so is one of those who decide who else does. */
  isFirst: z.boolean().default(true),
  /** When it comes up it waits until it is added. */
  isStandby: z.boolean().default(false),
});

/** Where the record of a cluster lies. */
export const storeLocation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('embedded') }),
  z.object({ kind: z.literal('etcd'), endpoints: z.array(z.url()).min(1) }),
]);

const clusterConfiguration = z.object({
  cluster: z.string(),
  /** Width of each node's pid range. */
  pidsPerNode: z.int().positive(),
  /** How far the clocks of all containers are ahead of the machine's own, in nanoseconds (decimal). */
  clockOffsets: z.object({ monotonic: nanoseconds, boottime: nanoseconds }),
  /** Of a cluster on one machine. */
  network: z.object({ bridge: z.string(), prefix: z.string() }).optional(),
  /** Where the cluster's record lies: among the nodes themselves, or in an etcd. */
  store: storeLocation.default({ kind: 'embedded' }),
  /** What programs may do of what takes a capability. The same on all nodes. */
  capabilities: policySchema.prefault({}),
  /** Those on this machine. */
  nodes: z.array(nodeConfiguration).min(1),
  /** The record as it was when this machine joined; the cluster runs on others, too, then. */
  joinedAt: viewSchema.optional(),
});

export type NodeConfiguration = z.output<typeof nodeConfiguration>;
export type ClusterConfiguration = z.output<typeof clusterConfiguration>;
/** As it stands in the file. */
export type ClusterConfigurationFile = z.input<typeof clusterConfiguration>;

const pathOf = (cluster: string): string => join(clusterDirectory(cluster), 'configuration.json');

export function writeConfiguration(configuration: ClusterConfigurationFile): void {
  writeFileSync(pathOf(configuration.cluster), `${JSON.stringify(configuration, null, 2)}\n`, { mode: 0o644 });
}

/** @returns undefined when there is no such cluster @throws KorriganError KRG_INTERNAL when the file is damaged */
export function readConfiguration(cluster: string): ClusterConfiguration | undefined {
  let text: string;
  try {
    text = readFileSync(pathOf(cluster), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = clusterConfiguration.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new KorriganError('KRG_INTERNAL', `${pathOf(cluster)} is damaged: ${parsed.error.message}`);
}
