/** /proc in the containers of a cluster: one machine to unmodified tools, whichever node they run on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { daemonPid } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { becomes, hostPidOn, killNode } from './support/nodes.ts';

const NODES = [1, 2, 3];
const PIDS_PER_NODE = 65_536;
/** As docs/proc.md says. */
const PROCESSORS_PER_NODE = 1000;
/** Tools look for processes by this word. */
const COMMAND = ['sleep', '54321'];
/** One of capability's bits. */
const SEE_LOCAL_PROC_STAT = 0o1000;
const STRANGER = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

let cluster: TestCluster;
/** One process that was born on each node, by node; and one that was born on node 1 and runs on node 3. */
let born: number[];
let moved: number;
before(async () => {
  cluster = await startTestCluster('procfs');
  born = await Promise.all(NODES.map((node) => cluster.start(COMMAND.join(' '), '/dev/null', { SECRET: 'nobody may see this' }, node)));
  moved = await cluster.start(COMMAND.join(' '), '/dev/null', { SECRET: 'nobody may see this' });
  await cluster.move(moved, 3);
});
after(() => cluster[Symbol.asyncDispose]());

const sleepers = (): number[] => [...born, moved].toSorted((a, b) => a - b);
/** Where a process of {@link sleepers} runs. */
const nodeOf = (pid: number): number => (pid === moved ? 3 : Math.floor(pid / PIDS_PER_NODE));
const numbers = (words: string): number[] =>
  words
    .trim()
    .split(/\s+/)
    .map(Number)
    .toSorted((a, b) => a - b);

interface Run {
  readonly node?: number;
  /** @default 0 */
  readonly status?: number;
  /** What it has beside the capabilities that all have. */
  readonly capabilities?: number;
}

/** What a program prints. Terminals are not needed. */
async function run(words: readonly string[], { node = 1, status = 0, capabilities }: Run = {}): Promise<string> {
  const program = await cluster.client.run({
    arguments: [...words],
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TERM: 'dumb', COLUMNS: '200' },
    workingDirectory: '/',
    umask: 0o22,
    node: `node${node}`,
    ...(capabilities === undefined ? {} : { capabilities: { operation: 'add', capabilities } }),
  });
  program.stdin.end();
  const [printed, complaints, exit] = await Promise.all([text(program.stdout), text(program.stderr), program.exited]);
  assert.deepEqual(exit, { kind: 'exited', code: status }, `${words.join(' ')} on node ${node}: ${printed}${complaints}`);
  return printed;
}

const shell = (script: string, options: Run = {}): Promise<string> => run(['sh', '-c', script], options);

test('every process finds itself, on every node', async () => {
  for (const node of NODES) {
    const [own, self, tasks, thread, comm] = (
      await shell('cat /proc/self/stat; readlink /proc/self; ls /proc/self/task; readlink /proc/thread-self; cat /proc/self/comm', { node })
    ).split('\n');
    assert.match(own ?? '', /^\d+ \(cat\)/);
    assert.equal(Math.floor(Number(self) / PIDS_PER_NODE), node);
    assert.match(tasks ?? '', /^\d+$/);
    assert.match(thread ?? '', /^(\d+)\/task\/\1$/);
    assert.equal(comm, 'cat');
    assert.match(await run(['readlink', '/proc/self/exe'], { node }), /readlink|coreutils|busybox/);
  }
});

test('ps lists the same processes on every node, each once; pid and processor tell the node', async () => {
  for (const node of NODES) {
    const rows = (await run(['ps', '-eo', 'pid,psr,args'], { node })).split('\n').map((line) => line.trim().split(/\s+/));
    const found = rows.filter((row) => row[2] === 'sleep' && row[3] === '54321');
    assert.deepEqual(
      found.map(([pid]) => Number(pid)).toSorted((a, b) => a - b),
      sleepers(),
    );
    for (const [pid, processor] of found) {
      const where = Math.floor(Number(processor) / PROCESSORS_PER_NODE);
      assert.equal(where, nodeOf(Number(pid)) === node ? 0 : nodeOf(Number(pid)));
    }
    const strange = rows.filter(([, , name]) => name?.includes('husk'));
    assert.deepEqual(strange, []);
    assert.equal(rows.filter(([pid]) => pid === '1').length, 1);
  }
});

