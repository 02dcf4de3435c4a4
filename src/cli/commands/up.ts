import { KorriganError } from '../../linux/errors.ts';
import { clusterName } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';
import { printNodes } from './status.ts';

export interface UpOptions extends CommonOptions {
  readonly nodes: string;
}

/** Starts a cluster of nodes on this machine. */
export async function up(options: UpOptions): Promise<number> {
  const nodes = Number(options.nodes);
  if (!Number.isInteger(nodes) || nodes < 1) throw new KorriganError('KRG_USAGE', `--nodes takes a number from 1, not "${options.nodes}"`);
  const cluster = clusterName(options);
  const { startCluster } = await import('../../node/cluster.ts');
  const description = await withRights('start a cluster', () =>
    withProgress(`starting ${nodes} nodes`, (progress) => startCluster({ cluster, nodes, onProgress: (text) => progress.update(text) })),
  );
  if (options.json === true) printJson(description);
  else printNodes(description);
  return 0;
}
