/**
 * Migration between the containers of two nodes, without daemons: the modules are joined by hand as node.ts does it, in one process.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Container, containerCgroup, nodeOfPid, pidRangeOf } from '../src/container/index.ts';
import { GhostWorkers, MigrationService } from '../src/epm/index.ts';
import { ProcService } from '../src/proc/index.ts';
import { RpcNode } from '../src/rpc/index.ts';
import { Streams } from '../src/streams/index.ts';
import { until } from './support/engine.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-migration-'));
chmodSync(directory, 0o755);
const log = { info() {}, warn: (details: object, message: string) => console.error(message, details), debug() {}, error() {} };

interface TestNode {
  id: number;
  container: Container;
  streams: Streams;
  rpc: RpcNode;
  workers: GhostWorkers;
  proc: ProcService;
  epm: MigrationService;
  ended: Map<number, number>;
  records: Socket;
  timer: NodeJS.Timeout;
}

const nodes: TestNode[] = [];
const secret = new Uint8Array(32).fill(7);
const cluster = `test-migration-${process.pid}`;

async function startNode(id: number): Promise<TestNode> {
  const cgroup = containerCgroup(cluster, id);
  const container = await Container.create({
    cgroup,
    hostName: `node${id}`,
    range: pidRangeOf(id),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
  const rpc = new RpcNode({ id, cluster, secret, oneMachine: true });
  const pipe = container.openPipe();
  const streams = new Streams(container);
  const workers = new GhostWorkers([1, 2, 3]);
  const homeOf = (pid: number): number => nodeOfPid(pid);
  const proc = new ProcService({ rpc, container, lane: 4, recordPipe: pipe.writeEnd, homeOf, log });
  const epm = new MigrationService({ rpc, container, streams, workers, proc, host: '127.0.0.1', recordPipe: pipe.writeEnd, homeOf, log });
  const records = new Socket({ fd: container.takeDescriptor(pipe.readEnd), readable: true, writable: false });
  records.on('data', (chunk) => proc.recordsRead(chunk));
  const ended = new Map<number, number>();
  const timer = setInterval(() => {
    for (const { pid, status, sequence } of container.reaped.read()) {
      container.reaped.acknowledge(sequence + 1);
      if (homeOf(pid) === id) ended.set(pid, status);
    }
  }, 5);
  return { id, container, streams, rpc, workers, proc, epm, ended, records, timer };
}

before(async () => {
  for (const id of [1, 2]) nodes.push(await startNode(id));
  const addresses = await Promise.all(nodes.map(({ rpc }) => rpc.listen({ host: '127.0.0.1', port: 0 })));
  for (const { rpc, id } of nodes) addresses.forEach(({ host, port }, n) => n + 1 !== id && rpc.addPeer(n + 1, host, port));
});

after(async () => {
  for (const { container, streams, rpc, workers, proc, epm, records, timer } of nodes) {
    clearInterval(timer);
    records.destroy();
    await proc[Symbol.asyncDispose]();
    epm[Symbol.dispose]();
    await rpc.close();
    await workers[Symbol.asyncDispose]();
    await streams[Symbol.asyncDispose]();
    await container.destroy();
  }
  rmSync(directory, { recursive: true });
});

function node(id: number): TestNode {
  const found = nodes[id - 1];
  assert.ok(found);
  return found;
}

async function start(id: number, command: string, output: string): Promise<number> {
  const { container } = node(id);
  const fds = [container.lane.call('openat', -100, '/dev/null', 0, 0), container.lane.call('openat', -100, output, 0o2101, 0o644)];
  const cgroup = container.cgroup
    .child('processes')
    .child(`app-${Math.random().toString(36).slice(2)}`)
    .create();
  const { pid } = await container.launch({
    arguments: ['sh', '-c', command],
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'descriptors', fds: [fds[0] ?? 0, fds[1] ?? 0, fds[1] ?? 0] },
    cgroup,
  });
  for (const fd of fds) container.closeDescriptor(fd);
  return pid;
}

function build(name: string): string {
  const binary = join(directory, name);
  execFileSync('gcc', ['-O1', '-pthread', '-o', binary, join(import.meta.dirname, 'programs', 'engine', `${name}.c`)]);
  return binary;
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

test('a counter moves back and forth between two nodes and misses no number; its end is told to its home', async () => {
  const output = join(directory, 'counter.out');
  const pid = await start(1, `exec ${build('counter')}`, output);
  await until(() => lines(output).length > 3, 'the first numbers');
  for (let hop = 0; hop < 20; hop++) {
    const [from, to] = hop % 2 === 0 ? [1, 2] : [2, 1];
    const report = await node(from).epm.migrate(pid, to, false);
    assert.deepEqual(report.pids, [pid]);
    const seen = lines(output).length;
    await until(() => lines(output).length > seen + 3, `progress after hop ${hop + 1}`);
  }
  await node(1).epm.migrate(pid, 2, false);
  assert.equal(await node(1).proc.locate(pid), 2);
  assert.equal(await node(2).proc.locate(pid), 2);
  process.kill(node(2).container.hostPidOf(pid) ?? 0, 'SIGTERM');
  await until(() => node(1).ended.has(pid), 'the end at home');
  assert.equal(node(1).ended.get(pid), 15);
  const numbers = lines(output).map(Number);
  assert.deepEqual(
    numbers,
    numbers.map((_, n) => n),
  );
});