test("a local process is a link into the node's own procfs, one elsewhere a directory", async () => {
  assert.equal(await run(['readlink', `/proc/${born[0]}`]), `.real/${born[0]}\n`);
  assert.equal(await run(['readlink', `/proc/${moved}`], { node: 3 }), `.real/${moved}\n`);
  await run(['readlink', `/proc/${moved}`], { status: 1 });
  await shell(`test -d /proc/${moved}/fd && test -d /proc/${born[0]}/fd && test ! -e /proc/70000 && test ! -e /proc/70000/stat`);
});

test('unmodified tools show the processes of all nodes', async () => {
  const all = sleepers();
  const rows = (await run(['ps', 'aux'])).split('\n').filter((line) => line.includes('sleep 54321'));
  assert.deepEqual(
    rows.map((row) => Number(row.split(/\s+/)[1])).toSorted((a, b) => a - b),
    all,
  );
  assert.ok(
    rows.every((row) => Number(row.split(/\s+/)[5]) > 0),
    rows.join('\n'),
  );
  assert.deepEqual(numbers(await run(['pgrep', '-f', '^sleep 54321$'])), all);
  assert.deepEqual(numbers(await run(['pidof', 'sleep'])), all);
  const top = await run(['top', '-bn1', '-w200']);
  for (const pid of all) assert.match(top, new RegExp(`^ *${pid} root .* sleep`, 'm'));
  const tree = await run(['pstree', '-p']);
  for (const pid of all) assert.ok(tree.includes(`sleep(${pid})`), tree);
  for (const pid of all) {
    const files = await run(['lsof', '-p', String(pid)]);
    assert.match(files, /^sleep +\d+ root +cwd +DIR .* \/$/m);
    assert.match(files, /^sleep +\d+ root +txt +REG .*sleep$/m);
    assert.match(files, /^sleep +\d+ root +1w +CHR .* \/dev\/null$/m);
  }
  assert.match(await run(['uptime']), /up .*load average: [\d.]+, [\d.]+, [\d.]+/);
  assert.match(await run(['vmstat']), /\n *\d+ +\d+ +\d+ +\d+/);
  assert.match(await run(['w']), /load average/);
});

