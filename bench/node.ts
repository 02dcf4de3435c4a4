/**
 * One node of the benchmark's cluster, a process of its own: container, ghost workers, proc and epm, joined as the daemon joins them. The parent
 * asks over Node's process channel; see `cluster.ts` for the other half.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Container, containerCgroup, nodeOfPid, pidRangeOf } from '../src/container/index.ts';
import { GhostWorkers, type Migration, MigrationService } from '../src/epm/index.ts';
import { ProcService } from '../src/proc/index.ts';
import { RpcNode } from '../src/rpc/index.ts';
import { Streams } from '../src/streams/index.ts';
import { measureSystemCallFloor, type SystemCallFloor } from './system-call-floor.ts';

/** What the parent may ask, with its answer. */
export interface NodeRequests {
  start: (name: string, command: string, output: string) => Promise<number>;
  /** `milliseconds` is what the caller of the move waits. */
  migrate: (pid: number, target: number, withTree: boolean) => Promise<Migration & { milliseconds: number }>;
  signal: (pid: number, signal: NodeJS.Signals) => void;
  /** Ends every process of the container but pid 1. */
  endAll: () => void;
  systemCallFloor: (pid: number) => SystemCallFloor;
  connect: (node: number, port: number) => void;
  stop: () => Promise<void>;
}

export type NodeRequest = {
  [Name in keyof NodeRequests]: { id: number; name: Name; args: Parameters<NodeRequests[Name]> };
}[keyof NodeRequests];
export type NodeAnswer = { id: number; result?: unknown; error?: string };

const HOST = '127.0.0.1';
const POLL_MILLISECONDS = 5;
const log = {
  info: () => undefined,
  warn: (details: object, message: string) => console.error(message, details),
  debug: () => undefined,
  error: () => undefined,
};

async function startNode(id: number, cluster: string): Promise<{ port: number; requests: NodeRequests }> {
  const container = await Container.create({
    cgroup: containerCgroup(cluster, id),
    hostName: `node${id}`,
    range: pidRangeOf(id),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
  const rpc = new RpcNode({ id, cluster, secret: new Uint8Array(32).fill(7), oneMachine: true });
  const pipe = container.openPipe();
  const streams = new Streams(container);
  const workers = new GhostWorkers([1, 2, 3]);
  const homeOf = (pid: number): number => nodeOfPid(pid);
  const proc = new ProcService({ rpc, container, lane: 4, recordPipe: pipe.writeEnd, homeOf, log });
  const epm = new MigrationService({ rpc, container, streams, workers, proc, host: HOST, recordPipe: pipe.writeEnd, homeOf, log });
  const records = new Socket({ fd: container.takeDescriptor(pipe.readEnd), readable: true, writable: false });
  records.on('data', (chunk) => proc.recordsRead(chunk));
  const timer = setInterval(() => {
    for (const { sequence } of container.reaped.read()) container.reaped.acknowledge(sequence + 1);
  }, POLL_MILLISECONDS);
  const { port } = await rpc.listen({ host: HOST, port: 0 });
  const processes = container.cgroup.child('processes');
  const hostPid = (pid: number): number => {
    const found = container.hostPidOf(pid);
    if (found === undefined) throw new Error(`process ${pid} is not on node ${id}`);
    return found;
  };

  const start = async (name: string, command: string, output: string): Promise<number> => {
    const fds = [container.lane.call('openat', -100, '/dev/null', 0, 0), container.lane.call('openat', -100, output, 0o2101, 0o644)];
    const [input = 0, written = 0] = fds;
    const { pid } = await container.launch({
      arguments: ['sh', '-c', command],
      environment: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/' },
      workingDirectory: '/',
      credentials: { uid: 0, gid: 0, groups: [] },
      umask: 0o22,
      streams: { kind: 'descriptors', fds: [input, written, written] },
      cgroup: processes.child(`bench-${name}`).create(),
    });
    for (const fd of fds) container.closeDescriptor(fd);
    return pid;
  };

  const requests: NodeRequests = {
    start,
    migrate: async (pid, target, withTree) => {
      const started = performance.now();
      const migration = await epm.migrate(pid, target, withTree);
      return { ...migration, milliseconds: performance.now() - started };
    },
    signal: (pid, signal) => void process.kill(hostPid(pid), signal),
    endAll: () => processes.kill(),
    systemCallFloor: (pid) => measureSystemCallFloor(hostPid(pid)),
    connect: (node, peerPort) => rpc.addPeer(node, HOST, peerPort),
    stop: async () => {
      clearInterval(timer);
      records.destroy();
      await proc[Symbol.asyncDispose]();
      await rpc.close();
      await workers[Symbol.asyncDispose]();
      epm[Symbol.dispose]();
      await streams[Symbol.asyncDispose]();
      await container.destroy();
    },
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

const [id, cluster] = process.argv.slice(2);
if (id === undefined || cluster === undefined) throw new Error('arguments: ID CLUSTER');
const { port, requests } = await startNode(Number(id), cluster);
process.on('message', (request: NodeRequest) => {
  void answer(requests, request).then((reply) => {
    process.send?.(reply);
    if (request.name === 'stop') process.disconnect();
  });
});
process.on('disconnect', () => process.exit());
process.send?.({ port, kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim() });
