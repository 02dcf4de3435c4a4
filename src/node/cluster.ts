/** Clusters on one machine: started, found again, stopped without a trace. Several can be up at once. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type CapabilityPolicy, policySchema } from '../capability/index.ts';
import { containerCgroup, DEFAULT_RANGE_WIDTH, destroyCgroup, pidRangeOf } from '../container/index.ts';
import { removeRecord } from '../hotplug/index.ts';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import type { ControlGroup } from '../linux/index.ts';
import {
  clusterDirectory,
  findNode,
  type NewCapabilityPolicy,
  NodeClient,
  nodeDirectory,
  readClusterDescription,
  type ClusterDescription,
  type NodeDescription,
  type StoreLocation,
} from './api/index.ts';
import { createCertificates } from './certificates.ts';
import { readConfiguration, writeConfiguration, type ClusterConfiguration, type NodeConfiguration } from './configuration.ts';
import { join as joinRunning, type JoinOptions } from './join.ts';
import { daemonCgroup, daemonPid, NOT_YET, ready, startSupervisor } from './supervision.ts';
import {
  createNetwork,
  freeNetwork,
  LARGEST_NODE,
  machineAddress,
  nodeNetwork,
  removeNetwork,
  type NetworkPlan,
  type NodeNetwork,
} from './network.ts';

export interface StartClusterOptions {
  readonly cluster: string;
  /** How many nodes. */
  readonly nodes: number;
  /** How many of them are up at once, and take part from the beginning; the others may be started later. @default all */
  readonly start?: number;
  /** Only the first takes part from the beginning: the others wait, when they are up, until they are added. @default false */
  readonly standby?: boolean;
  /** Per node, how many seconds longer than the machine it claims to have been up. @default a different one for each */
  readonly bootOffsets?: readonly number[];
  /** Width of each node's pid range. @default 65536 */
  readonly pidsPerNode?: number;
  /** Where the cluster's record lies. An etcd on this machine's loopback is asked at the address that the machine has for its nodes. @default among the nodes */
  readonly store?: StoreLocation;
  /** What programs may do; see policySchema. */
  readonly capabilities?: NewCapabilityPolicy;
  /** Told what happens, for people. */
  readonly onProgress?: (text: string) => void;
}

/** Of the links between the nodes, each at its own address. */
const RPC_PORT = 7420;
/** How long a node that was told to end may take. */
const STOP_MILLISECONDS = 10_000;
const DEFAULT_BOOT_OFFSET_SECONDS = 10_000;

/** Starts the daemons of a cluster. On failure nothing is left. @throws KorriganError KRG_USAGE when the cluster is up */
export async function startCluster(options: StartClusterOptions): Promise<ClusterDescription> {
  const { cluster, onProgress = () => undefined } = options;
  const capabilities = parsePolicy(options.capabilities);
  claim(options);
  try {
    const configuration = await configure(options, capabilities);
    onProgress('making the network');
    if (configuration.network !== undefined) await createNetwork(configuration.network, configuration.nodes.flatMap(networkOf));
    await forgetRecord(configuration);
    const { start = configuration.nodes.length } = options;
    const waiting = configuration.nodes.map(async (node) => {
      if (node.id > start) return describe(node, null);
      startSupervisor(configuration, node);
      const pid = await ready(cluster, node);
      onProgress(`${node.name} is ready`);
      return describe(node, pid);
    });
    const description = { cluster, nodes: await Promise.all(waiting) };
    writeFileSync(join(clusterDirectory(cluster), 'cluster.json'), `${JSON.stringify(description, null, 2)}\n`);
    return description;
  } catch (error) {
    await stopCluster(cluster);
    throw error;
  }
}

