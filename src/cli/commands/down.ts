import { existsSync } from 'node:fs';
import { clusterDirectory } from '../../node/api/index.ts';
import { clusterName, describedCluster } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';

/** Stops a cluster of this machine and everything that runs in it; also what is left of one that did not come up. */
export async function down(options: CommonOptions): Promise<number> {
  const cluster = clusterName(options);
  // Says that there is none, where there is nothing at all.
  if (!existsSync(clusterDirectory(cluster))) describedCluster(options);
  const { stopCluster } = await import('../../node/cluster.ts');
  await withRights('stop a cluster', () => withProgress(`stopping cluster ${cluster}`, () => stopCluster(cluster)));
  if (options.json === true) printJson({ cluster, stopped: true });
  else process.stdout.write(`cluster ${cluster} is stopped\n`);
  return 0;
}
