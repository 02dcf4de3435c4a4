import { KorriganError } from '../../linux/errors.ts';
import type { StoreLocation } from '../../node/api/index.ts';
import { clusterName } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';
import { printNodes } from './status.ts';

export interface UpOptions extends CommonOptions {
  readonly nodes: string;
  readonly start?: string;
  readonly standby?: boolean;
  readonly store?: string;
}

/** Starts a cluster of nodes on this machine. */
export async function up(options: UpOptions): Promise<number> {
  const nodes = parseCount('--nodes', options.nodes);
  const start = options.start === undefined ? nodes : parseCount('--start', options.start);
  const standby = options.standby === true;
  const store = parseStore(options.store ?? 'embedded');
  const cluster = clusterName(options);
  const { startCluster } = await import('../../node/cluster.ts');
  const description = await withRights('start a cluster', () =>
    withProgress(`starting ${start} nodes`, (progress) =>
      startCluster({ cluster, nodes, start, standby, store, onProgress: (text) => progress.update(text) }),
    ),
  );
  if (options.json === true) printJson(description);
  else printNodes(description);
  return 0;
}

function parseStore(text: string): StoreLocation {
  if (text === 'embedded') return { kind: 'embedded' };
  const endpoints = text.split(',');
  if (endpoints.every((endpoint) => URL.canParse(endpoint) && /^https?:/.test(endpoint))) return { kind: 'etcd', endpoints };
  throw new KorriganError('KRG_USAGE', `--store takes embedded, or the URLs of an etcd such as http://10.0.0.1:2379, not "${text}"`);
}

function parseCount(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new KorriganError('KRG_USAGE', `${option} takes a number from 1, not "${text}"`);
}
