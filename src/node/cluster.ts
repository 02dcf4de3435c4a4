/** Clusters on one machine: started, found again, stopped without a trace. Several can be up at once. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerCgroup, DEFAULT_RANGE_WIDTH, destroyCgroup, pidRangeOf } from '../container/index.ts';
import { isKorriganError, KorriganError, type ErrorCode } from '../linux/errors.ts';
import type { ControlGroup } from '../linux/index.ts';
import { clusterDirectory, NodeClient, nodeDirectory, type ClusterDescription, type NodeDescription } from './api/index.ts';
import { createCertificates } from './certificates.ts';
import { readConfiguration, writeConfiguration, type ClusterConfiguration, type NodeConfiguration } from './configuration.ts';
import { createNetwork, freeNetwork, LARGEST_NODE, nodeNetwork, removeNetwork, type NodeNetwork } from './network.ts';

export interface StartClusterOptions {
  readonly cluster: string;
  /** How many nodes. */
  readonly nodes: number;
  /** Per node, how many seconds longer than the machine it claims to have been up. @default a different one for each */
  readonly bootOffsets?: readonly number[];
  /** Width of each node's pid range. @default 65536 */
  readonly pidsPerNode?: number;
  /** Told what happens, for people. */
  readonly onProgress?: (text: string) => void;
}

/** Of the links between the nodes, each at its own address. */
const RPC_PORT = 7420;
const READY_SECONDS = 30;
const DEFAULT_BOOT_OFFSET_SECONDS = 10_000;
/** Where Node keeps what it has compiled: with it a daemon is back in half the time. */
const COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.compile-cache');
/** What a daemon that starts, or just died, answers. */
const NOT_YET: readonly ErrorCode[] = ['KRG_NO_DAEMON', 'KRG_NODE_DEAD', 'KRG_STREAM_BROKEN'];

