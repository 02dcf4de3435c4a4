/**
 * One node of the benchmark's cluster, a process of its own: container, ghost workers, proc and epm, joined as the daemon joins them. The parent
 * asks over Node's process channel; see `cluster.ts` for the other half.
 */
import { readFileSync } from 'node:fs';
import type { Migration } from '../src/epm/index.ts';
import { huskCgroup } from '../src/proc/index.ts';
import { CertificateAuthority } from '../src/rpc/index.ts';
import { HOST, startJoinedNode } from '../test/support/joined-node.ts';
import { measureSystemCallFloor, type SystemCallFloor } from './system-call-floor.ts';

/** What the parent may ask, with its answer. */
export interface NodeRequests {
  start: (command: string, output: string) => Promise<number>;
  /** `milliseconds` is what the caller of the move waits. */
  migrate: (pid: number, target: number, withTree: boolean) => Promise<Migration & { milliseconds: number }>;
  signal: (pid: number, signal: NodeJS.Signals) => void;
  /** Ends every program of the container. */
  endAll: () => void;
  systemCallFloor: (pid: number) => SystemCallFloor;
  connect: (node: number, port: number) => void;
  stop: () => Promise<void>;
}

export type NodeRequest = {
  [Name in keyof NodeRequests]: { id: number; name: Name; args: Parameters<NodeRequests[Name]> };
}[keyof NodeRequests];
export type NodeAnswer = { id: number; result?: unknown; error?: string };

async function startNode(id: number, cluster: string, authority: string): Promise<{ port: number; requests: NodeRequests }> {
  const node = await startJoinedNode(cluster, id, await CertificateAuthority.open(authority, cluster));
  const { container, epm, rpc, port } = node;
  const processes = container.cgroup.child('processes');
  const hostPid = (pid: number): number => {
    const found = container.hostPidOf(pid);
    if (found === undefined) throw new Error(`process ${pid} is not on node ${id}`);
    return found;
  };

  const requests: NodeRequests = {
    start: (command, output) => node.start(command, output),
    migrate: async (pid, target, withTree) => {
      const started = performance.now();
      const migration = await epm.migrate(pid, target, withTree);
      return { ...migration, milliseconds: performance.now() - started };
    },
    signal: (pid, signal) => void process.kill(hostPid(pid), signal),
    endAll: () => {
      const husks = huskCgroup(container).path;
      for (const group of processes.children()) if (group.path !== husks) group.kill();
    },
    systemCallFloor: (pid) => measureSystemCallFloor(hostPid(pid)),
    connect: (peer, peerPort) => rpc.addPeer(peer, HOST, peerPort),
    stop: () => Promise.resolve(node[Symbol.asyncDispose]()),
  };
  return { port, requests };
}

async function answer(requests: NodeRequests, { id, name, args }: NodeRequest): Promise<NodeAnswer> {
  try {
    const handler = requests[name] as (...values: readonly unknown[]) => unknown;
    return { id, result: await handler(...args) };
  } catch (error) {
    return { id, error: (error as Error).stack ?? String(error) };
  }
}

const [id, cluster, authority] = process.argv.slice(2);
if (id === undefined || cluster === undefined || authority === undefined) throw new Error('arguments: ID CLUSTER AUTHORITY');
const { port, requests } = await startNode(Number(id), cluster, authority);
process.on('message', (request: NodeRequest) => {
  void answer(requests, request).then((reply) => {
    process.send?.(reply);
    if (request.name === 'stop') process.disconnect();
  });
});
process.on('disconnect', () => process.exit());
process.send?.({ port, kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim() });
