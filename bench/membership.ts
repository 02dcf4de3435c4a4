/**
 * What the loss of a node costs a cluster of eight, and whether nodes are taken for dead when all processors are busy: `node bench/membership.ts [--minutes M]`.
 * Whole nodes are killed (daemon, supervisor and container), or their daemons are stopped; the figures are of this machine, on which all eight share the processors.
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { containerCgroup } from '../src/container/index.ts';
import { daemonPid, NodeClient, restartDaemon, SharedObjects, startCluster, startNode, stopCluster } from '../src/node/index.ts';
import { summarize } from './statistics.ts';
import { align } from './table.ts';

const NODES = 8;
/** A daemon that has just begun says that it is slow, and is waited for. */
const SETTLED_MILLISECONDS = 25_000;
const CLUSTER = `membership-${process.pid}`;
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, rounds: { type: 'string', default: '5' } } });

interface Round {
  /** Milliseconds from the fault until another node tells of the death. */
  readonly detected: number;
  /** Until a program has written an object that was last written on the node that is lost. */
  readonly served: number;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(5);
}

async function toldOfDeath(client: NodeClient): Promise<number> {
  for await (const { kind } of client.events()) if (kind === 'node.died') return performance.now();
  throw new Error('the events have ended');
}

async function lose(id: number, fault: () => void, client: NodeClient, socketOf: (id: number) => string): Promise<Round> {
  await using here = await SharedObjects.connect(socketOf(1));
  const set = await here.open<number>('bench');
  const there = await SharedObjects.connect(socketOf(id));
  await (await there.open<number>('bench')).change(0, (count = 0) => count + 1);
  const started = performance.now();
  fault();
  let [detected, served] = [0, 0];
  await Promise.all([
    toldOfDeath(client).then((now) => (detected = now - started)),
    set.change(0, (count = 0) => count + 1).then(() => (served = performance.now() - started)),
  ]);
  return { detected, served };
}

async function falseAlarms(minutes: number, client: NodeClient): Promise<{ alarms: number; busy: number }> {
  const busy = 3 * cpus().length;
  const spinners = Array.from({ length: busy }, () => spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  let alarms = 0;
  const watching = (async () => {
    for await (const { kind } of client.events()) if (kind === 'node.died') alarms++;
  })().catch(() => undefined); // it ends with the cluster
  await Promise.race([watching, delay(minutes * 60_000)]);
  for (const spinner of spinners) spinner.kill('SIGKILL');
  return { alarms, busy };
}

const { nodes } = await startCluster({ cluster: CLUSTER, nodes: NODES });
const socketOf = (id: number): string => nodes.find((node) => node.id === id)?.socket ?? '';
const client = new NodeClient(socketOf(1));
const isOnline = async (id: number): Promise<boolean> => (await client.status()).nodes.find((node) => node.id === id)?.state === 'online';
try {
  // They have all begun a while ago.
  await delay(SETTLED_MILLISECONDS);
  const rounds: Record<'killed' | 'stopped', Round[]> = { killed: [], stopped: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    const id = 2 + (round % (NODES - 1));
    rounds.killed.push(await lose(id, () => containerCgroup(CLUSTER, id).kill(), client, socketOf));
    await startNode(CLUSTER, String(id));
    await until(() => isOnline(id));
    await delay(SETTLED_MILLISECONDS);
    rounds.stopped.push(await lose(id, () => process.kill(daemonPid(CLUSTER, id), 'SIGSTOP'), client, socketOf));
    await restartDaemon(CLUSTER, id).catch(() => undefined);
    await until(() => isOnline(id));
    await delay(SETTLED_MILLISECONDS);
  }
  const row = (name: string, samples: readonly number[]): string[] => {
    const { median } = summarize(samples);
    return [name, median.toFixed(0), Math.max(...samples).toFixed(0)];
  };
  const lines = Object.entries(rounds).flatMap(([fault, each]) => [
    row(
      `${fault}: declared dead, ms`,
      each.map(({ detected }) => detected),
    ),
    row(
      `${fault}: its objects are served again, ms`,
      each.map(({ served }) => served),
    ),
  ]);
  console.log(align([[`${NODES} nodes, ${cpus().length} processors`, 'median', 'worst'], ...lines]));
  const minutes = Number(values.minutes);
  const { alarms, busy } = await falseAlarms(minutes, client);
  console.log(`${busy} busy programs for ${minutes} minutes: ${alarms} nodes were taken for dead`);
} finally {
  await stopCluster(CLUSTER);
}
