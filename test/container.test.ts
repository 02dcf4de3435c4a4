/** The container by itself: real namespaces, real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Container,
  containerCgroup,
  pidRangeOf,
  SPAWN_ADDRESS,
  TrappedCallSlots,
  type LaunchOptions,
  type ReapedProcess,
} from '../src/container/index.ts';
import { Program, syscall, trySyscall } from '../src/linux/index.ts';
import { letTrappedCallsGoOn } from './support/trapped-calls.ts';

const EAGAIN = 11;
const cluster = `container-${process.pid}`;
const root = { uid: 0, gid: 0, groups: [0] };
const nowhere: LaunchOptions['streams'] = { kind: 'descriptors', fds: [0, 1, 2] };
const clockOffsets = { monotonic: 5_000_000_000_000n, boottime: 7_000_000_000_000n };

async function until<T>(what: string, find: () => T | undefined | false): Promise<T> {
  for (const deadline = performance.now() + 60_000; ; await delay(2)) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
  }
}

/** Launches with what most tests do not care about filled in. @returns the pid */
async function launch(container: Container, command: readonly string[], options: Partial<LaunchOptions> = {}): Promise<number> {
  const { pid } = await container.launch({
    arguments: command,
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    credentials: root,
    umask: 0o22,
    streams: nowhere,
    cgroup: container.newApplication(),
    ...options,
  });
  return pid;
}

const endOf = (container: Container, pid: number, from = 0): Promise<ReapedProcess> =>
  until(`the end of ${pid}`, () => container.reaped.read(Math.max(from, container.reaped.acknowledged)).find((ended) => ended.pid === pid));

/** Runs a command to its end. @returns what it printed, and its end */
async function output(
  container: Container,
  command: readonly string[],
  options: Partial<LaunchOptions> = {},
): Promise<{ text: string; ended: ReapedProcess }> {
  const mark = container.reaped.next;
  const pipe = container.openPipe();
  const pid = await launch(container, command, { streams: { kind: 'descriptors', fds: [0, pipe.writeEnd, pipe.writeEnd] }, ...options });
  container.closeDescriptor(pipe.writeEnd);
  const ended = await endOf(container, pid, mark);
  const fd = container.takeDescriptor(pipe.readEnd);
  container.closeDescriptor(pipe.readEnd);
  const buffer = Buffer.alloc(65_536);
  let text = '';
  for (let length = syscall('read', fd, buffer, buffer.length); length > 0; length = syscall('read', fd, buffer, buffer.length))
    text += buffer.toString('utf8', 0, length);
  syscall('close', fd);
  return { text, ended };
}

const create = (node: number, range = pidRangeOf(node)): Promise<Container> =>
  Container.create({ cgroup: containerCgroup(cluster, node), hostName: `node${node}`, range, clockOffsets });