/** Ends the daemons and everything that runs in the cluster, and removes all that it had on the machine, whatever state it is in. */
export async function stopCluster(cluster: string): Promise<void> {
  const configuration = readConfiguration(cluster);
  const directory = clusterDirectory(cluster);
  const cgroup = clusterCgroup(cluster);
  // Of a cluster that this machine has joined it has only nodes.
  const ended = configuration?.joinedAt === undefined ? [cgroup] : configuration.nodes.map(({ id }) => containerCgroup(cluster, id));
  for (const each of ended) await destroyCgroup(each);
  for (const above of configuration?.joinedAt === undefined ? [cgroup.parent] : [cgroup, cgroup.parent]) above.removeIfEmpty();
  // An etcd that does not answer keeps a record that the next cluster of this name removes.
  if (configuration !== undefined && configuration.joinedAt === undefined) await forgetRecord(configuration).catch(() => undefined);
  if (configuration?.network !== undefined) await removeNetwork(configuration.network, configuration.nodes.flatMap(networkOf));
  rmSync(directory, { recursive: true, force: true });
}

/** Makes this machine a node of a cluster that runs on others. On failure nothing is left here. @throws KorriganError as `join` in join.ts */
export function joinCluster(options: JoinOptions): Promise<ClusterDescription> {
  return joinRunning(options, stopCluster);
}

/**
 * Starts the daemon of a node whose daemon and supervisor have ended, or were never started, and waits until it answers.
 * @param reference its name or id
 * @returns its host pid
 * @throws KorriganError KRG_NO_SUCH_NODE, KRG_NODE_ONLINE
 */
export async function startNode(cluster: string, reference: string | number): Promise<number> {
  const { configuration, node } = findConfigured(cluster, String(reference));
  if (daemonCgroup(cluster, node.id).create().populated)
    throw new KorriganError('KRG_NODE_ONLINE', `the daemon of ${node.name} is up, or is being started again by its supervisor`);
  // Fresh groups: who is in one that was killed once (cgroup.kill) and clones into one that was not, is killed (seen on Linux 6.18; kill_seq of
  // kernel/cgroup/cgroup.c).
  for (const group of [daemonCgroup(cluster, node.id), containerCgroup(cluster, node.id)]) if (!group.populated) group.remove();
  startSupervisor(configuration, node);
  return await ready(cluster, node);
}

/** Ends a node with everything that runs there. The others are told, where its daemon answers; if not, they find out. */
export async function stopNode(cluster: string, reference: string | number): Promise<void> {
  const { node } = findConfigured(cluster, String(reference));
  const cgroup = containerCgroup(cluster, node.id);
  try {
    await new NodeClient(node.socket).power({ action: 'off', nodes: [node.name] });
    for (const until = performance.now() + STOP_MILLISECONDS; cgroup.exists && cgroup.populated && performance.now() < until; )
      await new Promise((resolve) => setTimeout(resolve, 10));
  } catch (error) {
    if (!NOT_YET.some((code) => isKorriganError(error, code))) throw error;
  }
  // First the daemon: it is not to take the end of what it looks after for news.
  if (daemonCgroup(cluster, node.id).exists) daemonCgroup(cluster, node.id).kill();
  await destroyCgroup(cgroup);
  rmSync(node.socket, { force: true });
}

/** Kills the daemon of a node and waits until the one that its supervisor starts answers. */
export async function restartDaemon(cluster: string, id: number): Promise<void> {
  const { node } = findConfigured(cluster, String(id));
  const before = daemonPid(cluster, id);
  process.kill(before, 'SIGKILL');
  await ready(cluster, node, before);
}

function findConfigured(cluster: string, reference: string): { configuration: ClusterConfiguration; node: NodeConfiguration } {
  const configuration = readConfiguration(cluster);
  // Says that there is none.
  if (configuration === undefined) readClusterDescription(cluster);
  const node = findNode(configuration?.nodes ?? [], reference);
  if (configuration === undefined) throw new KorriganError('KRG_NO_DAEMON', `cluster ${cluster} has no configuration on this machine`);
  return { configuration, node };
}

function clusterCgroup(cluster: string): ControlGroup {
  return containerCgroup(cluster, 1).parent;
}

