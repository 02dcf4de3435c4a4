import { readFileSync } from 'node:fs';
import { clusterDirectory, findNode, NodeClient, readClusterDescription } from '../node/api/index.ts';
import type { ClusterDescription } from '../node/api/index.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly cluster?: string;
  /** The node whose daemon is asked. */
  readonly at?: string;
}

export function clusterName(options: CommonOptions): string {
  const name = options.cluster ?? process.env['KRG_CLUSTER'] ?? clusterAround() ?? 'default';
  // Refuses a name that cannot be one, whatever the command would do with it.
  clusterDirectory(name);
  return name;
}

/** The cluster in whose container this program runs: its control group says so. */
function clusterAround(): string | undefined {
  try {
    return /^0::.*\/korrigan\/([^/]+)\/node\d+\/processes\//m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1];
  } catch {
    return undefined; // no procfs, no container
  }
}

/** The cluster of this machine that is meant. @throws KorriganError KRG_NO_DAEMON when it is not up */
export function describedCluster(options: CommonOptions): ClusterDescription {
  return readClusterDescription(clusterName(options));
}

/** A client of the node that `--at` names, else of the first that answers. */
export function nodeClient(options: CommonOptions): NodeClient {
  const { nodes } = describedCluster(options);
  const asked = options.at === undefined ? nodes : [findNode(nodes, options.at)];
  return new NodeClient(...asked.map((node) => node.socket));
}
