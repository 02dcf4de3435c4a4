/** Three nodes with three hundred processes are one machine to the programs that people know, unmodified. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const NODES = [1, 2, 3];
const ON_EACH = 100;
/** What the many do; tools find them by it. */
const SLEEPER = 'sleep 424242';
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C.UTF-8', HOME: '/root' };

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('one-machine');
  const many = `sh -c 'for n in $(seq ${ON_EACH}); do ${SLEEPER} & done; wait'`;
  await Promise.all(NODES.map((node) => cluster.start(many, '/dev/null', {}, node)));
  await eventually('all of them', async () => (await shell(`pgrep -cxf '${SLEEPER}'; true`)) === `${NODES.length * ON_EACH}\n`);
});
after(() => cluster[Symbol.asyncDispose]());

interface Outcome {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function outcomeOf(script: string, node = 1): Promise<Outcome> {
  const request = { arguments: ['sh', '-c', script], environment: { ...ENVIRONMENT, TERM: 'dumb' }, workingDirectory: '/', umask: 0o22 };
  const { stdin, stdout, stderr, exited } = await cluster.client.run({ ...request, node: `node${node}` });
  stdin.end();
  const [printed, complaints, exit] = await Promise.all([text(stdout), text(stderr), exited]);
  return { status: exit.kind === 'exited' ? exit.code : undefined, stdout: printed, stderr: complaints };
}

/** What a script prints, which must succeed. */
async function shell(script: string, node = 1): Promise<string> {
  const { status, stdout, stderr } = await outcomeOf(script, node);
  assert.equal(status, 0, `${script}: ${stdout}${stderr}`);
  return stdout;
}

/** A program of its own name on each node. @returns their pids */
async function everywhere(name: string): Promise<number[]> {
  const program = join(cluster.directory, name);
  copyFileSync('/bin/sleep', program);
  chmodSync(program, 0o755);
  return Promise.all(NODES.map((node) => cluster.start(`${program} 424243`, '/dev/null', {}, node)));
}

const areGone = (pids: readonly number[]): Promise<true> =>
  eventually(`the end of ${pids.join()}`, async () => (await outcomeOf(`ps -o pid= -p ${pids.join()}`)).stdout.trim() === '');

describe('lists', () => {
  const all = NODES.length * ON_EACH;
  for (const [tool, count] of [
    ['ps', `ps aux | grep -c '[s]leep 424242$'`],
    ['pgrep', `pgrep -cxf '${SLEEPER}'`],
    ['pidof', `pidof sleep | wc -w`],
    ['pstree', `pstree -p | grep -o 'sleep([0-9]*)' | wc -l`],
    ['top', `top -bn1 | grep -c ' sleep$'`],
  ] as const) {
    test(`${tool} shows all of them`, async () => assert.equal(Number(await shell(count, 2)), all));
  }

  test('lsof shows the files of some of each node', async () => {
    const some = `$(pgrep -xf '${SLEEPER}' | awk '{ if (seen[int($1 / 65536)]++ < 10) print }' | paste -sd,)`;
    const files = await shell(`lsof -p ${some} 2>/dev/null`);
    assert.equal(files.match(/^sleep .* cwd +DIR .* \/$/gm)?.length, 10 * NODES.length);
    assert.equal(files.match(/^sleep .* txt +REG .*sleep$/gm)?.length, 10 * NODES.length);
  });

  for (const command of ['free -m', 'uptime', 'vmstat', 'w', 'nproc --all', 'lscpu']) {
    test(command, async () => assert.notEqual(await shell(command, 3), ''));
  }
});

describe('what acts on processes', () => {
  test('kill', async () => {
    const pids = await everywhere('one-killed');
    await shell(`kill ${pids.join(' ')}`);
    await areGone(pids);
    const { status, stderr } = await outcomeOf(`/bin/kill ${pids.join(' ')}`);
    assert.equal(status, 1);
    for (const pid of pids) assert.match(stderr, new RegExp(`${pid}.*No such process`));
  });

  test('pkill and killall', async () => {
    const [pkilled, killed] = [await everywhere('one-pkilled'), await everywhere('one-killalled')];
    await shell('pkill -x one-pkilled', 2);
    await areGone(pkilled);
    await shell('killall one-killalled', 3);
    await areGone(killed);
    assert.equal((await outcomeOf('killall one-killalled', 3)).status, 1);
  });

  test('nice and renice', async () => {
    const pids = await everywhere('one-reniced');
    await shell(`renice -n 7 -p ${pids.join(' ')}`);
    assert.deepEqual((await shell(`ps -o ni= -p ${pids.join()}`, 2)).trim().split(/\s+/), ['7', '7', '7']);
    assert.equal((await shell('nice -n 5 nice')).trim(), '5');
    await shell(`kill ${pids.join(' ')}`);
  });

  test('timeout and nohup', async () => {
    assert.equal((await outcomeOf('timeout 0.3 sleep 1000')).status, 124);
    assert.equal(await shell('nohup sh -c "kill -HUP \\$\\$; echo went on" 2>/dev/null'), 'went on\n');
  });

  test('make -j', async () => {
    const directory = join(cluster.directory, 'make');
    mkdirSync(directory);
    const targets = Array.from({ length: 12 }, (_, n) => `t${n}`);
    writeFileSync(join(directory, 'Makefile'), `all: ${targets.join(' ')}\n${targets.join(' ')}:\n\tsleep 0.1\n\techo made $@ > $@\n`);
    await shell(`make -s -j4 -C ${directory}`, 2);
    for (const target of targets) assert.equal(readFileSync(join(directory, target), 'utf8'), `made ${target}\n`);
  });
});

describe('tracers', () => {
  test('strace and gdb see a process of their node', async () => {
    const [pid] = await everywhere('one-traced');
    assert.match((await outcomeOf(`timeout 2 strace -p ${pid}`)).stderr, /attached[\s\S]*(restart_syscall|nanosleep)/);
    const { stdout } = await outcomeOf(`gdb -p ${pid} -batch -ex 'info inferiors' 2>/dev/null </dev/null`);
    assert.match(stdout, new RegExp(`process ${pid}`));
    await shell('pkill -x one-traced');
  });

  test('of one elsewhere they say where it is', async () => {
    const [, pid] = await everywhere('one-elsewhere');
    for (const tracer of [`strace -p ${pid}`, `gdb -p ${pid} -batch </dev/null`]) {
      const { stdout, stderr } = await outcomeOf(tracer);
      assert.match(stdout + stderr, new RegExp(`process ${pid} runs on node 2;`), tracer);
    }
    await shell('pkill -x one-elsewhere');
  });
});

describe('on a terminal', () => {
  /** Types when it sees something, until the program has ended. @returns all that it has drawn */
  async function onTerminal(words: readonly string[], steps: readonly (readonly [sees: RegExp, types: string])[]): Promise<string> {
    const { stdin, stdout, exited } = await cluster.client.run({
      arguments: [...words],
      environment: ENVIRONMENT,
      workingDirectory: '/',
      umask: 0o22,
      node: 'node1',
      terminal: { rows: 40, columns: 150, type: 'xterm' },
    });
    let drawn = '';
    stdout.setEncoding('utf8').on('data', (part: string) => (drawn += part));
    for (const [sees, types] of steps) {
      const from = drawn.length;
      await eventually(`${String(sees)} in ${JSON.stringify(drawn.slice(-2000))}`, () =>
        sees.test(drawn.slice(from === 0 ? 0 : from - 200)),
      );
      stdin.write(types);
    }
    await exited;
    return drawn;
  }

  test('top', async () => {
    const drawn = await onTerminal(['top'], [[/Tasks:[\s\S]*sleep/, 'q']]);
    const [, total] = /Tasks:[^\d]*(\d+)/.exec(stripVTControlCharacters(drawn)) ?? [];
    assert.ok(Number(total) >= NODES.length * ON_EACH, drawn.slice(0, 500));
  });

  test('htop', async () => {
    const drawn = await onTerminal(['htop', `--filter=${SLEEPER}`], [[/424242/, 'q']]);
    assert.match(drawn, /Tasks: /);
  });

  test('tmux', async () => {
    await onTerminal(
      ['tmux', '-L', `one-machine-${process.pid}`, '-f', '/dev/null', 'new-session', 'sh'],
      [
        [/[#$] /, 'echo made-$((40 + 2))\r'],
        [/made-42/, 'exit\r'],
      ],
    );
  });
});