describe('a container', () => {
  let container: Container;
  before(async () => {
    container = await create(2);
  });
  after(async () => {
    await container.destroy();
    assert.deepEqual(leftovers(), []);
  });

  test('has namespaces, a host name and clocks of its own, and the network of the daemon', async () => {
    const { text } = await output(container, [
      'sh',
      '-c',
      'hostname; cat /proc/uptime; cat /proc/sys/kernel/pid_max; for n in pid mnt ipc uts time net; do readlink /proc/self/ns/$n; done',
    ]);
    const [hostName, uptime = '', pidMax, ...namespaces] = text.trim().split('\n');
    assert.equal(hostName, 'node2');
    assert.equal(pidMax, '196608');
    const own = ['pid', 'mnt', 'ipc', 'uts', 'time', 'net'].map((name) => readlinkSync(`/proc/self/ns/${name}`));
    assert.deepEqual(
      namespaces.map((name, n) => name === own[n]),
      [false, false, false, false, false, true],
    );
    const offsets = readFileSync('/proc/self/timens_offsets', 'utf8');
    assert.match(offsets, /boottime\s+0\s+0/, 'this test expects to run in the initial time namespace');
    const here = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    assert.ok(Math.abs(Number(uptime.split(' ')[0]) - here - 7000) < 60, uptime);
  });

  test('mounts nothing on the host and sees only its own processes', async () => {
    const { text } = await output(container, [
      'sh',
      '-c',
      'ls /proc | grep -c "^[0-9]"; ls /dev/pts; grep -c " - devpts " /proc/self/mountinfo',
    ]);
    const [processes] = text.split('\n');
    assert.ok(Number(processes) <= 5, text);
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /newinstance|ptmxmode=666/);
  });

  test('starts programs with what was asked for', async () => {
    const command = [
      'sh',
      '-c',
      'pwd; umask; id -u; id -g; id -G; echo $A; ulimit -n; ls /proc/self/fd | wc -l; ps -o pid=,pgid=,sid= -p $$; grep -c 0000000000000000 /proc/self/status',
    ];
    const { text, ended } = await output(container, command, {
      workingDirectory: '/tmp',
      umask: 0o27,
      credentials: { uid: 65_534, gid: 65_534, groups: [65_534, 4] },
      environment: { PATH: '/usr/bin:/bin', A: 'b c' },
    });
    const [directory, umask, uid, gid, groups, variable, descriptors, open, ids = ''] = text.split('\n').map((line) => line.trim());
    assert.deepEqual(
      [directory, umask, uid, gid, groups, variable, descriptors],
      ['/tmp', '0027', '65534', '65534', '65534 4', 'b c', '1024'],
    );
    assert.equal(open, '4');
    assert.equal(new Set(ids.split(/\s+/)).size, 1, 'the process leads its group and session');
    assert.deepEqual(ended.ending, { kind: 'exited', status: 0 });
  });

  test('says why a program was not started, and reaps what came of it', async () => {
    await assert.rejects(launch(container, ['there-is-no-such-program']), { code: 'KRG_COMMAND_NOT_FOUND' });
    await assert.rejects(launch(container, ['/etc/passwd']), { code: 'KRG_COMMAND_NOT_EXECUTABLE', message: /EACCES/ });
    await assert.rejects(launch(container, ['true'], { workingDirectory: '/nowhere' }), { code: 'KRG_BAD_REQUEST', message: /ENOENT/ });
    await assert.rejects(launch(container, ['true'], { cgroup: container.cgroup.child('nowhere') }), { code: 'ENOENT' });
    await assert.rejects(launch(container, ['true', 'x'.repeat(200_000)]), { code: 'KRG_COMMAND_NOT_EXECUTABLE', message: /E2BIG/ });
    await until('no zombies', () => !readdirSync(container.procfsPath).some((name) => Number(name) >= container.range.low));
  });

  test('tells the end of every child, with its signal and its use of the processor', async () => {
    const mark = container.reaped.next;
    const killed = await launch(container, ['sh', '-c', 'kill -TERM $$']);
    assert.deepEqual((await endOf(container, killed, mark)).ending, { kind: 'killed', signal: 15, coreDumped: false });
    const busy = await launch(container, ['sh', '-c', 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7']);
    const ended = await endOf(container, busy, mark);
    assert.deepEqual(ended.ending, { kind: 'exited', status: 7 });
    assert.ok(ended.usage.userMicroseconds > 1000 && ended.usage.peakKilobytes > 100, JSON.stringify(ended.usage));
  });

  test('adopts and reaps orphans', async () => {
    const mark = container.reaped.next;
    const { text } = await output(container, ['sh', '-c', '(sh -c "echo \\$\\$; exec sleep 0.2" &) ; exit 0']);
    await endOf(container, Number(text), mark);
  });

  test('gives a terminal with job control', async () => {
    // The calls that a shell's job control makes are always trapped.
    using cleanup = new DisposableStack();
    cleanup.use(letTrappedCallsGoOn(container));
    const terminal = container.openTerminal({ uid: 65_534 }, { columns: 91, rows: 17 });
    const mark = container.reaped.next;
    const pid = await launch(container, ['bash', '--norc', '-i'], {
      streams: { kind: 'terminal', number: terminal.number },
      environment: { PATH: '/usr/bin:/bin', PS1: '', TERM: 'dumb' },
      credentials: { uid: 65_534, gid: 65_534, groups: [65_534] },
    });
    const master = container.takeDescriptor(terminal.master);
    let seen = '';
    const read = (): string => {
      const buffer = Buffer.alloc(4096);
      const length = trySyscall('read', master, buffer, buffer.length);
      if (length > 0) seen += buffer.toString('utf8', 0, length);
      else assert.ok(length === -EAGAIN || length === -5, String(length));
      return seen;
    };
    const type = (text: string): void => void syscall('write', master, Buffer.from(text), text.length);
    type('tty; stty size\n');
    await until('the size', () => read().includes(`/dev/pts/${terminal.number}`) && read().includes('17 91'));
    type('sleep 1000\n');
    await until('the job', () => container.procfsPath !== '' && processNames(container).includes('sleep'));
    type('\u001a');
    await until('the stop', () => read().includes('Stopped'));
    type('fg\n');
    await until('the job in the foreground again', () => read().split('sleep 1000').length > 3);
    // bash says what it brings to the foreground before it does so: until then ^C is for itself.
    const job = Number(readdirSync(container.procfsPath).find((name) => nameOf(container, name) === 'sleep'));
    const foreground = (): number => Number(readFileSync(`${container.procfsPath}/${job}/stat`, 'utf8').split(') ')[1]?.split(' ')[5]);
    await until('the job to have the terminal', () => foreground() === job);
    type('\u0003');
    await until('the end of the job', () => !processNames(container).includes('sleep'));
    type('exit 6\n');
    assert.deepEqual((await endOf(container, pid, mark)).ending, { kind: 'exited', status: 6 });
    syscall('close', master);
    container.closeDescriptor(terminal.master);
  });

  test('runs programs in pid 1, and names the call that failed', () => {
    const { lane } = container;
    assert.equal(lane.call('getpid'), 1);
    assert.throws(() => lane.call('open', '/nowhere', 0), { code: 'ENOENT', message: /open/ });
    const program = lane.newProgram({ records: 4, data: 64 });
    program.call('getpid');
    program.call('close', 999);
    const never = program.call('getppid');
    assert.throws(() => lane.run(program), { code: 'EBADF', syscall: 'close' });
    assert.equal(program.result(0), 1);
    assert.equal(program.result(never), 0);
    const crash = lane.newProgram({ records: 1, data: 0 });
    crash.operation('store', 0, 1);
    assert.throws(() => lane.run(crash), { code: 'KRG_INTERNAL' });
    assert.equal(lane.call('getpid'), 1);
  });

  test('makes processes that are programs', async () => {
    const program = new Program(SPAWN_ADDRESS, { records: 4, data: 64 });
    program.call('getpid');
    program.tryCall('exit_group', 33);
    const mark = container.reaped.next;
    const pid = container.range.low + 5000;
    const spawned = await container.spawn({ cgroup: container.newApplication(), pid, memory: 8192, program });
    assert.equal(spawned.pid, pid);
    assert.deepEqual((await endOf(container, pid, mark)).ending, { kind: 'exited', status: 33 });
    await assert.rejects(container.spawn({ cgroup: container.newApplication(), pid: 1, memory: 4096, program }), { code: 'EEXIST' });
  });

  test('a process that is killed before it has begun is told, and the next ones are made', async () => {
    const program = new Program(SPAWN_ADDRESS, { records: 4, data: 64 });
    program.tryCall('exit_group', 34);
    const cgroup = container.newApplication();
    cgroup.create();
    cgroup.freeze();
    const spawned = container.spawn({ cgroup, memory: 8192, program });
    await until('its birth', () => cgroup.processes().length > 0);
    cgroup.kill();
    await assert.rejects(spawned, { code: 'KRG_PROCESS_BUSY' });
    const mark = container.reaped.next;
    const { pid } = await container.spawn({ cgroup: container.newApplication(), memory: 8192, program });
    assert.deepEqual((await endOf(container, pid, mark)).ending, { kind: 'exited', status: 34 });
  });

  test('translates pids', async () => {
    const { pid, hostPid } = await container.launch({
      arguments: ['sleep', '1000'],
      environment: { PATH: '/usr/bin:/bin' },
      workingDirectory: '/',
      credentials: root,
      umask: 0,
      streams: nowhere,
      cgroup: container.newApplication(),
    });
    assert.equal(container.hostPidOf(pid), hostPid);
    assert.equal(container.containerPidOf(hostPid), pid);
    assert.equal(container.containerPidOf(process.pid), undefined);
    assert.equal(container.hostPidOf(container.range.high - 1), undefined);
    process.kill(hostPid, 'SIGKILL');
    await until('the end', () => container.hostPidOf(pid) === undefined);
  });

  test('removes the cgroups of applications that have ended, and no others', async () => {
    const waiting = container.newApplication();
    const running = container.newApplication();
    const pid = await launch(container, ['sleep', '1000'], { cgroup: running });
    const ended = container.newApplication();
    await endOf(container, await launch(container, ['true'], { cgroup: ended }));
    await until('the removal', () => {
      container.removeEndedApplications();
      return !ended.exists;
    });
    assert.ok(waiting.exists && running.exists);
    running.kill();
    await endOf(container, pid);
  });

  test('is held by one daemon at a time', async () => {
    await assert.rejects(Container.adopt(container.cgroup), { code: 'KRG_INTERNAL', message: /another daemon/ });
    await assert.rejects(create(2), { code: 'KRG_INTERNAL' });
  });
});

test('pids stay in the range of the node, however many are made', async () => {
  const range = { low: 65_536, high: 65_536 + 16_384 };
  await using cleanup = new AsyncDisposableStack();
  const container = await create(1, range);
  cleanup.defer(() => container.destroy());
  const storm =
    'import os\nfor n in range(12000):\n p=os.fork()\n if p==0: os._exit(0)\n os.waitpid(p,0)\n if not 65536<=p<81920: print(p)';
  const results = await Promise.all([output(container, ['python3', '-c', storm]), output(container, ['python3', '-c', storm])]);
  for (const { text, ended } of results) {
    assert.equal(text, '');
    assert.deepEqual(ended.ending, { kind: 'exited', status: 0 });
  }
  assert.ok(container.keeperResets > 0);
});

test('no end is lost while nobody reads: the dead wait until there is room', async () => {
  await using cleanup = new AsyncDisposableStack();
  const container = await create(3);
  cleanup.defer(() => container.destroy());
  const orphans = 5000;
  const storm = `import os\nfor n in range(${orphans}):\n if os.fork()==0: os._exit(n%200)`;
  await launch(container, ['python3', '-c', storm]);
  const seen = new Map<number, number>();
  while (seen.size < orphans + 1) {
    const ended = container.reaped.read();
    for (const { pid, ending, sequence } of ended) {
      assert.ok(!seen.has(pid), `${pid} ended twice`);
      assert.ok(ending.kind === 'exited');
      seen.set(pid, ending.status);
      container.reaped.acknowledge(sequence + 1);
    }
    await delay(5);
  }
  const statuses = Array.from({ length: 200 }, (_, status) => [...seen.values()].filter((value) => value === status).length);
  assert.ok(statuses.every((count, status) => count >= orphans / 200 - (status === 0 ? 1 : 0)));
});

test('a daemon that dies with a trapped call in flight: the next one answers, and nobody notices', async () => {
  const name = `${cluster}-dying`;
  const daemon = spawn(process.execPath, [join(import.meta.dirname, 'support', 'dying-daemon.ts'), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(daemon.stdout, 'data')) as [Buffer];
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  const container = await Container.adopt(containerCgroup(name, 1));
  assert.ok(container);
  try {
    const slots = TrappedCallSlots.open(container.initPid, container.takeEvents().trappedCalls);
    const [first, ...others] = slots.inherited();
    assert.ok(first);
    assert.deepEqual([others.length, first.args[0], first.thread], [0, 131_072n, container.hostPidOf(Number(line.toString()))]);
    assert.ok(slots.answer(first, { kind: 'value', value: 0n }));
    const second = await until('the next call', () => slots.receive());
    assert.equal(second.args[0], 131_073n);
    assert.ok(slots.answer(second, { kind: 'error', errno: 3 }));
    assert.deepEqual((await endOf(container, Number(line.toString()))).ending, { kind: 'exited', status: 1 });
    slots.close();
  } finally {
    await container.destroy();
  }
  assert.deepEqual(leftovers(), []);
});

/** The command name of an entry of the container's /proc; undefined when it is no process, or has ended. */
function nameOf(container: Container, entry: string): string | undefined {
  if (!/^\d+$/.test(entry)) return undefined;
  try {
    return readFileSync(`${container.procfsPath}/${entry}/comm`, 'utf8').trim();
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return undefined;
  }
}

const processNames = (container: Container): (string | undefined)[] =>
  readdirSync(container.procfsPath).map((entry) => nameOf(container, entry));

/** What containers of this test have left on the machine: cgroups, mounts. Their processes would keep the cgroups. */
function leftovers(): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const group = containerCgroup(cluster, 2);
  return [...mounts.filter((line) => line.includes(cluster)), ...(group.exists ? [group.path] : [])];
}
