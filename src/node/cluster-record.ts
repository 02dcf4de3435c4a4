/** The cluster's record on this node: with what it begins, where it lies, and who this node is in it. */
import { join } from 'node:path';
import { add, appear, type ClusterStore, EtcdStore, introduce, type OwnRecord, RegisterStore, type View } from '../hotplug/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import { nodeDirectory } from './api/index.ts';
import type { ClusterConfiguration, NodeConfiguration } from './configuration.ts';

/** @param life of the node's container; empty while it is not known */
export function ownRecord({ id, name, address, port }: NodeConfiguration, life: string, daemon?: string): OwnRecord {
  return { id, name, address, port, life, daemon };
}

/** The nodes with which the cluster was started take part; none has been up yet. */
export function firstView({ nodes }: ClusterConfiguration): View {
  const nobody: View = { epoch: 0, nodes: [] };
  return add(
    nodes.reduce(
      (view, node) => (node.isFirst ? appear(view, ownRecord(node, '')) : introduce(view, namesOf(node), node.isStandby)),
      nobody,
    ),
    nodes.filter(({ isFirst }) => isFirst).map(({ id }) => id),
  );
}

function namesOf({ id, name, address, port }: NodeConfiguration): Parameters<typeof introduce>[1] {
  return { id, name, address, port };
}

export function openStore(configuration: ClusterConfiguration, rpc: RpcNode): ClusterStore {
  const { store, cluster } = configuration;
  const first = configuration.joinedAt ?? firstView(configuration);
  if (store.kind === 'etcd') return new EtcdStore({ cluster, endpoints: store.endpoints, first });
  const path = join(nodeDirectory(configuration.cluster, rpc.id), 'membership.json');
  return new RegisterStore({ rpc, path, first });
}
