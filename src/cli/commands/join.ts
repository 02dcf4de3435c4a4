import { KorriganError } from '../../linux/errors.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';
import { readToken } from '../token-input.ts';

export interface JoinCommandOptions extends CommonOptions {
  readonly token: string;
  readonly name?: string;
  readonly address?: string;
  readonly port: string;
  readonly standby?: boolean;
}

/** Of the links between the nodes. */
const RPC_PORT = 7420;

/** Makes this machine a node of a cluster that runs on others. */
export async function join(where: string, options: JoinCommandOptions): Promise<number> {
  const at = parseAddress(where);
  const port = parsePort(options.port);
  const token = await readToken(options.token);
  const { joinCluster } = await import('../../node/cluster.ts');
  const node = {
    port,
    isStandby: options.standby === true,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.address === undefined ? {} : { address: options.address }),
  };
  const description = await withRights('become a node', () =>
    withProgress(`joining the cluster at ${where}`, (progress) =>
      joinCluster({ at, token, node, onProgress: (what) => progress.update(what) }),
    ),
  );
  const [own] = description.nodes;
  if (options.json === true) printJson(description);
  else
    process.stdout.write(
      `this machine is ${own?.name} of cluster ${description.cluster}, at ${own?.address}:${port}${options.standby === true ? '; it waits to be added' : ''}\n`,
    );
  return 0;
}

/** `HOST`, `HOST:PORT` or `[HOST]:PORT`, such as `krg token` prints. @throws KorriganError KRG_USAGE */
export function parseAddress(where: string): { host: string; port: number } {
  const { bracketed, host = bracketed, port } = /^(?:\[(?<bracketed>[^\]]+)\]|(?<host>[^:]+))(?::(?<port>\d+))?$/.exec(where)?.groups ?? {};
  if (host === undefined) throw new KorriganError('KRG_USAGE', `"${where}" is no address: HOST, HOST:PORT or [HOST]:PORT`);
  return { host, port: port === undefined ? RPC_PORT : parsePort(port) };
}

function parsePort(digits: string): number {
  const port = Number(digits);
  if (/^\d+$/.test(digits) && port >= 1 && port <= 65_535) return port;
  throw new KorriganError('KRG_USAGE', `"${digits}" is no port: a port is a number from 1 to 65535`);
}
