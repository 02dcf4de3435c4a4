import { readFileSync } from 'node:fs';
import { KorriganError } from '../../linux/errors.ts';
import {
  applied,
  DEFAULT_CAPABILITIES,
  namesOf,
  type NewCapabilityPolicy,
  type StoreLocation,
  SUPPORTED_NAMES,
} from '../../node/api/index.ts';
import { readCapabilities } from '../capability-words.ts';
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
  readonly caps?: string;
  readonly capsRules?: string;
}

/** Starts a cluster of nodes on this machine. */
export async function up(options: UpOptions): Promise<number> {
  const nodes = parseCount('--nodes', options.nodes);
  const start = options.start === undefined ? nodes : parseCount('--start', options.start);
  const standby = options.standby === true;
  const store = parseStore(options.store ?? 'embedded');
  const cluster = clusterName(options);
  const capabilities = readPolicy(options);
  const { startCluster } = await import('../../node/cluster.ts');
  const description = await withRights('start a cluster', () =>
    withProgress(`starting ${start} nodes`, (progress) =>
      startCluster({ cluster, nodes, start, standby, store, capabilities, onProgress: (text) => progress.update(text) }),
    ),
  );
  if (options.json === true) printJson(description);
  else printNodes(description);
  return 0;
}

/** What the configuration will say about capabilities; the rules are judged by who writes it. */
function readPolicy({ caps, capsRules }: UpOptions): NewCapabilityPolicy {
  const list = caps === undefined ? undefined : readCapabilities('--caps', caps);
  const effective = list === undefined ? DEFAULT_CAPABILITIES : applied(DEFAULT_CAPABILITIES, list);
  const known = namesOf(effective);
  const initial = SUPPORTED_NAMES.filter((name) => known.includes(name));
  if (initial.length < known.length)
    throw new KorriganError('KRG_USAGE', `--caps takes ${SUPPORTED_NAMES.join(', ')}; the others of Kerrighed's do nothing`);
  return { initial, ...(capsRules === undefined ? {} : { rules: readRules(capsRules) }) };
}

function readRules(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new KorriganError('KRG_USAGE', `--caps-rules: ${path} cannot be read as JSON: ${(cause as Error).message}`, { cause });
  }
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
