/** What people do on a cluster all day: shells, lists, trees, waiting and priorities; on a real cluster and in real terminals. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterUsage } from '../src/node/index.ts';
import { daemonPid, NodeClient } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import type { Outcome } from './support/commands.ts';
import { KRG, type User, userOf } from './support/user.ts';

const ANOTHER_USER = 1234;

let cluster: TestCluster;
let user: User;
before(async () => {
  cluster = await startTestCluster('people');
  user = userOf(cluster);
});
after(() => cluster[Symbol.asyncDispose]());

test('shell: a login shell on a node, in the terminal, with job control', async () => {
  using terminal = user.terminal([KRG, 'shell', '--node', 'node2']);
  // The prompt is the user's own, whatever it is.
  await eventually('a shell', async () =>
    (await cluster.client.processes()).some(({ command, node }) => command.startsWith('-') && node === 'node2'),
  );
  terminal.type("PS1='$ '\nclear\n");
  await terminal.shows(/^\$$/m);
  terminal.type('echo $0 $KRG_NODE $(hostname) $HOME; pwd; tty; stty size; echo $$\n');
  const [, pid = ''] = await terminal.shows(/^-\w+ node2 node2 (?:\/\S*)\n\/\S*\n\/dev\/pts\/\d+\n30 110\n(\d+)$/m);
  terminal.type('clear; sleep 1002\n');
  const isThere = (state: RegExp) => async (): Promise<boolean> =>
    (await cluster.client.processes()).some((entry) => entry.command === 'sleep 1002' && state.test(entry.state));
  await eventually('a sleep', isThere(/S/));
  terminal.press('C-z');
  await eventually('a stop', isThere(/T/));
  terminal.type('fg\n');
  await eventually('a continuation', isThere(/S/));
  terminal.press('C-c');
  terminal.type('echo interrupted $?\n');
  await terminal.shows(/interrupted 130/);
  terminal.resize(100, 25);
  terminal.type('until [ "$(stty size)" = "25 100" ]; do sleep 0.1; done; clear; echo resized\n');
  await terminal.shows(/^resized$/m);
  await cluster.move(Number(pid), 3);
  terminal.type('clear; hostname; stty size; echo it was $KRG_NODE\n');
  await terminal.shows(/^node3\n25 100\nit was node2$/m);
  // What is not at the beginning of a line, or follows another ~, is for the shell.
  terminal.type('echo ~. x~.y\n~~.\n');
  await terminal.shows(/^~\. x~\.y$/m);
  terminal.type('exit 5\n');
  await terminal.shows(/ended with status 5/);
});

test('shell: ~. ends it, and what ran in it is hung up', async () => {
  using terminal = user.terminal([KRG, 'shell', '--node', 'node3']);
  await eventually('a shell', async () =>
    (await cluster.client.processes()).some(({ command, node }) => command.startsWith('-') && node === 'node3'),
  );
  terminal.type("PS1='$ '\nclear\n");
  await terminal.shows(/^\$$/m);
  terminal.type('sleep 1003\n');
  await eventually('a sleep', async () => (await cluster.client.processes()).some(({ command }) => command === 'sleep 1003'));
  terminal.type('\n~.');
  await terminal.shows(/ended with status 255/);
  await eventually('the end', async () => !(await cluster.client.processes()).some(({ command }) => command === 'sleep 1003'));
});

test('shell: with its commands in a pipe, or as arguments; as another user', async () => {
  const piped = await user.krg(['shell', '--node', 'node3'], { input: 'hostname\nexit 4\n' });
  assert.deepEqual([piped.status, piped.stdout], [4, 'node3\n']);
  const words = await user.krg(['shell', '--node', 'node2', '--', '-c', 'echo "$KRG_NODE $USER $SHELL"; kill -TERM $$']);
  assert.equal(words.status, 143, words.stderr);
  assert.match(words.stdout, /^node2 root \/\S+\n$/);
  // Who has no account has /bin/sh and no home, and nothing of the environment of who called.
  const other = await user.krg(['shell', '--', '-c', 'echo $(id -u) $HOME ${MAKEFLAGS-none}; pwd'], { uid: ANOTHER_USER });
  assert.equal(other.stdout, `${ANOTHER_USER} / none\n/\n`, other.stderr);
});

test('tree and ps: a family over nodes', async () => {
  const parent = await user.start('--node', 'node1', '--', 'sh', '-c', 'sleep 1004 & sleep 1005; :');
  const child = await eventually('children', async () => {
    const all = await cluster.client.processes();
    return all.filter(({ ppid }) => ppid === parent).length === 2 && all.find(({ command }) => command === 'sleep 1004')?.pid;
  });
  await cluster.move(child, 3);
  const { stdout } = await user.krg(['tree', String(parent)]);
  assert.match(stdout, new RegExp(`^ *${parent} node1 .*sh -c .*\n *${child} node3 .* [├└]─ sleep 1004$`, 'm'));
  assert.match(
    (await user.krg(['tree', '-s', String(child)])).stdout,
    new RegExp(`^ *${parent} node1 .*\n *${child} node3 .* └─ sleep 1004\n$`, 'm'),
  );
  const columns = await user.krg([
    'ps',
    '-o',
    'pid,node,ppid',
    '--no-headers',
    '-C',
    'sleep',
    '--sort',
    'node',
    String(parent),
    String(child),
  ]);
  assert.equal(columns.stdout.trim().replaceAll(/ +/g, ' '), `${child} node3 ${parent}`);
  await user.kill(parent, child);
});

test('nice and renice: all threads, wherever the process is, and it keeps the value when it moves', async () => {
  const script = 'import threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(1000,)).start()\ntime.sleep(1000)';
  const nice = await user.krg(['nice', '-n', '7', '--node', 'node1', '-d', '--', 'python3', '-c', script]);
  const pid = Number(nice.stdout);
  const threads = async (node: string): Promise<string> => {
    const read = `for task in /proc/${pid}/task/*; do sed 's/.*) //' $task/stat | cut -d' ' -f17; done | sort | uniq -c`;
    return (await user.krg(['run', '--node', node, '--', 'sh', '-c', read])).stdout.trim().replaceAll(/\s+/g, ' ');
  };
  await eventually('threads', async () => (await threads('node1')) === '4 7');
  await cluster.move(pid, 2);
  assert.equal(await threads('node2'), '4 7');
  const { status, stdout } = await user.krg(['renice', '3', String(pid)]);
  assert.deepEqual([status, stdout], [0, `${pid} (process ID) on node2: old priority 7, new priority 3\n`]);
  assert.equal(await threads('node2'), '4 3');
  assert.equal((await user.krg(['ps', '-o', 'ni', '--no-headers', String(pid)])).stdout.trim(), '3');
  await user.kill(pid);
});

test('renice: as whom', async () => {
  const foreign = await user.start('sleep', '1006');
  const started = await user.krg(['nice', '-n', '5', '-d', '--', 'sleep', '1007'], { uid: ANOTHER_USER });
  const own = started.stdout.trim();
  const nicer = await user.krg(['renice', '10', own], { uid: ANOTHER_USER });
  assert.deepEqual([nicer.status, nicer.stdout], [0, `${own} (process ID) on node1: old priority 5, new priority 10\n`]);
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['1', own, /EACCES.*\(KRG_PERMISSION\)/],
    ['19', String(foreign), /EPERM.*\(KRG_NOT_YOUR_PROCESS\)/],
  ];
  for (const [value, pid, message] of refused) {
    const outcome = await user.krg(['renice', value, pid], { uid: ANOTHER_USER });
    assert.equal(outcome.status, 4);
    assert.match(outcome.stderr, message);
  }
  const nobody = await user.krg(['renice', '1', '4000000']);
  assert.equal(nobody.status, 3);
  assert.match(nobody.stderr, /ESRCH.*\(KRG_NO_SUCH_PROCESS\)/);
  const less = await user.krg(['nice', '-n', '-5', '--', 'true'], { uid: ANOTHER_USER });
  assert.equal(less.status, 255);
  assert.match(less.stderr, /EACCES.*\(KRG_PERMISSION\)/);
  await user.kill(foreign, Number(own));
});

/** Lets a process end while krg waits for it. When the wait came too late to see it, it is done again, with more time for it. */
async function endWhileWaited(
  begin: () => Promise<number>,
  options: readonly string[],
  end: (pid: number) => Promise<unknown>,
  uid?: number,
): Promise<Outcome & { pid: number }> {
  for (let pause = 300; ; pause *= 3) {
    const pid = await begin();
    const waited = user.krg(['wait', ...options, String(pid)], uid === undefined ? {} : { uid });
    await delay(pause);
    await end(pid);
    const outcome = await waited;
    if (outcome.status !== 127 || pause > 10_000) return { ...outcome, pid };
  }
}

