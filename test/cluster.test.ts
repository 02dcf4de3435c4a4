/** Clusters of daemons on this machine: started, used, hurt, stopped without a trace. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { containerCgroup } from '../src/container/index.ts';
import {
  clusterDirectory,
  daemonCgroup,
  daemonPid,
  NodeClient,
  readClusterDescription,
  restartDaemon,
  startCluster,
  stopCluster,
  type ClusterDescription,
  type ExitStatus,
  type RunRequest,
} from '../src/node/index.ts';

const cluster = `cluster-${process.pid}`;

const request = (words: readonly string[], more: Partial<RunRequest> = {}): RunRequest => ({
  arguments: [...words],
  environment: { PATH: '/usr/bin:/bin' },
  workingDirectory: '/',
  umask: 0o22,
  ...more,
});

async function until<T>(what: string, find: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  for (const deadline = performance.now() + 20_000; ; await delay(5)) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
  }
}

/** Runs a program with its streams attached, to its end. */
async function run(
  client: NodeClient,
  words: readonly string[],
  more: Partial<RunRequest> = {},
  input = '',
): Promise<{ stdout: string; stderr: string; status: ExitStatus }> {
  const program = await client.run(request(words, more));
  program.stdin.end(input);
  const [stdout, stderr, status] = await Promise.all([textOf(program.stdout), textOf(program.stderr), program.exited]);
  return { stdout, stderr, status };
}

/** Everything that a cluster has on this machine, by name. */
function traces(name: string): string[] {
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
  const namespaces = execFileSync('ip', ['netns'], { encoding: 'utf8' });
  const processes = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const group = containerCgroup(name, 1).parent;
  return [
    ...namespaces.split('\n').filter((line) => line.includes(name)),
    ...bridges.filter((bridge) => links.includes(bridge)),
    ...processes.filter((line) => line.includes(name)),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(name)),
    ...(group.exists ? [group.path] : []),
    ...(existsSync(clusterDirectory(name)) ? [clusterDirectory(name)] : []),
  ];
}
/** Devices that clusters of this test had. */
const bridges: string[] = [];

function noteBridge(name: string): void {
  const configuration = JSON.parse(readFileSync(`${clusterDirectory(name)}/configuration.json`, 'utf8')) as { network: { bridge: string } };
  bridges.push(configuration.network.bridge, configuration.network.bridge.replace('kb', 'kv'));
}

