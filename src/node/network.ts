/** The network of a cluster on one machine: a bridge, and a network namespace with an own address per node. Runs `ip` of iproute2. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { KorriganError } from '../linux/errors.ts';

/** Names and addresses that a cluster takes on the machine. */
export interface NetworkPlan {
  /** Name of the bridge; at most 15 characters, as all devices. */
  readonly bridge: string;
  /** First three bytes of the addresses, such as `10.77.3`. */
  readonly prefix: string;
}

export interface NodeNetwork {
  readonly namespace: string;
  readonly address: string;
  /** The host's end of the node's cable. */
  readonly device: string;
}

/** The machine's own address in each cluster's network is PREFIX.254, so nodes have 1 to 253. */
const MACHINE = 254;
export const LARGEST_NODE = 253;

const run = (input: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile('ip', ['-batch', '-'], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new KorriganError('KRG_INTERNAL', `ip failed: ${stderr.trim() || error.message}`, { cause: error }));
    });
    child.stdin?.end(input);
  });

/** A plan from the name of the cluster; `attempt` counts from 0 and gives another network each time. */
export function planNetwork(cluster: string, attempt: number): NetworkPlan {
  const hash = createHash('sha256').update(`${cluster} ${attempt}`).digest();
  return { bridge: `kb${hash.toString('hex', 0, 5)}`, prefix: `10.${hash.readUInt8(5)}.${hash.readUInt8(6)}` };
}

/** The machine itself, as the nodes of a cluster see it. */
export function machineAddress({ prefix }: NetworkPlan): string {
  return `${prefix}.${MACHINE}`;
}

export function nodeNetwork(cluster: string, plan: NetworkPlan, node: number): NodeNetwork {
  return {
    namespace: `korrigan-${cluster}-node${node}`,
    address: `${plan.prefix}.${node}`,
    device: `${plan.bridge.replace('kb', 'kv')}${node}`.slice(0, 15),
  };
}

/** The first plan whose addresses nobody on this machine uses. */
export async function freeNetwork(cluster: string): Promise<NetworkPlan> {
  const taken = `${await run('addr show\n')}${await run('route show table all\n')}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    const plan = planNetwork(cluster, attempt);
    if (!taken.includes(`${plan.prefix}.`) && !taken.includes(plan.bridge)) return plan;
  }
  throw new KorriganError('KRG_LIMIT', 'no free network was found in 10.0.0.0/8 for the cluster');
}

/** Makes the bridge and the namespaces with their cables and addresses. */
export async function createNetwork(plan: NetworkPlan, nodes: readonly NodeNetwork[]): Promise<void> {
  const lines = [
    `link add ${plan.bridge} type bridge`,
    `addr add ${plan.prefix}.${MACHINE}/24 dev ${plan.bridge}`,
    `link set ${plan.bridge} up`,
  ];
  for (const { namespace, device } of nodes) {
    lines.push(
      `netns add ${namespace}`,
      `link add ${device} type veth peer name eth0 netns ${namespace}`,
      `link set ${device} master ${plan.bridge} up`,
    );
  }
  await run(`${lines.join('\n')}\n`);
  await Promise.all(nodes.map((node) => configureInside(plan, node)));
}

function configureInside(plan: NetworkPlan, { namespace, address }: NodeNetwork): Promise<string> {
  const lines = [
    'link set lo up',
    `addr add ${address}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${plan.prefix}.${MACHINE}`,
  ];
  return new Promise((resolve, reject) => {
    const child = execFile('ip', ['-n', namespace, '-batch', '-'], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new KorriganError('KRG_INTERNAL', `ip -n ${namespace} failed: ${stderr.trim() || error.message}`, { cause: error }));
    });
    child.stdin?.end(`${lines.join('\n')}\n`);
  });
}

/** Removes what {@link createNetwork} made, whatever is left of it. A cable vanishes with its namespace, a moment later. */
export async function removeNetwork(plan: NetworkPlan, nodes: readonly NodeNetwork[]): Promise<void> {
  const commands = [
    ...nodes.map(({ namespace }) => ['netns', 'del', namespace]),
    ...nodes.map(({ device }) => ['link', 'del', device]),
    ['link', 'del', plan.bridge],
  ];
  for (const command of commands) {
    await new Promise<void>((resolve, reject) => {
      execFile('ip', command, (error, _, stderr) => {
        if (error === null || /No such file|Cannot find device|No such device/.test(stderr)) resolve();
        else reject(new KorriganError('KRG_INTERNAL', `ip ${command.join(' ')} failed: ${stderr.trim()}`, { cause: error }));
      });
    });
  }
}
