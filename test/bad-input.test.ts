/** What cannot be done is refused with a clear error, and nothing is lost: the process goes on where it is, and the cluster works as before. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { daemonCgroup, daemonPid, type MigrationResult } from '../src/node/index.ts';
import { elf32 } from './support/elf32.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { cutLink } from './support/links.ts';
import { buildProgram } from './support/programs.ts';

const KRG = fileURLToPath(new URL('../krg', import.meta.url));
const NOBODY = 65_534;
const SIGTERM = 15;
const SIGKILL = 9;

let cluster: TestCluster;
/** A counter on node 1 that everybody means badly with. */
let victim: number;
const output = (): string => join(cluster.directory, 'victim');
const numbers = (): string[] => readFileSync(output(), 'utf8').split('\n').slice(0, -1);

before(async () => {
  cluster = await startTestCluster('bad-input');
  victim = await cluster.start(`${await buildProgram('counter')} 5`, output());
  await eventually('the first numbers', () => numbers().length > 2);
});

after(async () => {
  try {
    await assertUnharmed();
    await cluster.client.kill(victim, SIGTERM);
    await eventually('the verdict of the counter', () => numbers().at(-1)?.startsWith('pass'));
    const counted = numbers().slice(0, -1).map(Number);
    assert.deepEqual(
      counted,
      counted.map((_, n) => n),
    );
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
});

/** The victim works, can move, and is back at home. */
async function assertUnharmed(): Promise<void> {
  for (const node of [2, 1]) {
    const count = numbers().length;
    await cluster.move(victim, node);
    await eventually(`progress on node ${node}`, () => numbers().length > count + 1);
  }
}

async function migrate(pid: number, node = 'node2'): Promise<MigrationResult> {
  const [result] = await cluster.client.migrate({ pids: [pid], node });
  assert.ok(result);
  return result;
}

/** Refused with this code, in words that match. */
async function assertRefused(pid: number, code: RegExp, words: RegExp, node?: string): Promise<void> {
  const result = await migrate(pid, node);
  if (result.outcome !== 'failed') assert.fail(`process ${pid} was not refused: ${JSON.stringify(result)}`);
  assert.match(result.error.code, code);
  assert.match(result.error.message, words);
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function krg(words: readonly string[], uid = 0): Promise<Ended> {
  const env = { ...process.env, KRG_CLUSTER: cluster.description.cluster };
  return new Promise((resolve) => {
    execFile(KRG, words, { env, uid, gid: uid, cwd: '/' }, (error, stdout, stderr) =>
      resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

describe('pids that are no process of the cluster', () => {
  test('numbers that nobody has', async () => {
    for (const pid of [victim + 1000, 4_000_000, 131_072]) {
      await assertRefused(pid, /^KRG_NO_SUCH_PROCESS$/, new RegExp(String(pid)));
      await assert.rejects(cluster.client.kill(pid, SIGKILL), { code: 'KRG_NO_SUCH_PROCESS' });
      await assert.rejects(cluster.client.explain(pid), { code: 'KRG_NO_SUCH_PROCESS' });
    }
    for (const pid of [0, -5, 5_000_000, 1.5, Number.NaN]) await assert.rejects(migrate(pid), { code: 'KRG_BAD_REQUEST' });
  });

  test('pid 1 of a container, and the daemons', async () => {
    for (const pid of [1, daemonPid(cluster.description.cluster, 1), process.pid]) {
      await assertRefused(pid, /^KRG_NO_SUCH_PROCESS$/, new RegExp(String(pid)));
      await assert.rejects(cluster.client.kill(pid, SIGKILL), { code: 'KRG_NO_SUCH_PROCESS' });
    }
    await assertUnharmed();
  });

  test('among good ones: each has its own answer', async () => {
    const results = await cluster.client.migrate({ pids: [victim, victim + 1000], node: 'node2' });
    assert.deepEqual(
      results.map(({ pid, outcome }) => [pid, outcome]),
      [
        [victim, 'moved'],
        [victim + 1000, 'failed'],
      ],
    );
    await cluster.move(victim, 1);
  });
});

test('somebody else’s process', async () => {
  for (const words of [
    ['migrate', String(victim), 'node2'],
    ['kill', String(victim)],
    ['kill', '-TERM', '--', `-${victim}`],
    ['explain', String(victim)],
  ]) {
    const { status, stderr } = await krg(words, NOBODY);
    assert.deepEqual([status, /KRG_NOT_YOUR_PROCESS/.test(stderr)], [4, true], `krg ${words.join(' ')}: ${status} ${stderr}`);
  }
  const own = await krg(['run', '-d', '--', 'sleep', '1000'], NOBODY);
  assert.equal(own.status, 0, own.stderr);
  assert.equal((await krg(['migrate', own.stdout.trim(), 'node2'], NOBODY)).status, 0);
  assert.equal((await krg(['kill', own.stdout.trim()], NOBODY)).status, 0);
  await assertUnharmed();
});

test('a process that is traced, and one that traces', async () => {
  const traced = join(cluster.directory, 'traced');
  const pid = await cluster.start(await buildProgram('sleeper'), traced);
  await eventually('"ready"', () => readFileSync(traced, 'utf8').includes('ready'));
  const tracer = await cluster.attach([await buildProgram('tracer'), String(pid)]);
  let printed = '';
  tracer.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await eventually('"ready" of the tracer', () => printed.includes('ready'));
  await assertRefused(pid, /^KRG_(TRACED|NOT_MOVABLE)$/, /trace/);
  await assertRefused(tracer.pid, /^KRG_(TRACED|NOT_MOVABLE)$/, /trace/);
  await cluster.client.kill(tracer.pid, SIGTERM);
  assert.deepEqual(await tracer.exited, { kind: 'exited', code: 0 });
  await cluster.move(pid, 2);
  await cluster.client.kill(pid, SIGTERM);
  await eventually('its verdict', () => readFileSync(traced, 'utf8').includes('pass'));
});

test('a process whose mapped memfd another process has too that would stay', async () => {
  const printed = join(cluster.directory, 'ring');
  const go = join(cluster.directory, 'ring.go');
  const pid = await cluster.start(await buildProgram('memory_memfd_shared'), printed, { KRG_GO: go });
  await eventually('"ready"', () => readFileSync(printed, 'utf8').includes('ready'));
  const child = (await cluster.client.processes()).find(({ ppid }) => ppid === pid)?.pid ?? 0;
  await assertRefused(pid, /^KRG_NOT_MOVABLE$/, new RegExp(`memfd:ring.* process ${child}, which stays`));
  await assertRefused(child, /^KRG_NOT_MOVABLE$/, new RegExp(`memfd:ring.* process ${pid}, which stays`));
  writeFileSync(go, '');
  await eventually('its verdict', () => /^(pass|FAIL)/m.test(readFileSync(printed, 'utf8')));
  assert.match(readFileSync(printed, 'utf8'), /^ready\npass\n$/);
});

test('a program whose file was deleted', async () => {
  const program = join(cluster.directory, 'replaced');
  copyFileSync(await buildProgram('sleeper'), program);
  const printed = join(cluster.directory, 'replaced.out');
  const pid = await cluster.start(program, printed);
  await eventually('"ready"', () => readFileSync(printed, 'utf8').includes('ready'));
  rmSync(program);
  await assertRefused(pid, /^KRG_NOT_MOVABLE$/, /executable: its file was deleted/);
  await cluster.client.kill(pid, SIGTERM);
  await eventually('its verdict', () => readFileSync(printed, 'utf8').includes('pass'));
});

test('a 32-bit program', async (context) => {
  const program = join(cluster.directory, 'program32');
  writeFileSync(program, elf32());
  chmodSync(program, 0o755);
  const { pid } = await cluster.client
    .runDetached({ arguments: [program], environment: {}, workingDirectory: '/', umask: 0o22, node: 'node1' })
    .catch((error: unknown) => {
      context.skip(`this kernel runs no 32-bit programs: ${String(error)}`);
      return { pid: 0 };
    });
  if (pid === 0) return;
  await assertRefused(pid, /^KRG_NOT_MOVABLE$/, /32-bit/);
  assert.equal((await cluster.client.explain(pid, 'node2')).movable, false);
  assert.ok((await cluster.client.processes()).some((process) => process.pid === pid));
  await cluster.client.kill(pid, SIGKILL);
});

describe('nodes that cannot be reached', () => {
  test('a node that does not exist', async () => {
    await assert.rejects(migrate(victim, 'node9'), { code: 'KRG_NO_SUCH_NODE', message: /node9/ });
    await assert.rejects(migrate(victim, ''), { code: 'KRG_BAD_REQUEST' });
    assert.equal((await migrate(victim, 'node1')).outcome, 'already-there');
  });

  test('a node to which the link is cut, and mended again', async () => {
    // Node 3 hears both, so that nobody is dead.
    const mend = cutLink(cluster.description, 1, 2);
    try {
      await assertRefused(victim, /^KRG_(NODE_DEAD|DEADLINE)$/, /node ?2|answer|connect/);
      const count = numbers().length;
      await eventually('progress', () => numbers().length > count + 1);
    } finally {
      mend();
    }
    await eventually('the node', async () => (await migrate(victim)).outcome !== 'failed');
    await cluster.move(victim, 1);
  });

  test('a node whose daemon is dead', async () => {
    daemonCgroup(cluster.description.cluster, 3).kill();
    await assertRefused(victim, /^KRG_(NODE_DEAD|DEADLINE)$/, /node ?3/, 'node3');
    await assertUnharmed();
  });
});

describe('wrong command lines', () => {
  const cases: readonly (readonly [words: readonly string[], status: number, says: RegExp])[] = [
    [['frobnicate'], 2, /unknown command/],
    [['ps', '--frobnicate'], 2, /unknown option/],
    [['ps', 'x'], 2, /pid/],
    [['migrate'], 2, /./],
    [['migrate', '65536'], 2, /NODE/],
    [['migrate', 'x', 'node2'], 2, /pid/],
    [['migrate', '99999999999', 'node2'], 2, /./],
    [['migrate', '70000', 'node2'], 3, /KRG_NO_SUCH_PROCESS/],
    [['kill'], 2, /pid/],
    [['kill', '-s', 'FOO', '65536'], 2, /signal/],
    [['kill', '70000'], 3, /KRG_NO_SUCH_PROCESS/],
    [['explain'], 2, /pid/],
    [['explain', '70000'], 3, /KRG_NO_SUCH_PROCESS/],
    [['run'], 2, /command/],
    [['run', '-d', '--node', 'nowhere', 'true'], 255, /KRG_NO_SUCH_NODE/],
    [['logs', 'nowhere'], 3, /KRG_NO_SUCH_NODE/],
    [['logs', '-n', 'x'], 2, /number/],
    [['up', '--nodes', '0'], 2, /number/],
    [['up', '--nodes', 'many'], 2, /number/],
    [['down', 'x'], 2, /argument/],
    [['status', 'x'], 2, /argument/],
    [['doctor', 'x'], 2, /argument/],
    [['demo', 'x'], 2, /argument/],
    [['events', 'x'], 2, /argument/],
    [['completion', 'tcsh'], 2, /tcsh/],
    [['ps', '--cluster', 'there-is-none'], 6, /KRG_NO_DAEMON/],
  ];
  for (const [words, status, says] of cases) {
    test(`krg ${words.join(' ')}`, async () => {
      const ended = await krg(words);
      assert.equal(ended.status, status, `${ended.stdout}${ended.stderr}`);
      assert.match(ended.stderr, says);
      assert.equal(ended.stdout, '');
    });
  }

  test('with --json the error is JSON', async () => {
    const ended = await krg(['kill', '70000', '--json']);
    const answer = JSON.parse(ended.stdout || ended.stderr) as { error?: { code: string } };
    assert.deepEqual([ended.status, JSON.stringify(answer).includes('KRG_NO_SUCH_PROCESS')], [3, true]);
  });
});