test('memory, processors and load are those of all nodes together', async () => {
  const [memory, nodes] = [await run(['free', '-b']), await shell('cat /proc/nodes/node[0-9]*/meminfo')];
  const total = [...nodes.matchAll(/^MemTotal: +(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
  assert.equal(Number(/^Mem: +(\d+)/m.exec(memory)?.[1]), total);
  const count = (word: string): string => `grep -c '^${word}[0-9 \t:]*' /proc/nodes/node1/cpuinfo /proc/cpuinfo`;
  const [one, all] = (await shell(`${count('processor')}; true`))
    .trim()
    .split('\n')
    .map((line) => Number(line.split(':')[1]));
  assert.ok(one !== undefined && one > 0);
  assert.equal(all, 3 * one);
  const processors = (await shell("sed -n 's/^cpu\\([0-9][0-9]*\\) .*/\\1/p' /proc/stat")).trim().split('\n').map(Number);
  assert.deepEqual(new Set(processors.map((number) => Math.floor(number / PROCESSORS_PER_NODE))), new Set(NODES));
  assert.equal(processors.length, 3 * one);
  const loads = (await shell('cat /proc/nodes/node*/loadavg; cat /proc/loadavg'))
    .trim()
    .split('\n')
    .map((line) => Number(line.split(' ')[2]));
  const sum = loads.slice(0, 3).reduce((a, b) => a + b, 0);
  // They were read one after the other; this is the mean of fifteen minutes.
  assert.ok(Math.abs((loads[3] ?? 0) - sum) <= 0.15 * sum + 0.1, loads.join(' '));
});

test('who has SEE_LOCAL_PROC_STAT sees the node that it runs on', async () => {
  const find = 'pgrep -f "sleep 5432[1]"';
  assert.deepEqual(numbers(await shell(find)), sleepers());
  assert.deepEqual(numbers(await shell(find, { capabilities: SEE_LOCAL_PROC_STAT })), [born[0]]);
  const memory = (options: Run): Promise<string> => shell("sed -n 's/^MemTotal: *//p' /proc/meminfo /proc/nodes/node1/meminfo", options);
  const [own, one] = (await memory({ capabilities: SEE_LOCAL_PROC_STAT })).trim().split('\n');
  assert.equal(own, one);
});

test('/proc/nodes tells of each node', async () => {
  assert.deepEqual((await run(['ls', '/proc/nodes'])).trim().split('\n'), ['cluster', 'node1', 'node2', 'node3', 'nrnodes', 'self']);
  for (const node of NODES) {
    assert.equal(await shell('cat /proc/nodes/nrnodes /proc/nodes/self/nodeid /proc/nodes/cluster/nodeid', { node }), `3\n${node}\n-\n`);
    assert.equal(await run(['readlink', '/proc/nodes/self'], { node }), `node${node}\n`);
  }
  assert.equal(await run(['ls', '/proc/nodes/node2']), 'cpuinfo\nloadavg\nmeminfo\nnodeid\nsession\nstat\nuptime\n');
});

test('the files of a remote process are what its node shows', async () => {
  const files = [
    'statm',
    'cmdline',
    'environ',
    'comm',
    'limits',
    'io',
    'maps',
    'cgroup',
    'wchan',
    'auxv',
    'personality',
    'syscall',
    'stack',
    'loginuid',
    'mounts',
  ];
  const script = (pid: number): string =>
    [
      ...files.map((file) => `echo ${file}; base64 -w0 /proc/${pid}/${file}`),
      // Queued signals are those of all processes of the user.
      `grep -v SigQ /proc/${pid}/status`,
      `cut -d' ' -f1-38,40- /proc/${pid}/stat`,
      `for link in exe cwd root ns/pid ns/mnt fd/0 fd/1; do readlink /proc/${pid}/$link; done`,
      `ls /proc/${pid}/fd /proc/${pid}/task /proc/${pid}/fdinfo; cat /proc/${pid}/fdinfo/1`,
      `cut -d' ' -f1-38,40- /proc/${pid}/task/${pid}/stat; stat -L -c '%a %u %g %F' /proc/${pid} /proc/${pid}/fd /proc/${pid}/maps`,
    ].join('; ');
  for (const pid of sleepers()) {
    const shown = await shell(script(pid), { node: nodeOf(pid) });
    assert.ok(shown.includes(Buffer.from('nobody may see this').toString('base64').slice(4, 16)) || shown.includes('environ'));
    for (const node of NODES) assert.equal(await shell(script(pid), { node }), shown, `process ${pid} from node ${node}`);
  }
});

test('a remote process of another user shows what Linux would show of it', async () => {
  const script = (pid: number): string =>
    ['environ', 'maps', 'auxv', 'io', 'syscall', 'stack', 'limits', 'statm', 'cmdline', 'smaps', 'stat']
      .map(
        (file) =>
          `echo ${file}; cat /proc/${pid}/${file} 2>&1 | sed 's/ [0-9]* \\([0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]* [0-9]*\\)$/ \\1/' | tr -d '\\0'`,
      )
      .concat(
        `ls /proc/${pid}/fd 2>&1; readlink /proc/${pid}/exe || echo no; cat /proc/${pid}/fdinfo/0 2>&1; test -r /proc/${pid}/environ || echo unreadable`,
      )
      .join('; ');
  for (const pid of [born[1] ?? 0, moved]) {
    const shown = await run([...STRANGER, 'sh', '-c', script(pid)], { node: nodeOf(pid) });
    assert.doesNotMatch(shown, /nobody may/);
    const remote = await run([...STRANGER, 'sh', '-c', script(pid)]);
    assert.doesNotMatch(remote, /nobody may/);
    const plain = (printed: string): string => printed.replaceAll(/^stat\n.*$/gm, '');
    assert.equal(plain(remote), plain(shown));
    assert.match(remote, /environ: Permission denied/);
    assert.match(remote, /unreadable/);
    // Addresses are hidden: start of the code, of the stack.
    assert.match(/^stat\n(.*)$/m.exec(remote)?.[1] ?? '', /^\d+ \(sleep\) S .* 18446744073709551615 1 1 0 0 0 /);
  }
  // root keeps its rights only with its capabilities
  const powerless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
  assert.match(await run([...powerless, 'sh', '-c', `cat /proc/${moved}/environ 2>&1; true`]), /SECRET|Permission denied/);
});

test('a program that keeps files of /proc open moves', async () => {
  const output = join(cluster.directory, 'top');
  const program = `import sys, time, os
files = [open("/proc/" + name) for name in ("stat", "meminfo", "uptime", "self/status", "%d/stat")]
while not os.path.exists("${output}.stop"):
  for f in files: f.seek(0)
  print(*[len(f.read()) > 0 for f in files], flush=True)
  time.sleep(0.02)
print("end", flush=True)`.replace('%d', String(born[1]));
  writeFileSync(`${output}.py`, program);
  const pid = await cluster.start(`python3 ${output}.py`, output);
  const lines = (): string[] => readFileSync(output, 'utf8').trim().split('\n');
  for (const node of [2, 3, 1]) {
    const seen = lines().length;
    await eventually('the program to read', () => lines().length > seen + 3);
    await cluster.move(pid, node);
  }
  writeFileSync(`${output}.stop`, '');
  await eventually('the program to end', () => lines().includes('end'));
  assert.deepEqual(new Set(lines()), new Set(['True True True True True', 'end']));
});

test('a daemon that is killed leaves nobody waiting: the next one answers', async () => {
  const script = `for i in $(seq 1 150); do pgrep -fc '^sleep 54321$'; cat /proc/self/comm; ls /proc/${born[1]}/task; read up rest < /proc/uptime && echo up; done`;
  const printed = shell(script);
  for (let kills = 0; kills < 4; kills++) {
    const pid = daemonPid(cluster.description.cluster, 1);
    await run(['sleep', '0.2'], { node: 2 });
    process.kill(pid, 'SIGKILL');
    await eventually('the next daemon', () => daemonPid(cluster.description.cluster, 1) !== pid);
  }
  const lines = (await printed).trim().split('\n');
  assert.equal(lines.length, 4 * 150);
  for (const [n, line] of lines.entries()) assert.equal(line, ['4', 'cat', String(born[1]), 'up'][n % 4], `line ${n}`);
});

test('what was asked when a daemon was killed is answered by the next one', async () => {
  const { cluster: name } = cluster.description;
  const output = join(cluster.directory, 'asked');
  const program = `import os, time
while not os.path.exists("${output}.go"): time.sleep(0.005)
print(open("/proc/${born[1]}/stat").read(), flush=True)`;
  writeFileSync(`${output}.py`, program);
  const pid = await cluster.start(`python3 ${output}.py`, output);
  const asking = hostPidOn(cluster, 1, pid);
  const [own, other] = [daemonPid(name, 1), daemonPid(name, 2)];
  process.kill(other, 'SIGSTOP');
  try {
    writeFileSync(`${output}.go`, '');
    await eventually('the question', () => readFileSync(`/proc/${asking}/wchan`, 'utf8').includes('request_wait'));
    process.kill(own, 'SIGKILL');
  } finally {
    process.kill(other, 'SIGCONT');
  }
  await eventually('the answer', () => readFileSync(output, 'utf8').includes('\n'));
  assert.match(readFileSync(output, 'utf8'), new RegExp(`^${born[1]} \\(sleep\\) S `));
});

test('a node that hangs holds nobody up, and one that has died leaves no trace', async () => {
  const hanging = daemonPid(cluster.description.cluster, 3);
  process.kill(hanging, 'SIGSTOP');
  try {
    const shown = numbers(await shell('cd /proc && echo [0-9]*'));
    assert.ok(shown.includes(born[0] ?? 0) && shown.includes(born[1] ?? 0));
    assert.ok(!shown.includes(born[2] ?? 0));
    assert.match(await shell(`cat /proc/${born[2]}/stat 2>&1; true`), /No such|Input\/output error/);
  } finally {
    process.kill(hanging, 'SIGCONT');
  }
  killNode(cluster, 3);
  await becomes(cluster, 3, 'dead');
  for (const node of [1, 2]) {
    assert.deepEqual(numbers(await run(['pgrep', '-f', '^sleep 54321$'], { node })), born.slice(0, 2));
    assert.match(
      await shell(`cat /proc/${moved}/stat /proc/${born[2]}/stat 2>&1; ls -d /proc/nodes/node3 2>&1; cat /proc/nodes/nrnodes`, { node }),
      /^(.*No such file or directory\n){3}2\n$/,
    );
  }
});
