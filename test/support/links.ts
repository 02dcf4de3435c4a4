/** Faults of the network of a cluster on this machine. */
import { execFileSync } from 'node:child_process';
import type { ClusterDescription } from '../../src/node/index.ts';

/** Nobody has it: what is sent there is lost, and nobody is told. */
const NOWHERE = '02:00:00:00:00:99';

/** Cuts the link between two nodes, both ways; others still hear both. @returns what mends it */
export function cutLink({ cluster, nodes }: ClusterDescription, one: number, other: number): () => void {
  const neighbour = (of: number, to: number, ...words: readonly string[]): void => {
    const address = nodes.find(({ id }) => id === to)?.address ?? '';
    execFileSync('ip', ['-n', `korrigan-${cluster}-node${of}`, 'neigh', words[0] ?? '', address, 'dev', 'eth0', ...words.slice(1)]);
  };
  for (const [of, to] of [
    [one, other],
    [other, one],
  ] as const)
    neighbour(of, to, 'replace', 'lladdr', NOWHERE, 'nud', 'permanent');
  return () => {
    neighbour(one, other, 'del');
    neighbour(other, one, 'del');
  };
}

/** Takes a node off the network, or puts it back. */
export function setCable({ cluster }: ClusterDescription, node: number, state: 'up' | 'down'): void {
  execFileSync('ip', ['-n', `korrigan-${cluster}-node${node}`, 'link', 'set', 'eth0', state]);
}
