/** `krg` as its users have it: the real command, a real cluster of three nodes, a real terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TestTerminal } from './support/terminal.ts';

const KRG = fileURLToPath(new URL('../krg', import.meta.url));
const cluster = `cli-${process.pid}`;
const directory = mkdtempSync(join(tmpdir(), 'krg-cli-'));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Invocation {
  readonly input?: string;
  readonly command?: string;
  readonly onOutput?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
}

function krg(words: readonly string[], { input, command = KRG, onOutput }: Invocation = {}): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const child = spawn(command, words, { env: { ...process.env, KRG_CLUSTER: cluster } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
    onOutput?.(stdout, (signal) => child.kill(signal));
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  if (input !== undefined) child.stdin.end(input);
  child.on('close', (status) => resolve({ status, stdout, stderr }));
  return promise;
}

/** A command that must succeed; what it printed, parsed. */
async function json(words: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await krg(words);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as unknown;
}

interface Listed {
  readonly pid: number;
  readonly ppid: number;
  readonly node: string;
  readonly terminal: string | null;
  readonly command: string;
}

const list = async (...words: string[]): Promise<Listed[]> => (await json(['ps', '--json', ...words])) as Listed[];

async function start(...words: string[]): Promise<number> {
  const { status, stdout, stderr } = await krg(['run', '-d', ...words]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^\d+\n$/);
  return Number(stdout);
}

async function eventually(question: () => Promise<boolean>): Promise<void> {
  const last = Date.now() + 20_000;
  while (!(await question())) {
    if (Date.now() > last) assert.fail(`this did not become true within 20 s: ${question.toString()}`);
    await delay(30);
  }
}

async function nodeOf(pid: number): Promise<string | undefined> {
  const all = await list();
  return all.find((entry) => entry.pid === pid)?.node;
}

before(async () => {
  const { status, stderr } = await krg(['up', '--nodes', '3']);
  assert.equal(status, 0, stderr);
});
after(async () => {
  const { status, stderr } = await krg(['down']);
  assert.equal(status, 0, stderr);
  assert.equal(existsSync(`/run/korrigan/${cluster}`), false);
  rmSync(directory, { recursive: true });
});

test('status names three nodes that are online', async () => {
  const { nodes } = (await json(['status', '--json'])) as { nodes: { name: string; state: string; daemon: { pid: number } }[] };
  assert.deepEqual(
    nodes.map(({ name, state }) => [name, state]),
    [1, 2, 3].map((id) => [`node${id}`, 'online']),
  );
  assert.match((await krg(['status'])).stdout, /3 of 3 nodes online/);
});

test('a second cluster of the same name is refused', async () => {
  const { status, stderr } = await krg(['up', '--nodes', '1']);
  assert.equal(status, 2);
  assert.match(stderr, /KRG_USAGE/);
});

test('run: streams, exit status, words, directory, environment', async (t) => {
  await t.test('standard streams', async () => {
    const outcome = await krg(['run', '--', 'sh', '-c', 'cat; echo to stderr >&2; exit 42'], { input: 'from stdin' });
    assert.deepEqual(outcome, { status: 42, stdout: 'from stdin', stderr: 'to stderr\n' });
  });
  await t.test('on another node', async () => {
    const outcome = await krg(['run', '--node', 'node3', '--', 'sh', '-c', 'hostname; exit 7']);
    assert.deepEqual(outcome, { status: 7, stdout: 'node3\n', stderr: '' });
  });
  await t.test('a megabyte of every byte value comes back unchanged', async () => {
    const input = Array.from({ length: 1 << 20 }, (_, index) => String.fromCharCode(index % 128)).join('');
    const { status, stdout } = await krg(['run', '--node', 'node2', 'cat'], { input });
    assert.equal(status, 0);
    assert.ok(stdout === input);
  });
  await t.test('no terminal where there is none', async () => {
    assert.equal((await krg(['run', 'tty'], { input: '' })).stdout, 'not a tty\n');
  });
  await t.test('words as they are', async () => {
    assert.equal((await krg(['run', 'printf', '%s|', '', 'a b', '--json', "'", '*'])).stdout, "|a b|--json|'|*|");
  });
  await t.test('the directory of the user', async () => {
    assert.equal((await krg(['run', 'pwd'])).stdout, `${process.cwd()}\n`);
  });
  await t.test('death by a signal', async () => {
    assert.equal((await krg(['run', 'sh', '-c', 'kill -SEGV $$'])).status, 139);
  });
  await t.test('a signal to krg reaches the program', async () => {
    const script = 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
    const outcome = await krg(['run', 'sh', '-c', script], { onOutput: (text, kill) => text === 'ready\n' && kill('SIGTERM') });
    assert.deepEqual([outcome.status, outcome.stdout], [3, 'ready\ncaught\n']);
  });
  await t.test('a program that does not exist, and one that is none', async () => {
    assert.equal((await krg(['run', 'no-such-program'])).status, 127);
    assert.equal((await krg(['run', '/etc/passwd'])).status, 126);
  });
  await t.test('a reader that has seen enough ends the program', async () => {
    const outcome = await krg(['-c', `${KRG} run yes | head -n 1`], { command: 'sh' });
    assert.deepEqual([outcome.status, outcome.stdout], [0, 'y\n']);
    assert.deepEqual(
      (await list()).filter(({ command }) => command === 'yes'),
      [],
    );
  });
  await t.test('an unknown node', async () => {
    const { status, stderr } = await krg(['run', '--node', 'node9', 'true']);
    assert.equal(status, 255);
    assert.match(stderr, /node9.*\(KRG_NO_SUCH_NODE\)/);
  });
});

