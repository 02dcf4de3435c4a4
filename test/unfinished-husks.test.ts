/** A daemon is killed while it makes husks: the next one ends those that are not finished, and nothing else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Container, containerCgroup, pidRangeOf, sendDescriptors } from '../src/container/index.ts';
import { converse, messageWithDescriptors } from '../src/linux/index.ts';
import { NodeClient, startCluster, stopCluster } from '../src/node/index.ts';
import { becomeTemplate, ContainerTable, isHusk, spawnTemplate } from '../src/proc/index.ts';
import { eventually } from './support/cluster.ts';

const cluster = `unfinished-${process.pid}`;
let container: Container;

before(async () => {
  container = await Container.create({
    cgroup: containerCgroup(cluster, 1),
    hostName: 'node1',
    range: pidRangeOf(1),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
});
after(() => stopCluster(cluster));

async function makeTemplate(): Promise<number> {
  const { writeEnd } = container.openPipe();
  const { pid, hostPid } = await spawnTemplate(container);
  becomeTemplate(hostPid, {
    pid,
    sendRecordPipe: (of, socket) => converse(container.lane, sendDescriptors(of, socket, [messageWithDescriptors([writeEnd])])),
  });
  return pid;
}

test('what is no husk yet, husks that are still what their creator is, and a second template go; processes stay', async () => {
  const template = await makeTemplate();
  const second = await makeTemplate();
  const spawned = await spawnTemplate(container);
  const { pid: program } = await container.launch({
    arguments: ['/bin/sleep', '1000'],
    environment: {},
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'descriptors', fds: [0, 1, 2] },
    cgroup: container.newApplication(),
  });
  const known = [template, second, spawned.pid, program];
  const maker = spawn(process.execPath, [
    join(import.meta.dirname, 'support', 'dying-husk-maker.ts'),
    String(container.initPid),
    String(template),
  ]);
  assert.deepEqual(await once(maker, 'exit'), [null, 'SIGKILL']);
  const table = new ContainerTable(container.procfsPath);
  const pids = (): number[] => table.all().flatMap(({ pid, ended }) => (pid === 1 || ended !== undefined ? [] : [pid]));
  const unfinished = pids().filter((pid) => !known.includes(pid) && isHusk(container.hostPidOf(pid) ?? 0));
  assert.equal(unfinished.length, 1);
  container.release();

  const { nodes } = await startCluster({ cluster, nodes: 1 });
  const client = new NodeClient(...nodes.map(({ socket }) => socket));
  await eventually('the others to have gone', async () => (await client.processes({ husks: true })).length <= 2);
  const left = await client.processes({ husks: true });
  assert.deepEqual(
    left.filter(({ kind }) => kind === 'process').map(({ pid }) => pid),
    [program],
  );
  assert.equal(left.filter(({ pid }) => [template, second].includes(pid)).length, 1);
});
