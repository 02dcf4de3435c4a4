/** Capabilities on a real cluster: Kerrighed's command in shells of the cluster, and what they mean where processes run, fork, move and lose their daemon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { containerCgroup } from '../src/container/index.ts';
import { type CapabilityReport, restartDaemon } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { type Outcome, runCommand } from './support/commands.ts';

const ROOT = join(import.meta.dirname, '..');
const [ALL, CHANGE, MIGRATE, FORK, CHECKPOINT, LOCAL] = [0o1067, 1, 2, 4, 0o20, 0o1000];
const NOBODY = 65_534;
let cluster: TestCluster;
let name: string;

before(async () => {
  cluster = await startTestCluster('capability');
  name = cluster.description.cluster;
});
after(() => cluster[Symbol.asyncDispose]());

const krg = (...words: string[]): Promise<Outcome> => runCommand('krg', name, ...words);
const of = (pid: number): Promise<CapabilityReport> => cluster.client.capabilities(pid);

/** As four numbers: permitted, effective, inheritable permitted, inheritable effective. */
async function setsOf(pid: number): Promise<number[]> {
  const { sets } = await of(pid);
  return [sets.permitted, sets.effective, sets.inheritablePermitted, sets.inheritableEffective];
}

/** A command as another user. */
async function asNobody(...words: string[]): Promise<Outcome> {
  const options = { env: { ...process.env, KRG_CLUSTER: name }, uid: NOBODY, gid: NOBODY, cwd: '/' };
  const child = spawn(join(ROOT, 'krg'), words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

/** A shell on node 1, driven by a program, which knows `krgcapset`. */
class Shell {
  readonly pid: number;
  private readonly ask: (line: string) => Promise<string>;
  readonly end: () => Promise<void>;

  private constructor(pid: number, ask: (line: string) => Promise<string>, end: () => Promise<void>) {
    this.pid = pid;
    this.ask = ask;
    this.end = end;
  }

  static async start(): Promise<Shell> {
    const { pid, stdin, stdout, stderr, exited } = await cluster.attach(['bash', '--norc'], { PATH: `${ROOT}:/usr/bin:/bin` });
    let output = '';
    stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    stderr.resume();
    const ask = async (line: string): Promise<string> => {
      output = '';
      stdin.write(`{ ${line}; } 2>&1; echo "status $?"\n`);
      return eventually(`an answer to ${line}`, () => (/^status \d+\n$/m.test(output) ? output : undefined));
    };
    const end = async (): Promise<void> => {
      stdin.end('exit\n');
      await exited;
    };
    return new Shell(pid, ask, end);
  }

  /** @returns what it wrote, then `status N` */
  does(line: string): Promise<string> {
    return this.ask(line);
  }

  /** @returns the pid of what runs in the background */
  async forks(command = 'sleep 1000'): Promise<number> {
    return Number((await this.does(`${command} </dev/null >/dev/null 2>&1 & echo $!`)).split('\n')[0]);
  }
}

test('krgcapset shows and changes the shell that calls it', async (t) => {
  const shell = await Shell.start();
  const shown = (effective: string, names: string): string =>
    [
      'Permitted Capabilities: 01067',
      '\tCHANGE_KERRIGHED_CAP, CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE',
      '\tUSE_REMOTE_MEMORY, SEE_LOCAL_PROC_STAT',
      `Effective Capabilities: ${effective}`,
      `\t${names}`,
      'Inheritable Permitted Capabilities: 01067',
      '\tCHANGE_KERRIGHED_CAP, CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE',
      '\tUSE_REMOTE_MEMORY, SEE_LOCAL_PROC_STAT',
      'Inheritable Effective Capabilities: 03',
      '\tCHANGE_KERRIGHED_CAP, CAN_MIGRATE',
      'status 0\n',
    ].join('\n');
  assert.equal(await shell.does('krgcapset -s'), shown('03', 'CHANGE_KERRIGHED_CAP, CAN_MIGRATE'));
  assert.equal(await shell.does('krgcapset -e +DISTANT_FORK,CHECKPOINTABLE'), 'status 0\n');
  assert.equal(await shell.does('krgcapset --show'), shown('027', 'CHANGE_KERRIGHED_CAP, CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE'));
  assert.equal(await shell.does('krgcapset -e -CAN_MIGRATE -d 01001'), 'status 0\n');
  assert.deepEqual(await setsOf(shell.pid), [ALL, CHANGE | FORK | CHECKPOINT, ALL, CHANGE | LOCAL]);
  const child = await shell.forks();
  assert.deepEqual(await setsOf(child), [ALL, CHANGE | LOCAL, ALL, CHANGE | LOCAL]);
  assert.equal(await shell.does(`krgcapset -k ${child} --effective CHANGE_KERRIGHED_CAP,CAN_MIGRATE`), 'status 0\n');
  assert.deepEqual(await setsOf(child), [ALL, CHANGE | MIGRATE, ALL, CHANGE | LOCAL]);

  await t.test('what is wrong is said, and nothing changes', async () => {
    const earlier = await setsOf(shell.pid);
    assert.match(
      await shell.does('krgcapset -d +CAN_FLY'),
      /^Unrecognized capability: CAN_FLY\nAuthorized.*\n\tCHANGE_KERRIGHED_CAP, [^]*status 1\n$/m,
    );
    assert.match(
      await shell.does('krgcapset -e +DEBUG -p +DEBUG'),
      /Unable to set my father's capabilities\n.*not implemented[^]*DEBUG[^]*status 1\n$/,
    );
    assert.match(
      await shell.does('krgcapset -p -DISTANT_FORK'),
      /Invalid argument[^]*effective capabilities are not permitted: DISTANT_FORK\nstatus 1\n$/,
    );
    assert.match(await shell.does('krgcapset -e 3 -k 7'), /^Conflict in implementation: -k must be the first option used|Conflict/);
    assert.match(await shell.does('krgcapset -k 4000000 -s'), /No such process[^]*status 1\n$/);
    assert.match(await shell.does('krgcapset -x'), /invalid option[^]*Usage: krgcapset[^]*status 1\n$/);
    assert.match(await shell.does('krgcapset'), /^Usage: krgcapset[^]*status 0\n$/);
    assert.deepEqual(await setsOf(shell.pid), earlier);
  });

  await t.test('it asks before the right to change goes, which does not come back', async () => {
    const victim = await shell.forks();
    const take = `krgcapset -k ${victim} -e -CHANGE_KERRIGHED_CAP`;
    for (const answer of ['', 'n', 'no way'])
      assert.match(await shell.does(`echo ${answer} | ${take}`), /^Are you sure.*\(y\/N\)\nstatus 0\n$/);
    assert.deepEqual((await setsOf(victim))[1], CHANGE | LOCAL);
    assert.match(await shell.does(`echo y | ${take}`), /^Are you sure[^]*status 0\n$/);
    assert.deepEqual((await setsOf(victim))[1], LOCAL);
    assert.match(
      await shell.does(`krgcapset -f -k ${victim} -e 3`),
      /Operation not permitted[^]*lacks CHANGE_KERRIGHED_CAP[^]*status 1\n$/,
    );
    assert.equal(await shell.does(`krgcapset -fk ${child} -e -CHANGE_KERRIGHED_CAP`), 'status 0\n');
  });
  await shell.end();
});

test('what is permitted never grows', async () => {
  const pid = await cluster.start('sleep 1000', '/dev/null');
  const change = (...words: string[]): Promise<Outcome> => runCommand('krgcapset', name, '-k', String(pid), ...words);
  assert.equal((await change('-p', '-DISTANT_FORK', '-i', '03')).status, 0);
  assert.equal((await change('-p', '01067', '-i', '01067')).status, 0);
  assert.deepEqual(await setsOf(pid), [ALL & ~FORK, 3, ALL & ~FORK, 3]);
  // Outside a container there is no shell to act on.
  const outside = await runCommand('krgcapset', name, '-s');
  assert.equal(outside.status, 1);
  assert.match(
    outside.stdout + outside.stderr,
    /Unable to get my father's capabilities[^]*Operation not permitted[^]*not called by a process of the cluster/,
  );
});

test('children of one that has ended keep what they have, and give it on', async () => {
  const shell = await Shell.start();
  await shell.does('krgcapset -d +DISTANT_FORK,SEE_LOCAL_PROC_STAT');
  // An orphan that forks again when nobody is left.
  const go = join(cluster.directory, 'go');
  const orphan = await shell.forks(`setsid bash -c 'until [ -e ${go} ]; do sleep 0.05; done; sleep 1000 & sleep 1001'`);
  await shell.end();
  writeFileSync(go, '');
  const late = await eventually('the orphan to fork', async () =>
    (await cluster.client.processes()).find(({ ppid, command }) => ppid === orphan && command === 'sleep 1001'),
  );
  const expected = CHANGE | MIGRATE | FORK | LOCAL;
  for (const pid of [orphan, late.pid]) assert.deepEqual(await setsOf(pid), [ALL, expected, ALL, expected]);
});

test('capabilities travel with a process, and back, alone and in its family', async () => {
  const shell = await Shell.start();
  await shell.does('krgcapset -d +DISTANT_FORK');
  // Not the only one of its application, and given sets that a child of it has not.
  const go = join(cluster.directory, 'fork');
  const pid = await shell.forks(`bash -c 'until [ -e ${go} ]; do sleep 0.05; done; sleep 1002 & wait'`);
  await krg('caps', String(pid), '--effective', '+CHECKPOINTABLE', '--inheritable-permitted', '-SEE_LOCAL_PROC_STAT');
  const own = [ALL, CHANGE | MIGRATE | FORK | CHECKPOINT, ALL & ~LOCAL, CHANGE | MIGRATE | FORK];
  const ofChildren = [ALL & ~LOCAL, CHANGE | MIGRATE | FORK, ALL & ~LOCAL, CHANGE | MIGRATE | FORK];
  assert.deepEqual(await setsOf(pid), own);

  await cluster.move(pid, 2);
  assert.deepEqual(await setsOf(pid), own);
  assert.equal((await of(pid)).node, 'node2');
  writeFileSync(go, '');
  const child = await eventually('a child there', async () =>
    (await cluster.client.processes()).find(({ command, node }) => command === 'sleep 1002' && node === 'node2'),
  );
  assert.deepEqual(await setsOf(child.pid), ofChildren);
  // By its pid, wherever the daemon runs that is asked.
  assert.equal((await krg('caps', String(child.pid), '--at', 'node3', '--set', '+CHECKPOINTABLE')).status, 0);

  for (const node of [3, 1, 2]) {
    await cluster.move(pid, node, true);
    assert.deepEqual(await setsOf(pid), own);
    assert.deepEqual((await setsOf(child.pid))[1], CHANGE | MIGRATE | FORK | CHECKPOINT);
  }
  assert.deepEqual(await setsOf(shell.pid), [ALL, 3, ALL, CHANGE | MIGRATE | FORK]);
  await shell.end();
});

test('what is changed while a process moves is changed, wherever it is then; what the move needs is not taken away', async () => {
  const pid = await cluster.start('sleep 1000', '/dev/null');
  const change = (operation: 'add' | 'remove', capabilities: number) =>
    cluster.client.changeCapabilities({ pid, changes: [{ set: 'effective', operation, capabilities }] });
  for (let round = 0; round < 12; round++) {
    const operation = round % 2 === 0 ? 'add' : 'remove';
    // The later ones come when the move is under way.
    const changing = new Promise((resolve) => setTimeout(resolve, round)).then(() => change(operation, FORK));
    await Promise.all([cluster.move(pid, 1 + ((round + 1) % 3)), changing]);
    assert.equal((await setsOf(pid))[1], operation === 'add' ? CHANGE | MIGRATE | FORK : CHANGE | MIGRATE, `round ${round}`);
  }
  const { node } = await of(pid);
  const target = node === 'node1' ? 2 : 1;
  const [moved, taken] = await Promise.allSettled([cluster.move(pid, target), change('remove', MIGRATE)]);
  // Whichever came first: the other one is refused, or came when the move was over.
  const isThere = (await of(pid)).node === `node${target}`;
  assert.equal(moved.status === 'fulfilled', isThere);
  if (moved.status === 'rejected') assert.match(String(moved.reason), /KRG_CAPABILITY_MISSING/);
  if (taken.status === 'rejected') assert.match(String(taken.reason), /needs CAN_MIGRATE/);
  assert.equal(((await setsOf(pid))[1] ?? 0) & MIGRATE, taken.status === 'rejected' ? MIGRATE : 0);
});

test('nothing is forgotten when daemons are killed', async () => {
  const shell = await Shell.start();
  await shell.does('krgcapset -e +CHECKPOINTABLE -d +DISTANT_FORK');
  const child = await shell.forks();
  const moved = await shell.forks();
  await krg('caps', String(moved), '--disable', 'DISTANT_FORK');
  await cluster.move(moved, 2);
  const all = [shell.pid, child, moved];
  const earlier = await Promise.all(all.map(of));
  for (const node of [1, 2]) await restartDaemon(name, node);
  const later = await eventually('the daemons to answer', () => Promise.all(all.map(of)).catch(() => undefined));
  assert.deepEqual(later, earlier);
  assert.equal(later[2]?.disabled.DISTANT_FORK, 1);
  assert.equal(later[2]?.node, 'node2');
  // What is forked while nobody watches is no different.
  const late = await shell.forks();
  assert.deepEqual((await setsOf(late))[1], CHANGE | MIGRATE | FORK);
  await shell.end();
});

test('only root and the user of a process see and change what it may do', async () => {
  const pid = await cluster.start('sleep 1000', '/dev/null');
  for (const words of [[], ['--set', 'none'], ['--disable', 'CAN_MIGRATE']]) {
    const { status, stderr } = await asNobody('caps', String(pid), ...words);
    assert.equal(status, 4);
    assert.match(stderr, /another user.*\(KRG_NOT_YOUR_PROCESS\)/);
  }
  assert.equal((await of(pid)).isGiven, false);
  const own = Number((await asNobody('run', '-d', '--', 'sleep', '1000')).stdout);
  assert.equal((await asNobody('caps', String(own), '--set', '+CHECKPOINTABLE')).status, 0);
  assert.equal((await setsOf(own))[1], CHANGE | MIGRATE | CHECKPOINT);
  assert.equal((await krg('caps', String(own), '--set', 'none')).status, 0);
  assert.equal((await setsOf(own))[1], CHANGE);
});

test('without CAN_MIGRATE a process stays; the refusal says how to grant it', async () => {
  const run = await krg('run', '-d', '--node', 'node1', '--caps', 'none', '--', 'bash', '-c', 'sleep 1000 & wait');
  const pid = Number(run.stdout);
  const child = await eventually('its child', async () => (await cluster.client.processes()).find(({ ppid }) => ppid === pid));
  assert.deepEqual((await setsOf(child.pid))[1], CHANGE);

  const refused = await krg('migrate', String(pid), 'node2');
  assert.equal(refused.status, 4);
  assert.match(
    refused.stderr,
    new RegExp(
      `process ${pid} may not be moved: it lacks CAN_MIGRATE; grant it with krg caps ${pid} --set \\+CAN_MIGRATE \\(KRG_CAPABILITY_MISSING\\)`,
    ),
  );
  assert.match((await krg('explain', String(pid))).stdout, /refused +capability CAN_MIGRATE/);
  const byKerrighed = await runCommand('migrate', name, String(pid), '2');
  assert.deepEqual([byKerrighed.status, byKerrighed.stderr.split('\n')[0]], [1, 'migrate: Operation not permitted']);

  // A tree moves when all of it may.
  assert.equal((await krg('caps', String(pid), '--set', '+CAN_MIGRATE')).status, 0);
  assert.match((await krg('migrate', '--tree', String(pid), 'node2')).stderr, new RegExp(`process ${child.pid} may not be moved`));
  assert.deepEqual([(await of(pid)).node, (await of(child.pid)).node], ['node1', 'node1']);
  assert.equal((await krg('caps', String(child.pid), '--set', '+CAN_MIGRATE')).status, 0);
  await cluster.move(pid, 2, true);
  assert.deepEqual([(await of(pid)).node, (await of(child.pid)).node], ['node2', 'node2']);
});

test('a node is not emptied of a process without CAN_MIGRATE, and is kept for it', async () => {
  const pid = Number((await krg('run', '-d', '--node', 'node3', '--caps', 'none', '--', 'sleep', '1000')).stdout);
  const { status, stdout, stderr } = await krg('drain', 'node3');
  assert.equal(status, 5);
  assert.match(stdout + stderr, new RegExp(`${pid} .*lacks CAN_MIGRATE`));
  assert.equal((await of(pid)).node, 'node3');
});

test('what is disabled for a time does not count, and counts again', async () => {
  const pid = await cluster.start('sleep 1000', '/dev/null');
  for (let times = 0; times < 2; times++) assert.equal((await krg('caps', String(pid), '--disable', 'CAN_MIGRATE')).status, 0);
  await assert.rejects(cluster.move(pid, 2), /KRG_CAPABILITY_MISSING.*disabled/);
  assert.equal((await krg('caps', String(pid), '--enable', 'CAN_MIGRATE')).status, 0);
  await assert.rejects(cluster.move(pid, 2), /KRG_CAPABILITY_MISSING.*disabled/);
  assert.equal((await krg('caps', String(pid), '--enable', 'CAN_MIGRATE')).status, 0);
  await cluster.move(pid, 2);
  assert.equal((await krg('caps', String(pid), '--enable', 'CAN_MIGRATE')).status, 2);
});

test('krg caps says what a process has; krg run gives one program its own', async () => {
  const pid = Number((await krg('run', '-d', '--caps', '+CHECKPOINTABLE,SEE_LOCAL_PROC_STAT', '--', 'sleep', '1000')).stdout);
  const shown = JSON.parse((await krg('caps', String(pid), '--json')).stdout) as Record<string, unknown>;
  const effective = ['CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE', 'CHECKPOINTABLE', 'SEE_LOCAL_PROC_STAT'];
  assert.deepEqual([shown['pid'], shown['isGiven'], shown['effective'], shown['counting']], [pid, true, effective, effective]);
  const text = (await krg('caps', String(pid))).stdout;
  assert.match(text, /^ {2}effective +01023 CHANGE_KERRIGHED_CAP, CAN_MIGRATE, CHECKPOINTABLE, SEE_LOCAL_PROC_STAT$/m);

  const other = await cluster.start('sleep 1000', '/dev/null');
  assert.match((await krg('caps', String(other))).stdout, /as every program begins/);
  // Whatever a program is started with, the next one is not.
  assert.deepEqual(await setsOf(other), [ALL, 3, ALL, 3]);
  assert.equal((await krg('run', '--caps', '+DEBUG', '--', 'true')).status, 255);
  assert.equal((await krg('caps', String(other), '--set', 'CAN_FLY')).status, 2);
  assert.equal((await krg('caps', '4000000')).status, 3);
});

test('a cluster is not begun with rules that say nothing', async () => {
  const rules = join(cluster.directory, 'rules.json');
  writeFileSync(rules, '[{ "command": "sleep" }]');
  const other = `${name}-other`;
  for (const [words, complaint] of [
    [['--caps', 'CAN_FLY'], /there is no capability "CAN_FLY"/],
    [['--caps', 'DEBUG'], /the others of Kerrighed's do nothing/],
    [['--caps-rules', rules], /allows or denies something/],
    [['--caps-rules', `${rules}.not`], /cannot be read as JSON/],
  ] as const) {
    const { status, stderr } = await runCommand('krg', other, 'up', ...words);
    assert.equal(status, 2);
    assert.match(stderr, complaint);
  }
  assert.equal((await runCommand('krg', other, 'status')).status, 6);
});

test('what programs begin with, and rules for some of them, are the configuration', async () => {
  const capabilities = {
    initial: ['CHANGE_KERRIGHED_CAP'],
    rules: [
      { name: 'sleepers may move', command: 'sleep', allow: ['CAN_MIGRATE'] },
      { name: 'tails stay', command: 'tail', deny: ['CAN_MIGRATE'] },
    ],
  } as const;
  await using ruled = await startTestCluster('capability-rules', { nodes: 2, capabilities });
  const sleeper = await ruled.start('sleep 1000', '/dev/null');
  const tail = await ruled.start('tail -f /dev/null', '/dev/null');
  const other = await ruled.start('bash -c "sleep 1001; true"', '/dev/null');
  // Until they have executed their files they are shells.
  await eventually('the programs to begin', async () => {
    const commands = new Map((await ruled.client.processes()).map(({ pid, command }) => [pid, command]));
    return commands.get(sleeper) === 'sleep 1000' && commands.get(tail) === 'tail -f /dev/null';
  });
  await ruled.move(sleeper, 2);
  await assert.rejects(ruled.move(tail, 2), /KRG_CAPABILITY_MISSING.*"tails stay"/);
  await assert.rejects(ruled.move(other, 2), /KRG_CAPABILITY_MISSING.*lacks CAN_MIGRATE/);
  await ruled.client.changeCapabilities({ pid: tail, changes: [{ set: 'effective', operation: 'add', capabilities: MIGRATE }] });
  const { denied, counting } = await ruled.client.capabilities(tail);
  assert.deepEqual([denied, counting], [[{ capability: 'CAN_MIGRATE', rule: 'tails stay' }], ['CHANGE_KERRIGHED_CAP']]);
  await assert.rejects(ruled.move(tail, 2), /"tails stay"/);
});

test('nothing is left of the groups when the processes have ended', async () => {
  for (const { pid } of await cluster.client.processes()) await cluster.client.kill(pid, 9).catch(() => undefined);
  const left = (): string[] =>
    cluster.description.nodes.flatMap(({ id }) => {
      const processes = containerCgroup(name, id).child('processes');
      return processes.children().flatMap((group) => group.children().map((part) => part.path));
    });
  await eventually('the groups to go', () => left().length === 0);
});
