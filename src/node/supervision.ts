/** The daemon of one node on this machine, and the supervisor that keeps it alive. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerCgroup } from '../container/index.ts';
import { isKorriganError, KorriganError, type ErrorCode } from '../linux/errors.ts';
import type { ControlGroup } from '../linux/index.ts';
import { NodeClient, nodeDirectory } from './api/index.ts';
import type { ClusterConfiguration, NodeConfiguration } from './configuration.ts';

const READY_SECONDS = 30;
/** Where Node keeps what it has compiled: with it a daemon is back in half the time. */
const COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.compile-cache');
/** What a daemon that starts, or just died, answers. */
export const NOT_YET: readonly ErrorCode[] = ['KRG_NO_DAEMON', 'KRG_NODE_DEAD', 'KRG_STREAM_BROKEN'];

/** Host pid of a node's daemon, as it wrote it last. */
export function daemonPid(cluster: string, id: number): number {
  return Number(readFileSync(join(nodeDirectory(cluster, id), 'krgd.pid'), 'utf8'));
}

/** The group of a node's daemon and supervisor, beside those of its container. */
export function daemonCgroup(cluster: string, id: number): ControlGroup {
  return containerCgroup(cluster, id).child('daemon');
}

/** Starts a node's supervisor in the namespaces of the node, detached from this process. */
export function startSupervisor({ cluster }: ClusterConfiguration, node: NodeConfiguration): void {
  const directory = nodeDirectory(cluster, node.id);
  const offset = String(node.bootOffsetSeconds);
  const namespaces = [
    ...(node.networkNamespace === undefined ? [] : ['nsenter', `--net=/run/netns/${node.networkNamespace}`]),
    'unshare',
    '--uts',
    '--time',
    '--monotonic',
    offset,
    '--boottime',
    offset,
  ];
  const supervisor = [join(import.meta.dirname, 'supervise.sh'), node.name, join(directory, 'krgd.log')];
  const daemon = [process.execPath, join(import.meta.dirname, 'krgd.ts'), cluster, String(node.id)];
  // The shell moves itself into the cgroup, so that nothing that follows is ever outside of it.
  const enter = ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', daemonCgroup(cluster, node.id).create().path];
  const [command = '', ...rest] = [...enter, ...namespaces, ...supervisor, ...daemon];
  spawn(command, rest, {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, KORRIGAN_FAULTS: process.env['KORRIGAN_FAULTS'] },
  }).unref();
}

/** Waits until a node's daemon answers, and its node takes part, or waits to be added. @param not pid of a daemon that is going away @returns the pid of the daemon */
export async function ready(cluster: string, node: NodeConfiguration, not?: number): Promise<number> {
  const deadline = performance.now() + READY_SECONDS * 1000;
  for (;;) {
    try {
      const status = await new NodeClient(node.socket).status();
      const self = status.nodes.find(({ id }) => id === node.id);
      const isSettled = self?.state === 'online' || self?.state === 'leaving' || (self?.state === 'present' && self.isOut);
      if (self?.daemon && self.daemon.pid !== not && isSettled) return self.daemon.pid;
    } catch (error) {
      if (!NOT_YET.some((code) => isKorriganError(error, code))) throw error;
    }
    if (performance.now() > deadline) throw notReady(cluster, node);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function notReady(cluster: string, node: NodeConfiguration): KorriganError {
  const directory = nodeDirectory(cluster, node.id);
  const log = readdirSync(directory).includes('krgd.log') ? readFileSync(join(directory, 'krgd.log'), 'utf8') : '(it wrote no log)';
  const tail = log.trimEnd().split('\n').slice(-5).join('\n');
  return new KorriganError(
    'KRG_NO_DAEMON',
    `the daemon of ${node.name} did not answer within ${READY_SECONDS} s; the end of its log:\n${tail}`,
  );
}
