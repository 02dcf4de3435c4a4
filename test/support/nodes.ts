/** The end of whole nodes, and their return. */
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