describe('a cluster of three nodes', () => {
  let description: ClusterDescription;
  const client = (id: number): NodeClient => new NodeClient(description.nodes[id - 1]?.socket ?? '');
  const list = async (pid: number): Promise<string | undefined> =>
    (await client(1).processes()).find((process) => process.pid === pid)?.node;

  before(async () => {
    description = await startCluster({ cluster, nodes: 3, bootOffsets: [1000, 50_000, 0] });
    noteBridge(cluster);
  });
  after(async () => {
    await stopCluster(cluster);
    assert.deepEqual(traces(cluster), []);
  });

  test('is described, and every daemon knows all nodes', async () => {
    assert.deepEqual(readClusterDescription(cluster), description);
    for (const id of [1, 2, 3]) {
      const status = await client(id).status();
      assert.equal(status.node, `node${id}`);
      assert.deepEqual(
        status.nodes.map(({ name, state }) => [name, state]),
        [
          ['node1', 'online'],
          ['node2', 'online'],
          ['node3', 'online'],
        ],
      );
      assert.deepEqual(status.nodes[id - 1]?.daemon?.pid, daemonPid(cluster, id));
    }
  });

  test('cannot be started twice', async () => {
    await assert.rejects(startCluster({ cluster, nodes: 1 }), { code: 'KRG_USAGE', message: /up already/ });
  });

  for (const node of ['node1', 'node3']) {
    test(`runs a program on ${node} with its streams and its exit status`, async () => {
      const script = 'hostname; echo to the error >&2; cat; exit 42';
      const { stdout, stderr, status } = await run(client(1), ['sh', '-c', script], { node }, 'the input\n');
      assert.deepEqual([stdout, stderr, status], [`${node}\nthe input\n`, 'to the error\n', { kind: 'exited', code: 42 }]);
      const killed = await run(client(1), ['sh', '-c', 'kill -9 $$'], { node });
      assert.deepEqual(killed.status, { kind: 'signalled', signal: 9, coreDumped: false });
    });

    test(`carries megabytes both ways through a program on ${node}`, async () => {
      const input = 'korrigan'.repeat(1 << 19);
      const { stdout, status } = await run(client(1), ['cat'], { node }, input);
      assert.ok(stdout === input, `${stdout.length} of ${input.length} characters`);
      assert.deepEqual(status, { kind: 'exited', code: 0 });
    });

    test(`gives a program on ${node} a terminal, its signals and its size`, async () => {
      const script =
        'import os,signal\ndef show(*_): print(*os.get_terminal_size(), os.ttyname(0), os.environ["TERM"])\nsignal.signal(signal.SIGWINCH, show)\nshow()\nprint([input()])';
      const program = await client(1).run(
        request(['python3', '-u', '-c', script], { node, terminal: { columns: 80, rows: 24, type: 'dumb' } }),
      );
      let seen = '';
      program.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      await until('the size', () => seen.includes('80 24 /dev/pts/') && seen.includes('dumb'));
      program.resize(100, 30);
      await until('the new size', () => seen.includes('100 30'));
      program.stdin.write('hello\n');
      await until('the line', () => seen.includes("['hello']"));
      assert.deepEqual(await program.exited, { kind: 'exited', code: 0 });
      const sleeper = await client(1).run(request(['sleep', '1000'], { node }));
      await sleeper.started;
      sleeper.signal(2);
      assert.deepEqual(await sleeper.exited, { kind: 'signalled', signal: 2, coreDumped: false });
    });

    test(`refuses what cannot be run on ${node}`, async () => {
      const failing = await client(1).run(request(['there-is-no-such-program'], { node }));
      await assert.rejects(failing.exited, { code: 'KRG_COMMAND_NOT_FOUND' });
      await assert.rejects(client(1).runDetached(request(['/etc/passwd'], { node })), { code: 'KRG_COMMAND_NOT_EXECUTABLE' });
    });
  }

  test('hangs up a program whose user has gone', async () => {
    const program = await client(1).run(request(['sleep', '1000'], { node: 'node2' }));
    const { pid } = await program.started;
    assert.equal(await list(pid), 'node2');
    program.close();
    await until('the hang-up', async () => (await list(pid)) === undefined);
  });

  test('runs scripts without an interpreter line, as a shell does', async () => {
    const path = `${clusterDirectory(cluster)}/script`;
    execFileSync('sh', ['-c', `echo 'echo "script $1"' > ${path}; chmod +x ${path}`]);
    assert.equal((await run(client(1), [path, 'one'])).stdout, 'script one\n');
  });

  test('lists and signals processes of all nodes; pids say where they were born', async () => {
    const pids = await Promise.all(
      ['node1', 'node2', 'node3'].map(async (node) => (await client(2).runDetached(request(['sleep', '1000'], { node }))).pid),
    );
    assert.deepEqual(
      pids.map((pid) => Math.floor(pid / 65_536)),
      [1, 2, 3],
    );
    const listed = (await client(3).processes()).filter(({ pid }) => pids.includes(pid));
    assert.deepEqual(
      listed.map(({ node, command, uid, ppid }) => [node, command, uid, ppid]),
      ['node1', 'node2', 'node3'].map((node) => [node, 'sleep 1000', 0, 1]),
    );
    const [first = 0, second = 0, third = 0] = pids;
    await client(1).kill(third, 15);
    await client(1).kill(-second, 15);
    await client(3).kill(first, 15);
    await until('their ends', async () => (await client(1).processes()).every(({ pid }) => !pids.includes(pid)));
    await assert.rejects(client(1).kill(third, 15), { code: 'KRG_NO_SUCH_PROCESS' });
    await assert.rejects(client(1).kill(1, 9), { code: 'KRG_NO_SUCH_PROCESS' });
  });

  test('shows one monotonic and one boot-time clock on all nodes, whenever they were booted', async () => {
    const script = 'import time; print(time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME))';
    const read = async (node: string): Promise<number[]> =>
      (await run(client(1), ['python3', '-c', script], { node })).stdout.trim().split(' ').map(Number);
    const readings = [await read('node1'), await read('node2'), await read('node3'), await read('node1')];
    for (const clock of [0, 1]) {
      const times = readings.map((reading) => reading[clock] ?? Number.NaN);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) < 100, String(times));
    }
    const daemons = [1, 2].map((id) => Number(readFileSync(`/proc/${daemonPid(cluster, id)}/timens_offsets`, 'utf8').split(/\s+/)[1]));
    assert.deepEqual(daemons, [1000, 50_000]);
  });

  test('lets programs reach each other over the network', async () => {
    const [, address = ''] = description.nodes.map((node) => node.address);
    const server =
      "import socket; s=socket.create_server(('',7999)); c,_=s.accept(); c.sendall(b'hello from '+socket.gethostname().encode())";
    await client(1).runDetached(request(['python3', '-c', server], { node: 'node2' }));
    const asker = `import socket,time\nfor _ in range(200):\n try: print(socket.create_connection(('${address}',7999)).recv(100).decode()); break\n except OSError: time.sleep(.02)`;
    assert.equal((await run(client(1), ['python3', '-c', asker], { node: 'node1' })).stdout, 'hello from node2\n');
  });

  test('a daemon that is killed comes back to its container, again and again', async () => {
    const { pid } = await client(1).runDetached(request(['sh', '-c', 'while kill -0 131079 2>/dev/null; [ $? = 1 ]; do :; done; exit 9']));
    const init = (await client(1).status()).nodes[0]?.daemon?.containerPid;
    for (let round = 0; round < 5; round++) {
      await restartDaemon(cluster, 1);
      assert.equal((await client(1).status()).nodes[0]?.daemon?.containerPid, init);
      assert.equal(await list(pid), 'node1');
    }
    await client(2).kill(pid, 9);
    await until('the end', async () => (await list(pid)) === undefined);
    assert.equal((await run(client(2), ['echo', 'on'], { node: 'node1' })).stdout, 'on\n');
  });

  test('a node without a daemon is unreachable, and the others go on', async () => {
    daemonCgroup(cluster, 3).kill();
    await until('the loss', async () => (await client(1).status()).nodes[2]?.state === 'unreachable');
    await assert.rejects(client(1).runDetached(request(['true'], { node: 'node3' })), { code: 'KRG_NODE_DEAD' });
    assert.equal((await run(client(1), ['echo', 'on'], { node: 'node2' })).stdout, 'on\n');
    await assert.rejects(client(1).runDetached(request(['true'], { node: 'node4' })), { code: 'KRG_NO_SUCH_NODE' });
  });
});

test('several clusters live side by side, and each is stopped without a trace whatever state it is in', async () => {
  const names = [`${cluster}-a`, `${cluster}-b`];
  const clusters = await Promise.all(names.map((name) => startCluster({ cluster: name, nodes: 2 })));
  names.forEach(noteBridge);
  const [first, second] = clusters.map(({ nodes }) => new NodeClient(nodes[0]?.socket ?? ''));
  await first?.runDetached(request(['sh', '-c', 'sleep 1000 & sleep 1001 & setsid sleep 1002 & wait']));
  const freezing = await second?.runDetached(request(['sleep', '1000']));
  assert.equal(
    (await first?.processes())?.some(({ pid }) => pid === freezing?.pid && pid > 65_540),
    false,
  );
  for (const id of [1, 2]) daemonCgroup(names[0] ?? '', id).kill();
  containerCgroup(names[1] ?? '', 1)
    .child('processes')
    .freeze();
  await Promise.all(names.map((name) => stopCluster(name)));
  for (const name of names) assert.deepEqual(traces(name), []);
  await stopCluster(names[0] ?? '');
});
