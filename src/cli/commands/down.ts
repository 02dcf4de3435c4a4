import { clusterName, describedCluster } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** Stops a cluster of this machine and everything that runs in it. */
export async function down(options: CommonOptions): Promise<number> {
  const cluster = clusterName(options);
  const nodes = describedCluster(options).nodes.length;
  const { stopCluster } = await import('../../node/cluster.ts');
  await withProgress(`stopping ${nodes} nodes`, () => stopCluster(cluster));
  if (options.json === true) printJson({ cluster, stopped: nodes });
  else process.stdout.write(`cluster ${cluster}: ${nodes} nodes stopped\n`);
  return 0;
}
