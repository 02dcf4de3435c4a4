/**
 * A cluster on this machine as it is found again: `/run/korrigan/<cluster>/cluster.json`, written by who starts it, read by `krg`.
 * Each node has a directory `node<k>/` beside it with its socket, log and state.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { KorriganError } from '../../linux/errors.ts';

export interface NodeDescription {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  /** Path of the unix socket of the node's HTTP API. */
  readonly socket: string;
  /** Host pid of krgd when the file was written, null when it was not up; a daemon that was restarted has another one. */
  readonly pid: number | null;
}

export interface ClusterDescription {
  readonly cluster: string;
  readonly nodes: readonly NodeDescription[];
}

const RUNTIME_ROOT = '/run/korrigan';
const CLUSTER_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** @throws KorriganError KRG_USAGE when the name cannot be one of a directory and of network devices */
export function clusterDirectory(cluster: string): string {
  if (CLUSTER_NAME.test(cluster)) return join(RUNTIME_ROOT, cluster);
  throw new KorriganError(
    'KRG_USAGE',
    `${JSON.stringify(cluster)} is no name for a cluster: it takes 1 to 32 small letters, digits and hyphens`,
  );
}

/** The directory of one node of a cluster. */
export function nodeDirectory(cluster: string, id: number): string {
  return join(clusterDirectory(cluster), `node${id}`);
}

/** @throws KorriganError KRG_NO_DAEMON when no cluster of this name is up on this machine */
export function readClusterDescription(cluster: string): ClusterDescription {
  const path = join(clusterDirectory(cluster), 'cluster.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    const start = cluster === 'default' ? 'krg up' : `krg up --cluster ${cluster}`;
    throw new KorriganError('KRG_NO_DAEMON', `cluster "${cluster}" is not running on this machine; start it with: ${start}`, { cause });
  }
  return JSON.parse(text) as ClusterDescription;
}

/** The names of the clusters that are up on this machine. */
export function runningClusters(): string[] {
  try {
    return readdirSync(RUNTIME_ROOT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The node that `reference` (a name, or an id in digits) means. @throws KorriganError KRG_NO_SUCH_NODE */
export function findNode<Node extends { readonly id: number; readonly name: string }>(nodes: readonly Node[], reference: string): Node {
  const found = nodes.find((node) => node.name === reference) ?? nodes.find((node) => String(node.id) === reference);
  if (found !== undefined) return found;
  const names = nodes.map((node) => node.name).join(', ');
  throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node "${reference}"; its nodes are ${names}`);
}
