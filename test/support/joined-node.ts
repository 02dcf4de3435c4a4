/** A node without a daemon: its modules are joined by hand as src/node does it, in the process of a test or a benchmark, with all ports on 127.0.0.1. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Container, containerCgroup, nodeOfPid, pidRangeOf, SharedPids } from '../../src/container/index.ts';
import { GhostWorkers, MigrationService } from '../../src/epm/index.ts';
import { ProcService } from '../../src/proc/index.ts';
import { CertificateAuthority, RpcNode, Trust } from '../../src/rpc/index.ts';
import { Streams } from '../../src/streams/index.ts';
import { letTrappedCallsGoOn } from './trapped-calls.ts';

export const HOST = '127.0.0.1';
const LANES = { workers: [1, 2, 3], proc: 4 } as const;
const POLL_MILLISECONDS = 5;
const [AT_FDCWD, O_WRITE_CREATE_APPEND] = [-100, 0o2101];
const log = {
  info: () => undefined,
  warn: (details: object, message: string) => console.error(message, details),
  debug: () => undefined,
  error: () => undefined,
};

export interface JoinedNode extends AsyncDisposable {
  readonly id: number;
  readonly container: Container;
  readonly rpc: RpcNode;
  readonly proc: ProcService;
  readonly epm: MigrationService;
  /** Of processes whose home is here: what their parent or pid 1 saw of their end, a wait status by pid. */
  readonly ended: ReadonlyMap<number, number>;
  readonly port: number;
  /** Starts a shell command, its output appended to a file. @returns its pid */
  start(command: string, output: string): Promise<number>;
}

export async function startJoinedNode(cluster: string, id: number, authority: CertificateAuthority): Promise<JoinedNode> {
  const container = await Container.create({
    cgroup: containerCgroup(cluster, id),
    hostName: `node${id}`,
    range: pidRangeOf(id),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
  const rpc = new RpcNode({ trust: new Trust(await authority.credentialsFor(id)) });
  const { readEnd, writeEnd: recordPipe } = container.openPipe();
  const streams = new Streams(container);
  const workers = new GhostWorkers([...LANES.workers]);
  const homeOf = (pid: number): number => nodeOfPid(pid);
  const isLiving = (): boolean => true;
  const proc = new ProcService({ rpc, container, lane: LANES.proc, recordPipe, homeOf, husks: new SharedPids(), isLiving, log });
  const epm = new MigrationService({
    rpc,
    container,
    streams,
    workers,
    proc,
    host: HOST,
    recordPipe,
    homeOf,
    isLiving,
    checkMigrate: () => undefined,
    log,
  });
  const records = new Socket({ fd: container.takeDescriptor(readEnd), readable: true, writable: false });
  records.on('data', (chunk) => proc.recordsRead(chunk));
  const ended = new Map<number, number>();
  const timer = setInterval(() => {
    for (const { pid, status, sequence } of container.reaped.read()) {
      container.reaped.acknowledge(sequence + 1);
      if (homeOf(pid) === id) ended.set(pid, status);
    }
  }, POLL_MILLISECONDS);
  const serving = letTrappedCallsGoOn(container);
  const { port } = await rpc.listen({ host: HOST, port: 0 });
  return {
    id,
    container,
    rpc,
    proc,
    epm,
    ended,
    port,
    start: async (command, output) => {
      const input = container.lane.call('openat', AT_FDCWD, '/dev/null', 0, 0);
      const written = container.lane.call('openat', AT_FDCWD, output, O_WRITE_CREATE_APPEND, 0o644);
      const { pid } = await container.launch({
        arguments: ['sh', '-c', command],
        environment: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/' },
        workingDirectory: '/',
        credentials: { uid: 0, gid: 0, groups: [] },
        umask: 0o22,
        streams: { kind: 'descriptors', fds: [input, written, written] },
        cgroup: container.newApplication(),
      });
      for (const fd of [input, written]) container.closeDescriptor(fd);
      return pid;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      serving[Symbol.dispose]();
      records.destroy();
      await proc[Symbol.asyncDispose]();
      epm[Symbol.dispose]();
      await rpc.close();
      await workers[Symbol.asyncDispose]();
      await streams[Symbol.asyncDispose]();
      await container.destroy();
    },
  };
}

/** Makes an authority for the time in which nodes are started. */
export async function withAuthority<T>(cluster: string, start: (directory: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'korrigan-authority-'));
  try {
    await CertificateAuthority.create(join(folder, 'authority'), cluster);
    return await start(join(folder, 'authority'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Nodes 1 to `count` that know each other. */
export async function startJoinedNodes(cluster: string, count: number): Promise<JoinedNode[]> {
  const nodes: JoinedNode[] = [];
  await withAuthority(cluster, async (directory) => {
    const authority = await CertificateAuthority.open(directory, cluster);
    for (let id = 1; id <= count; id++) nodes.push(await startJoinedNode(cluster, id, authority));
  });
  for (const { rpc, id } of nodes) for (const peer of nodes) if (peer.id !== id) rpc.addPeer(peer.id, HOST, peer.port);
  return nodes;
}