test('wait: a process that moves is followed, and its status is told', async () => {
  const script = 'trap "exit 6" TERM; while :; do sleep 0.02; done';
  const end = async (pid: number): Promise<void> => {
    for (const node of [2, 3, 1, 2]) await cluster.move(pid, node);
    // Who waits looks after it every 50 ms: what ends between a move and that look has a status that nobody can tell.
    await delay(500);
    await user.krg(['kill', String(pid)]);
  };
  const { pid, ...outcome } = await endWhileWaited(() => user.start('--node', 'node1', '--', 'sh', '-c', script), ['-v'], end);
  assert.deepEqual(outcome, { status: 6, stdout: `${pid} ended on node2 with status 6\n`, stderr: '' });
});

test('wait: for the child of another program, which collects it; for the first of several', async () => {
  const parent = await user.start(
    '--node',
    'node2',
    '--',
    'sh',
    '-c',
    'while :; do sh -c "trap \'exit 9\' TERM; while :; do sleep 0.02; done" & wait; done',
  );
  const child = (): Promise<number> =>
    eventually(
      'a child',
      async () => (await cluster.client.processes()).find(({ ppid, command }) => ppid === parent && command.includes('trap'))?.pid,
    );
  const { status, stderr } = await endWhileWaited(child, ['-n', String(parent)], (pid) => user.krg(['kill', String(pid)]));
  assert.equal(status, 9, stderr);
  await user.kill(parent);
});

