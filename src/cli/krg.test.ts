/** `krg` as a process of its own, before a real API server on a real socket; what the services answer is this file's. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KorriganError } from '../linux/errors.ts';
import { clusterDirectory } from '../node/api/index.ts';
import type { ExitStatus, ProcessEntry, RunRequest } from '../node/api/index.ts';
// The server is the daemon's, not the command line's: only this test joins the two.
import { startApiServer } from '../node/api/server.ts';
import type { ApiServer } from '../node/api/server.ts';
import { serveScriptedRun, type ScriptedRun } from '../node/api/scripted-run.ts';
import type { NodeServices } from '../node/api/services.ts';
import { describeCluster, krgOf } from './test-krg.ts';

const cluster = `test-krg-${process.pid}`;
const directory = clusterDirectory(cluster);
const krg = krgOf(cluster);
const socket = join(directory, 'node1.sock');
let server: ApiServer;
let asked: unknown;
let program: (session: ScriptedRun, request: RunRequest) => Promise<ExitStatus>;

const entry: ProcessEntry = {
  pid: 65601,
  ppid: 65536,
  processGroup: 65601,
  session: 65601,
  uid: 0,
  node: 'node2',
  state: 'S',
  terminal: 'pts/0',
  startedAt: Date.now(),
  cpuTimeMilliseconds: 1000,
  residentBytes: 4096,
  virtualBytes: 8192,
  nice: 5,
  threads: 1,
  command: 'sleep 1000',
  kind: 'process',
};

const services: NodeServices = {
  capabilities: () => Promise.reject(new KorriganError('KRG_NO_SUCH_PROCESS', 'there is none')),
  changeCapabilities: () => Promise.reject(new KorriganError('KRG_NO_SUCH_PROCESS', 'there is none')),
  objects: (_caller, user) => user.end(),
  status: () =>
    Promise.resolve({
      cluster,
      version: '1',
      node: 'node1',
      nodes: [{ id: 1, name: 'node1', address: '10.0.0.1', port: 7420, state: 'unreachable', isOut: false, daemon: null }],
    }),
  processes: (_caller, request) => {
    asked = request;
    return Promise.resolve([entry]);
  },
  run: (_caller, user) =>
    serveScriptedRun(
      user,
      () => ({ pid: 65601, node: 'node1' }),
      (run) => program(run, run.request),
    ),
  runDetached: (_caller, request) => {
    asked = request;
    return Promise.resolve({ pid: 65601, node: request.node ?? 'node1' });
  },
  kill: (_caller, request) => {
    asked = request;
    return request.pid === 1 ? Promise.reject(new KorriganError('KRG_NOT_YOUR_PROCESS', 'pid 1 belongs to the node')) : Promise.resolve();
  },
  usage: () => Promise.resolve({ cluster, node: 'node1', nodes: [], processes: [entry] }),
  renice: (_caller, request) => {
    asked = request;
    if (request.pid === 1) return Promise.reject(new KorriganError('KRG_NOT_YOUR_PROCESS', 'pid 1 belongs to the node (EPERM)'));
    return Promise.resolve({ pid: request.pid, node: 'node2', before: 0, after: request.nice ?? 0 });
  },
  wait: async function* (_caller, { pids }) {
    for (const pid of pids.toSorted((a, b) => a - b)) {
      await Promise.resolve();
      if (pid === 5) yield { pid, failure: { code: 'KRG_NO_SUCH_PROCESS', message: 'no process 5' } };
      else if (pid === 9) yield { pid, node: 'node2', status: { kind: 'signalled', signal: 9, coreDumped: false }, isLost: false };
      else if (pid === 8) yield { pid, node: 'node2', status: null, isLost: false };
      else yield { pid, node: 'node2', status: { kind: 'exited', code: pid }, isLost: false };
    }
  },
  migrate: (_caller, request) =>
    Promise.resolve(
      request.pids.map((pid) =>
        pid === 5
          ? { outcome: 'failed', pid, error: { code: 'KRG_NO_SUCH_PROCESS', message: 'no process 5' } }
          : { outcome: 'already-there', pid, to: request.node },
      ),
    ),
  explain: () => Promise.resolve({ pid: 7, node: 'node1', command: 'x', target: null, movable: false, resources: [] }),
  addNodes: (_caller, request) => {
    asked = request;
    return Promise.resolve();
  },
  removeNodes: (_caller, request, onProgress) => {
    asked = request;
    const error = { code: 'KRG_NOT_MOVABLE', message: 'it holds a thing' };
    onProgress({ kind: 'moved', node: 'node2', pid: 8, pids: [8, 9], to: 'node1' });
    if (request.kill) onProgress({ kind: 'killed', node: 'node2', pid: 7, command: 'holds things' });
    else onProgress({ kind: 'refused', node: 'node2', pid: 7, command: 'holds things', error });
    const moved = [8, 9].map((pid) => ({ pid, to: 'node1' }));
    return Promise.resolve([
      { node: 'node2', outcome: request.kill ? 'removed' : 'kept', moved, immovable: [{ pid: 7, command: 'holds things', error }] },
    ]);
  },
  power: (_caller, request) => {
    asked = request;
    return Promise.resolve({ nodes: ['node1'], silent: [] });
  },
  token: (_caller, { seconds }) => Promise.resolve({ token: 'krg_join_x', id: 4, address: '10.0.0.1:7420', expires: seconds * 1000 }),
  revoke: (_caller, { node }) =>
    node === 'node2' ? Promise.resolve({ id: 2, list: 1 }) : Promise.reject(new KorriganError('KRG_NO_SUCH_NODE', `no ${node}`)),
  doctor: () => Promise.resolve([]),
  logs: async function* () {
    yield await Promise.resolve('{"level":30,"time":0,"msg":"up"}');
  },
  events: async function* () {
    yield await Promise.resolve({ time: 0, node: 'node1', kind: 'process.moved', message: '7 moved' });
  },
  sync: {
    lease: () => assert.fail(),
    ask: () => assert.fail(),
    list: () => assert.fail(),
  },
};

before(async () => {
  describeCluster(cluster, socket);
  server = await startApiServer({ socketPath: socket, services, onFault: (error) => assert.fail(String(error)) });
});
after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

test('ps shows a table, or JSON', async () => {
  const table = await krg(['ps']);
  assert.deepEqual([table.status, table.stderr], [0, '']);
  assert.match(
    table.stdout,
    /^ {2}PID +PPID NODE +USER S TTY +START +TIME RSS COMMAND\n65601 65536 node2 root S pts\/0 \d\d:\d\d 00:00:01 +4 sleep 1000\n$/,
  );
  const json = await krg(['ps', '--json', '65601']);
  assert.deepEqual(JSON.parse(json.stdout), [entry]);
  assert.equal((await krg(['--json', 'ps'])).stdout, json.stdout);
  assert.equal((await krg(['ps', '77'])).status, 1);
});

test('ps with columns of its own, filtered; tree and top show the same processes', async () => {
  const columns = await krg(['ps', '-o', 'pid,node,ni,args', '--sort', '-rss', '--no-headers']);
  assert.deepEqual([columns.status, columns.stdout], [0, '65601 node2  5 sleep 1000\n']);
  assert.equal((await krg(['ps', '--node', 'node1', '--no-headers'])).stdout, '');
  assert.match((await krg(['ps', 'aux'])).stderr, /"aux" is no pid.*all processes are shown.*\(KRG_USAGE\)/);
  assert.match((await krg(['ps', '-o', 'nonsense'])).stderr, /there is no column "nonsense"; .*\(KRG_USAGE\)/);
  const tree = await krg(['tree', '65601']);
  assert.match(tree.stdout, /^ {2}PID NODE {2}USER S {5}TIME COMMAND\n65601 node2 root S 00:00:01 sleep 1000\n$/);
  assert.equal((await krg(['tree', '77'])).status, 1);
  assert.deepEqual(JSON.parse((await krg(['tree', '--json'])).stdout), [{ ...entry, children: [] }]);
  const top = await krg(['top', '-b', '-n', '1', '-d', '200ms']);
  assert.equal(top.status, 0, top.stderr);
  assert.match(top.stdout, /^65601 root node2 S {2}5 .* sleep 1000$/m);
  const json = JSON.parse((await krg(['top', '--json', '-n', '1', '-d', '200ms'])).stdout) as { processes: { pid: number }[] };
  assert.equal(json.processes[0]?.pid, 65601);
});

test('top without a terminal says what to do', async () => {
  const { status, stderr } = await krg(['top']);
  assert.equal(status, 2);
  assert.match(stderr, /krg top --batch.*\(KRG_USAGE\)/);
  assert.equal((await krg(['top', '-b', '-d', '1ms'])).status, 2);
});

test('wait ends as the process that was named last', async () => {
  assert.deepEqual(await krg(['wait', '3', '7', '4']), { status: 4, stdout: '', stderr: '' });
  assert.equal((await krg(['wait', '9'])).status, 137);
  assert.equal((await krg(['wait', '-v', '9', '3'])).stdout, '3 ended on node2 with status 3\n9 was ended on node2 by SIGKILL\n');
  const unknown = await krg(['wait', '3', '5']);
  assert.deepEqual([unknown.status, unknown.stderr], [127, 'krg: no process 5 (KRG_NO_SUCH_PROCESS)\n']);
  const foreign = await krg(['wait', '8']);
  assert.equal(foreign.status, 0);
  assert.match(foreign.stderr, /8 has ended; nobody can tell its exit status/);
  assert.equal((await krg(['wait', '-n', '9', '3'])).status, 3);
  assert.deepEqual(JSON.parse((await krg(['wait', '--json', '3'])).stdout), {
    pid: 3,
    node: 'node2',
    status: { kind: 'exited', code: 3 },
    isLost: false,
  });
});

test('renice goes on after a failure, and names it', async () => {
  const { status, stdout, stderr } = await krg(['renice', '-n', '-5', '1', '65601']);
  assert.deepEqual([status, stdout], [4, '65601 (process ID) on node2: old priority 0, new priority -5\n']);
  assert.match(stderr, /EPERM.*\(KRG_NOT_YOUR_PROCESS\)/);
  assert.deepEqual(asked, { pid: 65601, nice: -5 });
  await krg(['renice', '-7', '65601']);
  assert.deepEqual(asked, { pid: 65601, nice: -7 });
  await krg(['renice', '--relative', '2', '-g', '65601']);
  assert.deepEqual(asked, { pid: 65601, by: 2 });
  assert.match((await krg(['renice', '2', '-g', '77'])).stderr, /no process group 77 .*ESRCH/);
});

test('nice and shell run programs', async () => {
  let request: RunRequest | undefined;
  program = (_session, said) => {
    request = said;
    return Promise.resolve({ kind: 'exited', code: 7 });
  };
  assert.equal((await krg(['nice', '-n', '5', '--node', 'node2', 'make', '-n', 'x'])).status, 7);
  assert.deepEqual([request?.nice, request?.node, request?.arguments], [5, 'node2', ['make', '-n', 'x']]);
  assert.equal((await krg(['shell', '--node', 'node2'])).status, 7);
  assert.deepEqual([request?.login, request?.node, request?.terminal], [true, 'node2', undefined]);
  assert.equal(request?.environment['KRG_CLUSTER'], cluster);
});

test('run passes bytes both ways and ends as the program ended', async () => {
  program = async (session) => {
    for await (const chunk of session.stdin) await session.writeStdout(chunk);
    await session.writeStderr(Buffer.from('complaint'));
    return { kind: 'exited', code: 42 };
  };
  assert.deepEqual(await krg(['run', '--', 'cat'], { input: 'hello' }), { status: 42, stdout: 'hello', stderr: 'complaint' });
});

test('run hands over words, environment, directory and umask as they are', async () => {
  const requests: RunRequest[] = [];
  program = (_session, request) => {
    requests.push(request);
    return Promise.resolve({ kind: 'exited', code: 0 });
  };
  await krg(['run', '--node', 'node1', 'ls', '--json', '-d', '--', '-x'], { environment: { MARK: 'a=b\nc' } });
  const [request] = requests;
  assert.deepEqual(request?.arguments, ['ls', '--json', '-d', '--', '-x']);
  assert.equal(request?.node, 'node1');
  assert.equal(request?.workingDirectory, process.cwd());
  assert.equal(request?.umask, process.umask());
  assert.equal(request?.environment['MARK'], 'a=b\nc');
  assert.equal(request?.environment['KRG_ARGV0'], undefined);
  assert.equal(request?.terminal, undefined);
});

test('run passes signals on and shows a death by signal as a shell does', async () => {
  program = async (session) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    session.onSignal(resolve);
    await session.writeStdout(Buffer.from('ready'));
    return { kind: 'signalled', signal: await promise, coreDumped: false };
  };
  const outcome = await krg(['run', 'sleep', '100'], { onOutput: (stdout, kill) => stdout === 'ready' && kill('SIGTERM') });
  assert.deepEqual(outcome, { status: 143, stdout: 'ready', stderr: '' });
});

test('run ends with 255 and says so when the program is not found again after the connection was lost', async () => {
  program = async (session) => {
    await session.writeStdout(Buffer.from('first'));
    await server.close();
    server = await startApiServer({ socketPath: socket, services, onFault: (error) => assert.fail(String(error)) });
    return { kind: 'exited', code: 0 };
  };
  const outcome = await krg(['run', 'x']);
  assert.equal(outcome.status, 255);
  assert.match(outcome.stderr, /not known here \(KRG_NO_SUCH_STREAM\)/);
});

test('a program that does not exist ends with 127, as in a shell', async () => {
  program = () => Promise.reject(new KorriganError('KRG_COMMAND_NOT_FOUND', 'no such program: x'));
  assert.equal((await krg(['run', 'x'])).status, 127);
});

test('run -d prints the pid, alone', async () => {
  assert.deepEqual(await krg(['run', '-d', '--', 'sleep', '100']), { status: 0, stdout: '65601\n', stderr: '' });
});

test('kill sends what it was told to each, and goes on after a failure', async () => {
  const outcome = await krg(['kill', '-s', 'HUP', '1', '--', '65601']).catch(assert.fail);
  assert.equal(outcome.status, 2, 'a -- in the middle is no pid');
  const both = await krg(['kill', '-HUP', '1', '65601']);
  assert.deepEqual([both.status, both.stdout], [4, '']);
  assert.match(both.stderr, /pid 1 belongs to the node \(KRG_NOT_YOUR_PROCESS\)/);
  assert.deepEqual(asked, { pid: 65601, signal: 1 });
  for (const [words, signal] of [
    [['-9', '--', '-65601'], 9],
    [['-TERM', '--', '-65601'], 15],
    [['--', '-65601'], 15],
    [['--json', '--', '-65601'], 15],
    [['-s', 'HUP', '--', '-65601'], 1],
  ] as const) {
    assert.equal((await krg(['kill', ...words])).status, 0);
    assert.deepEqual(asked, { pid: -65601, signal });
  }
});

test('migrate moves what it can and ends with the status of what failed', async () => {
  const outcome = await krg(['migrate', '4', '5', 'node1']);
  assert.deepEqual([outcome.status, outcome.stdout], [3, '4 is on node1 already\n']);
  assert.match(outcome.stderr, /no process 5 \(KRG_NO_SUCH_PROCESS\)/);
  const usage = await krg(['migrate', '4']);
  assert.equal(usage.status, 2);
});

test("Kerrighed's migrate is silent, or says what perror(3) says and ends with 1", async () => {
  assert.deepEqual(await krg(['4', '1'], { name: 'migrate' }), { status: 0, stdout: '', stderr: '' });
  const failed = await krg(['5', '1'], { name: 'migrate' });
  assert.deepEqual([failed.status, failed.stdout, failed.stderr.split('\n')[0]], [1, '', 'migrate: No such process']);
  const usage = await krg(['5', 'node1'], { name: 'migrate' });
  assert.equal(usage.status, 1);
  assert.match(usage.stderr, /^usage: migrate \[-h\] \[-v\] PID NODE\n/);
  assert.deepEqual([(await krg(['-h'], { name: 'migrate' })).status, (await krg(['-v'], { name: 'migrate' })).status], [0, 0]);
});

test('wrong usage ends with 2 and points to the help; help and version end with 0', async () => {
  const unknown = await krg(['frobnicate']);
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /unknown command 'frobnicate'[^]*--help/);
  assert.equal((await krg(['ps', '--frob'])).status, 2);
  assert.equal((await krg(['ps', 'x'])).status, 2);
  assert.match((await krg(['--help'])).stdout, /migrate/);
  assert.equal((await krg(['--version'])).status, 0);
});

test('token prints the token alone, so that a script can keep it, and what it is for beside it', async () => {
  const { status, stdout, stderr } = await krg(['token', '--seconds', '60']);
  assert.deepEqual([status, stdout], [0, 'krg_join_x\n']);
  assert.match(stderr, /^for node 4, at 10\.0\.0\.1:7420; good once, until 1970-01-01T00:01:00\.000Z/);
  const json = await krg(['token', '--json']);
  assert.deepEqual(JSON.parse(json.stdout), { token: 'krg_join_x', id: 4, address: '10.0.0.1:7420', expires: 600_000 });
  for (const seconds of ['0', '-1', 'x', '1.5']) assert.equal((await krg(['token', `--seconds=${seconds}`])).status, 2);
  assert.equal((await krg(['token', '--seconds', '86401'])).status, 2);
});

test('revoke names the node whose certificates are revoked', async () => {
  assert.deepEqual(await krg(['revoke', 'node2']).then(({ status, stdout }) => [status, stdout]), [
    0,
    'the certificates of node 2 are revoked\n',
  ]);
  const { status, stderr } = await krg(['revoke', 'nowhere']);
  assert.equal(status, 3);
  assert.match(stderr, /KRG_NO_SUCH_NODE/);
});

test('an error is JSON where JSON was asked for', async () => {
  const outcome = await krg(['ps', '--json', '--cluster', 'not-there']);
  assert.equal(outcome.status, 6);
  assert.equal((JSON.parse(outcome.stderr) as { error: { code: string } }).error.code, 'KRG_NO_DAEMON');
});

test('status, explain, logs and events answer', async () => {
  assert.match((await krg(['status'])).stdout, /0 of 1 nodes online[^]*unreachable/);
  assert.equal((await krg(['explain', '7'])).status, 5);
  assert.match((await krg(['logs'])).stdout, /^00:00:00\.000 INFO {2}up\n$/);
  assert.match((await krg(['events'])).stdout, /node1 process\.moved 7 moved\n$/);
});

test('completion asks the cluster for nodes and pids', async () => {
  assert.equal((await krg(['complete', '--', 'migrate', '65601', ''])).stdout, 'node1\t10.0.0.1\n');
  assert.equal((await krg(['complete', '--', 'kill', '6'])).stdout, '65601\tnode2 sleep 1000\n');
  assert.equal((await krg(['complete', '--', 'run', 'l'])).stdout, ':files\n');
  assert.equal((await krg(['completion', 'tcsh'])).status, 2);
});