test('a detached program is listed, moved, explained and killed', async () => {
  const pid = await start('--node', 'node1', '--', 'sleep', '1000');
  const [entry] = await list(String(pid));
  assert.deepEqual([entry?.node, entry?.command], ['node1', 'sleep 1000']);
  assert.equal((await krg(['explain', String(pid), 'node2'])).status, 0);

  const moved = await krg(['migrate', String(pid), 'node2']);
  assert.equal(moved.status, 0, moved.stderr);
  assert.match(moved.stdout, new RegExp(`^${pid} moved from node1 to node2: stopped for `));
  assert.equal(await nodeOf(pid), 'node2');
  assert.match((await krg(['migrate', String(pid), '2'])).stdout, /is on node2 already/);

  const byKerrighed = join(directory, 'migrate');
  symlinkSync(KRG, byKerrighed);
  assert.deepEqual(await krg([String(pid), '3'], { command: byKerrighed }), { status: 0, stdout: '', stderr: '' });
  assert.equal(await nodeOf(pid), 'node3');

  assert.equal((await krg(['kill', String(pid)])).status, 0);
  await eventually(async () => (await nodeOf(pid)) === undefined);
});

test('bad targets are named, and nothing happens', async () => {
  const unknown = await krg(['migrate', '4000000', 'node1']);
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /4000000.*\(KRG_NO_SUCH_PROCESS\)/);
  const pid = await start('sleep', '1000');
  assert.equal((await krg(['migrate', String(pid), 'node9'])).status, 3);
  assert.equal(await nodeOf(pid), 'node1');
  assert.equal((await krg(['kill', '4000000'])).status, 3);
  assert.equal((await krg(['explain', '4000000'])).status, 3);
  await krg(['kill', '-9', String(pid)]);
});

test('a program with a terminal: job control, window size, and it keeps the terminal when it moves', async () => {
  using terminal = new TestTerminal(
    [KRG, 'run', '--node', 'node1', 'bash', '--norc', '-i'],
    { columns: 100, rows: 30 },
    { KRG_CLUSTER: cluster, PS1: '$ ' },
  );
  await terminal.shows(/\$$/);
  terminal.type('tty; stty size; echo $$\n');
  const [, , pid = ''] = await terminal.shows(/(\/dev\/pts\/\d+)\n30 100\n(\d+)\n/);

  const sleeps = (): Promise<void> => eventually(async () => (await list()).some(({ command }) => command === 'sleep 1001'));
  terminal.type('sleep 1001\n');
  await sleeps();
  terminal.press('C-c');
  await terminal.shows(/\^C/);
  terminal.type('echo interrupted $?\n');
  await terminal.shows(/interrupted 130/);
  terminal.type('sleep 1001\n');
  await sleeps();
  terminal.press('C-z');
  await terminal.shows(/Stopped/);
  terminal.type('jobs; kill %1; wait %1; clear\n');
  await eventually(async () => !(await list()).some(({ command }) => command === 'sleep 1001'));

  terminal.resize(120, 40);
  terminal.type('clear; stty size\n');
  await terminal.shows(/^40 120$/m);

  const moved = await krg(['migrate', pid, 'node2']);
  assert.equal(moved.status, 0, moved.stderr);
  terminal.type('clear; hostname; echo $$; stty size; sleep 1001\n');
  await terminal.shows(new RegExp(`^${pid}\\n40 120$`, 'm'));
  assert.equal(await nodeOf(Number(pid)), 'node2');
  terminal.resize(110, 35);
  await sleeps();
  terminal.press('C-c');
  await terminal.shows(/\^C/);
  terminal.type('until [ "$(stty size)" = "35 110" ]; do sleep 0.1; done; echo resized\n');
  await terminal.shows(/^resized$/m);
  terminal.type('sleep 1001\n');
  await sleeps();
  terminal.press('C-c');
  await terminal.shows(/\^C/);
  terminal.type('echo interrupted $?; exit 5\n');
  await terminal.shows(/interrupted 130/);
  await terminal.shows(/ended with status 5/);
});

test('the log of a daemon can be read', async () => {
  const { status, stdout } = await krg(['logs', 'node2', '-n', '5']);
  assert.equal(status, 0);
  assert.match(stdout, /^\d\d:\d\d:\d\d\.\d{3} [A-Z]+ /);
});

test('the demo without a terminal proves that nothing is missing, and leaves nothing', async () => {
  const clusters = (): string[] => readdirSync('/run/korrigan').filter((name) => name.startsWith('demo-'));
  const others = clusters();
  const { status, stdout, stderr } = await krg(['demo', '--moves', '4']);
  assert.equal(status, 0, `${stdout}${stderr}`);
  const [, numbers] = /^proof: (\d+) numbers from 1 to \d+, none missing, none twice, after 4 moves/m.exec(stdout) ?? [];
  assert.ok(Number(numbers) > 50, stdout);
  assert.equal(stdout.match(/ moved from node\d to node\d/g)?.length, 4);
  assert.deepEqual(clusters(), others);
});

test('the demo on a terminal obeys keys', async () => {
  using terminal = new TestTerminal([KRG, 'demo', '--moves', '50'], { columns: 100, rows: 30 });
  await terminal.shows(/moves 0 of 50/);
  terminal.press('3');
  await terminal.shows(/moves 1 of 50/);
  terminal.press('Space');
  await terminal.shows(/moves 2 of 50/);
  terminal.press('q');
  await terminal.shows(/proof: \d+ numbers from 1 to \d+, none missing, none twice, after 2 moves/);
  await terminal.shows(/ended with status 0/);
});