/** A process on node 2 whose parent never collects it: however late it is asked for, its status can be told. */
async function uncollected(...words: string[]): Promise<{ parent: number; child: number }> {
  const script = 'import subprocess, sys, time\nsubprocess.Popen(sys.argv[1:])\ntime.sleep(1000)';
  const parent = await user.start('--node', 'node2', '--', 'python3', '-c', script, ...words);
  // Python may begin as a script that looks for it, which has children of its own.
  const isIt = ({ ppid, command }: { ppid: number; command: string }): boolean => ppid === parent && command === words.join(' ');
  const child = await eventually('a child', async () => (await cluster.client.processes()).find(isIt)?.pid);
  return { parent, child };
}

test('wait: for one that was killed, and that nobody collects; for nobody; for a while', async () => {
  const { parent, child } = await uncollected('sleep', '1008');
  assert.equal((await user.krg(['wait', '-w', '100ms', String(child)])).status, 124);
  await user.kill(child);
  const { status, stdout } = await user.krg(['wait', '-v', String(child)]);
  assert.deepEqual([status, stdout], [137, `${child} was ended on node2 by SIGKILL\n`]);
  await user.kill(parent);
  await eventually('its end', async () => (await user.nodeOf(parent)) === undefined);
  assert.equal((await user.krg(['wait', String(parent)])).status, 127);
});

test("wait: how another user's process has ended is nobody's business", async () => {
  const { status, stderr } = await endWhileWaited(
    () => user.start('sleep', '1009'),
    [],
    (pid) => user.kill(pid),
    ANOTHER_USER,
  );
  assert.deepEqual([status, /nobody can tell/.test(stderr)], [0, true], stderr);
});

test('wait: daemons may die over it', async () => {
  const { parent, child } = await uncollected('sh', '-c', 'trap "exit 8" TERM; while :; do sleep 0.02; done');
  const waited = user.krg(['wait', String(child)]);
  for (const id of [1, 2]) {
    const dying = await eventually('a daemon', () => daemonPid(cluster.description.cluster, id));
    process.kill(dying, 'SIGKILL');
    await eventually('another daemon', () => {
      const now = daemonPid(cluster.description.cluster, id);
      return now !== undefined && now !== dying;
    });
  }
  await eventually('a daemon that answers', async () => (await user.nodeOf(child)) === 'node2');
  await user.krg(['kill', String(child)]);
  const { status, stderr } = await waited;
  assert.equal(status, 8, stderr);
  await user.kill(parent);
});

test('events of all nodes, through any of them', async () => {
  const pid = await user.start('--node', 'node1', '--', 'sleep', '1010');
  const abort = new AbortController();
  const [, , third] = cluster.description.nodes;
  const events = new NodeClient(third?.socket ?? '').events(abort.signal);
  const seen = events.next();
  // Until the third node follows the first one nothing is told: it is moved there and back.
  let isSeen = false;
  void seen.then(() => (isSeen = true));
  await eventually('an event', async () => {
    const from = await user.nodeOf(pid);
    await cluster.move(pid, from === 'node1' ? 2 : 1);
    return isSeen;
  });
  const { value } = await seen;
  assert.deepEqual([value?.kind, value?.pid], ['migrated', pid]);
  abort.abort();
  await user.kill(pid);
});

test('usage: one look at nodes and processes', async () => {
  const pid = await user.start('--node', 'node2', '--', 'sh', '-c', 'while :; do :; done');
  const look = (): Promise<ClusterUsage> => cluster.client.usage();
  const first = await look();
  const figures = (usage: ClusterUsage): [number, number] => [
    usage.nodes.find(({ name }) => name === 'node2')?.sample?.ownProcessorMilliseconds ?? 0,
    usage.processes.find((entry) => entry.pid === pid)?.cpuTimeMilliseconds ?? 0,
  ];
  await eventually('time that was used', async () => {
    const now = figures(await look());
    return now.every((value, index) => value > (figures(first)[index] ?? 0));
  });
  const { nodes, processes } = await look();
  assert.ok(
    nodes.every(({ state, sample }) => state === 'online' && (sample?.processors ?? 0) > 0 && (sample?.memory.totalBytes ?? 0) > 1 << 20),
  );
  assert.ok(processes.every(({ kind, pid: each }) => kind === 'process' && each > 1));
  const lines = (await user.krg(['top', '--json', '-n', '2', '-d', '300ms'])).stdout.trim().split('\n');
  assert.equal(lines.length, 2);
  for (const line of lines) {
    const picture = JSON.parse(line) as { nodes: { name: string; own: number }[]; processes: { pid: number; cpu: number }[] };
    assert.ok((picture.processes.find((entry) => entry.pid === pid)?.cpu ?? 0) > 1, line);
    assert.ok((picture.nodes.find(({ name }) => name === 'node2')?.own ?? 0) > 0, line);
  }
  await user.kill(pid);
});