/** Starts the daemons of a cluster. On failure nothing is left. @throws KorriganError KRG_USAGE when the cluster is up */
export async function startCluster(options: StartClusterOptions): Promise<ClusterDescription> {
  const { cluster, onProgress = () => undefined } = options;
  claim(options);
  try {
    const configuration = await configure(options);
    onProgress('making the network');
    await createNetwork(configuration.network, configuration.nodes.map(networkOf));
    for (const node of configuration.nodes) startSupervisor(configuration, node);
    const waiting = configuration.nodes.map(async (node) => {
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
  await destroyCgroup(cgroup);
  cgroup.parent.removeIfEmpty();
  if (configuration !== undefined) await removeNetwork(configuration.network, configuration.nodes.map(networkOf));
  rmSync(directory, { recursive: true, force: true });
}

/** Kills the daemon of a node and waits until the one that its supervisor starts answers. */
export async function restartDaemon(cluster: string, id: number): Promise<void> {
  const configuration = readConfiguration(cluster);
  const node = configuration?.nodes.find((candidate) => candidate.id === id);
  if (node === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `cluster ${cluster} has no node ${id}`);
  const before = daemonPid(cluster, id);
  process.kill(before, 'SIGKILL');
  await ready(cluster, node, before);
}

/** Starts the daemon of a node whose daemon and supervisor have ended, and waits until it answers. @returns its host pid */
export async function startNode(cluster: string, id: number): Promise<number> {
  const configuration = readConfiguration(cluster);
  const node = configuration?.nodes.find((candidate) => candidate.id === id);
  if (configuration === undefined || node === undefined)
    throw new KorriganError('KRG_NO_SUCH_NODE', `cluster ${cluster} has no node ${id}`);
  if (daemonCgroup(cluster, id).create().populated)
    throw new KorriganError('KRG_NODE_ONLINE', `the daemon of ${node.name} is up, or is being started again by its supervisor`);
  // Fresh groups: who is in one that was killed once (cgroup.kill) and clones into one that was not, is killed (seen on Linux 6.18; kill_seq of
  // kernel/cgroup/cgroup.c).
  for (const group of [daemonCgroup(cluster, id), containerCgroup(cluster, id)]) if (!group.populated) group.remove();
  startSupervisor(configuration, node);
  return ready(cluster, node);
}

/** Host pid of a node's daemon, as it wrote it last. */
export function daemonPid(cluster: string, id: number): number {
  return Number(readFileSync(join(nodeDirectory(cluster, id), 'krgd.pid'), 'utf8'));
}

/** The group of a node's daemon and supervisor, beside those of its container. */
export function daemonCgroup(cluster: string, id: number): ControlGroup {
  return containerCgroup(cluster, id).child('daemon');
}

function clusterCgroup(cluster: string): ControlGroup {
  return containerCgroup(cluster, 1).parent;
}

/** Takes the name. */
function claim({ cluster, nodes, pidsPerNode, bootOffsets }: StartClusterOptions): void {
  if (nodes < 1 || nodes > LARGEST_NODE)
    throw new KorriganError('KRG_USAGE', `a cluster on one machine has 1 to ${LARGEST_NODE} nodes, not ${nodes}`);
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

async function configure(options: StartClusterOptions): Promise<ClusterConfiguration> {
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
    };
  });
  await createCertificates(
    cluster,
    nodes.map(({ id }) => id),
  );
  const pidsPerNode = options.pidsPerNode ?? DEFAULT_RANGE_WIDTH;
  writeConfiguration({ cluster, pidsPerNode, clockOffsets: { monotonic: '0', boottime: '0' }, network, nodes });
  const written = readConfiguration(cluster);
  if (written === undefined)
    throw new KorriganError('KRG_INTERNAL', `the configuration of cluster ${cluster} vanished while it was started`);
  return written;
}

/** Starts a node's supervisor in the namespaces of the node, detached from this process. */
function startSupervisor({ cluster }: ClusterConfiguration, node: NodeConfiguration): void {
  const directory = nodeDirectory(cluster, node.id);
  const offset = String(node.bootOffsetSeconds);
  const namespaces = [
    'nsenter',
    `--net=/run/netns/${node.networkNamespace}`,
    'unshare',
    '--uts',
    '--time',
    '--monotonic',
    offset,
    '--boottime',
    offset,
  ];
  const supervisor = [join(import.meta.dirname, 'supervise.sh'), node.name, join(directory, 'krgd.log')];
  const daemon = [process.execPath, join(import.meta.dirname, 'krgd.ts'), cluster, String(node.id)];
  // The shell moves itself into the cgroup, so that nothing that follows is ever outside of it.
  const enter = ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', daemonCgroup(cluster, node.id).create().path];
  const [command = '', ...rest] = [...enter, ...namespaces, ...supervisor, ...daemon];
  spawn(command, rest, {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, KORRIGAN_FAULTS: process.env['KORRIGAN_FAULTS'] },
  }).unref();
}

/** Waits until a node's daemon answers. @param not pid of a daemon that is going away @returns the pid of the daemon */
async function ready(cluster: string, node: NodeConfiguration, not?: number): Promise<number> {
  const deadline = performance.now() + READY_SECONDS * 1000;
  for (;;) {
    try {
      const status = await new NodeClient(node.socket).status();
      const self = status.nodes.find(({ id }) => id === node.id);
      if (self?.daemon && self.daemon.pid !== not && self.state === 'online') return self.daemon.pid;
    } catch (error) {
      if (!NOT_YET.some((code) => isKorriganError(error, code))) throw error;
    }
    if (performance.now() > deadline) throw notReady(cluster, node);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function notReady(cluster: string, node: NodeConfiguration): KorriganError {
  const directory = nodeDirectory(cluster, node.id);
  const log = readdirSync(directory).includes('krgd.log') ? readFileSync(join(directory, 'krgd.log'), 'utf8') : '(it wrote no log)';
  const tail = log.trimEnd().split('\n').slice(-5).join('\n');
  return new KorriganError(
    'KRG_NO_DAEMON',
    `the daemon of ${node.name} did not answer within ${READY_SECONDS} s; the end of its log:\n${tail}`,
  );
}

function describe(node: NodeConfiguration, pid: number): NodeDescription {
  const { id, name, address, port, socket } = node;
  return { id, name, address, port, socket, pid } as NodeDescription;
}

function networkOf(node: NodeConfiguration): NodeNetwork {
  return { namespace: node.networkNamespace, address: node.address, device: node.networkDevice };
}
