/** The end of whole nodes, and their return. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { containerCgroup } from '../../src/container/index.ts';
import { startNode } from '../../src/node/index.ts';
import { eventually, type TestCluster } from './cluster.ts';

/** Everything that a node is on this machine ends at once: daemon, supervisor, container. */
export function killNode({ description }: TestCluster, id: number): void {
  containerCgroup(description.cluster, id).kill();
}

export async function returnNode({ description }: TestCluster, id: number): Promise<void> {
  await startNode(description.cluster, id);
}

/** Waits until the cluster sees the node in this state. */
export async function becomes({ client }: TestCluster, id: number, state: string): Promise<void> {
  await eventually(`node ${id} to be ${state}`, async () => (await client.status()).nodes.find((node) => node.id === id)?.state === state);
}

/** The pid here of a process of a node's container, by its pid there. */
export function hostPidOn({ description }: TestCluster, node: number, pid: number): number {
  const found = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const isInside = readFileSync(`/proc/${name}/cgroup`, 'utf8').includes(`/${description.cluster}/node${node}/`);
      return isInside && new RegExp(`^NSpid:.*\\t${pid}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'utf8'));
    } catch {
      return false; // it has ended
    }
  });
  assert.ok(found, `process ${pid} is not on node ${node}`);
  return Number(found);
}