/** Takes the name. */
function claim({ cluster, nodes, start = nodes, pidsPerNode, bootOffsets }: StartClusterOptions): void {
  if (nodes < 1 || nodes > LARGEST_NODE)
    throw new KorriganError('KRG_USAGE', `a cluster on one machine has 1 to ${LARGEST_NODE} nodes, not ${nodes}`);
  if (start < 1 || start > nodes) throw new KorriganError('KRG_USAGE', `of ${nodes} nodes 1 to ${nodes} can be started, not ${start}`);
  if (bootOffsets !== undefined && bootOffsets.length !== nodes)
    throw new KorriganError('KRG_USAGE', `there are ${nodes} nodes and ${bootOffsets.length} boot offsets`);
  pidRangeOf(nodes, pidsPerNode);
  const directory = clusterDirectory(cluster);
  mkdirSync(join(directory, '..'), { recursive: true });
  try {
    mkdirSync(directory);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new KorriganError('KRG_USAGE', `cluster "${cluster}" is up already, or was not stopped: krg down --cluster ${cluster}`, {
      cause,
    });
  }
}

function parsePolicy(policy: NewCapabilityPolicy = {}): CapabilityPolicy {
  const parsed = policySchema.safeParse(policy);
  if (parsed.success) return parsed.data;
  throw new KorriganError('KRG_USAGE', `the rules for capabilities are not understood: ${z.prettifyError(parsed.error)}`);
}

async function configure(options: StartClusterOptions, capabilities: CapabilityPolicy): Promise<ClusterConfiguration> {
  const { cluster } = options;
  const network = await freeNetwork(cluster);
  const nodes = Array.from({ length: options.nodes }, (_, index) => {
    const id = index + 1;
    const { address, namespace, device } = nodeNetwork(cluster, network, id);
    const directory = nodeDirectory(cluster, id);
    mkdirSync(directory);
    return {
      id,
      name: `node${id}`,
      address,
      port: RPC_PORT,
      socket: join(directory, 'krgd.sock'),
      networkNamespace: namespace,
      networkDevice: device,
      bootOffsetSeconds: options.bootOffsets?.[index] ?? id * DEFAULT_BOOT_OFFSET_SECONDS,
      isFirst: id === 1 || (id <= (options.start ?? options.nodes) && options.standby !== true),
      isStandby: id !== 1 && options.standby === true,
    };
  });
  await createCertificates(
    cluster,
    nodes.map(({ id }) => id),
  );
  const pidsPerNode = options.pidsPerNode ?? DEFAULT_RANGE_WIDTH;
  writeConfiguration({
    cluster,
    pidsPerNode,
    clockOffsets: { monotonic: '0', boottime: '0' },
    network,
    store: storeFor(options.store, network),
    capabilities,
    nodes,
  });
  const written = readConfiguration(cluster);
  if (written === undefined)
    throw new KorriganError('KRG_INTERNAL', `the configuration of cluster ${cluster} vanished while it was started`);
  return written;
}

function describe(node: NodeConfiguration, pid: number | null): NodeDescription {
  const { id, name, address, port, socket } = node;
  return { id, name, address, port, socket, pid } as NodeDescription;
}

/** None when it has the machine's own. */
function networkOf({ networkNamespace, address, networkDevice }: NodeConfiguration): NodeNetwork[] {
  return networkNamespace === undefined || networkDevice === undefined
    ? []
    : [{ namespace: networkNamespace, address, device: networkDevice }];
}

/** What an earlier cluster of this name has left in an etcd. */
async function forgetRecord({ cluster, store }: ClusterConfiguration): Promise<void> {
  if (store.kind === 'etcd') await removeRecord({ cluster, endpoints: store.endpoints });
}

function storeFor(store: StoreLocation = { kind: 'embedded' }, network: NetworkPlan): StoreLocation {
  if (store.kind === 'embedded') return store;
  const endpoints = store.endpoints.map((endpoint) => {
    const url = new URL(endpoint);
    if (['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) url.hostname = machineAddress(network);
    return url.origin;
  });
  return { kind: 'etcd', endpoints };
}
