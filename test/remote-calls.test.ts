/** System calls that name processes, groups and users of other nodes: results, effects and errors are those of one machine, for every user. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonPid } from '../src/node/index.ts';
import { type AttachedProgram, eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('remote-calls');
});
after(() => cluster[Symbol.asyncDispose]());

/** Evaluates lines of Python, and answers each with what it gives or with the name of its errno. */
const CALLER = `
import os, sys, time, signal, select, resource, ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def syscall(*args):
    result = libc.syscall(*[ctypes.c_long(each) if isinstance(each, int) else each for each in args])
    if result < 0: raise OSError(ctypes.get_errno(), "")
    return result
kept = {}
for line in sys.stdin:
    try: answer = repr(eval(line))
    except OSError as error: answer = errno.errorcode[error.errno]
    print(answer, flush=True)
`;

/** Tells of every signal that it gets; ends with SIGTERM. */
const TARGET = `
import os, signal
wanted = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("ready", flush=True)
while True:
    got = signal.sigwaitinfo(wanted)
    print(got.si_signo, got.si_code, got.si_pid, got.si_uid, flush=True)
    if got.si_signo == signal.SIGTERM: break
`;

const USER = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];
const [SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN] = [10, 12, 15, 34];
/** sigwaitinfo(3) says the former of tgkill(2), too. */
const [SI_USER, SI_QUEUE] = [0, -1];
/** In the range of node 2, and nobody has it. */
const NOBODY = 2 * 65_536 + 60_000;

class Caller implements AsyncDisposable {
  readonly program: AttachedProgram;
  private readonly answers: AsyncIterator<string>;

  private constructor(program: AttachedProgram) {
    this.program = program;
    this.answers = createInterface(program.stdout)[Symbol.asyncIterator]();
  }

  static async start(as: readonly string[] = []): Promise<Caller> {
    return new Caller(await cluster.attach([...as, 'python3', '-c', CALLER]));
  }

  get pid(): number {
    return this.program.pid;
  }

  async says(expression: string): Promise<string> {
    this.program.stdin.write(`${expression}\n`);
    const { value } = (await this.answers.next()) as { value?: string };
    return value ?? 'it has ended';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.program.stdin.end();
    await this.program.exited;
  }
}

let targets = 0;

interface Target {
  readonly pid: number;
  readonly lines: () => string[];
  readonly hears: (signal: number, code: number, pid: number, uid: number) => Promise<unknown>;
}

/** @param as words before the command */
async function startTarget(node: number, as: readonly string[] = []): Promise<Target> {
  const output = join(cluster.directory, `target-${targets++}.out`);
  const words = [...as, 'python3', '-c', `'${TARGET}'`].join(' ');
  const pid = await cluster.start(words, output, {}, node);
  const lines = (): string[] => readFileSync(output, 'utf8').split('\n').filter(Boolean);
  await eventually('the target', () => lines().includes('ready'));
  const hears = (signal: number, code: number, from: number, uid: number): Promise<unknown> =>
    eventually(`signal ${signal} of ${from}, among ${lines().join('; ')}`, () => lines().includes(`${signal} ${code} ${from} ${uid}`));
  return { pid, lines, hears };
}

const end = async (...those: readonly Target[]): Promise<void> => {
  for (const { pid } of those) await cluster.client.kill(pid, 9);
};

test('signals reach a process without relatives here, with who has sent them', async () => {
  await using caller = await Caller.start();
  const target = await startTarget(2);
  const { pid } = target;
  assert.equal(await caller.says(`os.kill(${pid}, 0)`), 'None');
  assert.equal(await caller.says(`os.kill(${pid}, ${SIGUSR1})`), 'None');
  await target.hears(SIGUSR1, SI_USER, caller.pid, 0);
  assert.equal(await caller.says(`syscall(234, ${pid}, ${pid}, ${SIGUSR2})`), '0');
  await target.hears(SIGUSR2, SI_USER, caller.pid, 0);
  assert.equal(await caller.says(`libc.sigqueue(${pid}, ${SIGRTMIN}, ctypes.c_void_p(7))`), '0');
  await target.hears(SIGRTMIN, SI_QUEUE, caller.pid, 0);
  assert.equal(await caller.says(`os.kill(${pid}, 65)`), 'EINVAL');
  assert.equal(await caller.says(`os.kill(${NOBODY}, 0)`), 'ESRCH');
  assert.equal(await caller.says(`syscall(234, ${NOBODY}, ${NOBODY}, 0)`), 'ESRCH');
  assert.equal(await caller.says(`os.kill(${pid}, ${SIGTERM})`), 'None');
  await target.hears(SIGTERM, SI_USER, caller.pid, 0);
  await eventually('its end', async () => (await caller.says(`os.kill(${pid}, 0)`)) === 'ESRCH');
});

test('scheduling, priorities and limits are asked of and set for the process, wherever it is', async () => {
  await using caller = await Caller.start();
  const stranger = await startTarget(3);
  const born = await startTarget(1);
  await cluster.move(born.pid, 2);
  for (const { pid } of [stranger, born]) {
    assert.equal(await caller.says(`(os.getpgid(${pid}), os.getsid(${pid}))`), `(${pid}, ${pid})`);
    assert.equal(await caller.says(`os.setpriority(os.PRIO_PROCESS, ${pid}, 7)`), 'None');
    assert.equal(await caller.says(`os.getpriority(os.PRIO_PROCESS, ${pid})`), '7');
    assert.equal(await caller.says(`os.sched_setscheduler(${pid}, os.SCHED_BATCH, os.sched_param(0))`), 'None');
    assert.equal(await caller.says(`os.sched_getscheduler(${pid}) == os.SCHED_BATCH`), 'True');
    assert.equal(await caller.says(`os.sched_getparam(${pid}).sched_priority`), '0');
    assert.equal(await caller.says(`os.sched_setaffinity(${pid}, {0})`), 'None');
    assert.equal(await caller.says(`os.sched_getaffinity(${pid})`), '{0}');
    assert.equal(await caller.says(`resource.prlimit(${pid}, resource.RLIMIT_NOFILE, (100, 200)) is not None`), 'True');
    assert.equal(await caller.says(`resource.prlimit(${pid}, resource.RLIMIT_NOFILE)`), '(100, 200)');
    const [listed] = (await cluster.client.processes()).filter((process) => process.pid === pid && process.kind === 'process');
    assert.ok(listed !== undefined && listed.node !== 'node1');
  }
  assert.equal(await caller.says(`os.getpriority(os.PRIO_PROCESS, ${NOBODY})`), 'ESRCH');
  assert.equal(await caller.says(`os.sched_setscheduler(${stranger.pid}, 77, os.sched_param(0))`), 'EINVAL');
  assert.equal(await caller.says(`resource.prlimit(${NOBODY}, resource.RLIMIT_NOFILE)`), 'ESRCH');
  assert.equal(await caller.says(`syscall(302, ${stranger.pid}, 7, ctypes.c_void_p(8), 0)`), 'EFAULT');
  // Home again, it is as it was set elsewhere.
  await cluster.move(born.pid, 1);
  assert.equal(await caller.says(`(os.getpriority(os.PRIO_PROCESS, ${born.pid}), os.sched_getaffinity(${born.pid}))`), '(7, {0})');
  await end(stranger, born);
});

test('another user may what he may on one machine', async () => {
  await using user = await Caller.start(USER);
  const [roots, own] = [await startTarget(2), await startTarget(3, USER)];
  const forbidden = [
    `os.kill(${roots.pid}, 0)`,
    `os.kill(${roots.pid}, ${SIGTERM})`,
    `syscall(234, ${roots.pid}, ${roots.pid}, ${SIGTERM})`,
    `libc.sigqueue(${roots.pid}, ${SIGTERM}, None) or 1 / 0`,
    `os.setpriority(os.PRIO_PROCESS, ${roots.pid}, 1)`,
    `os.sched_setaffinity(${roots.pid}, {0})`,
    `resource.prlimit(${roots.pid}, resource.RLIMIT_NOFILE, (10, 10))`,
  ];
  for (const expression of forbidden) {
    const answer = await user.says(
      expression.includes('sigqueue') ? `(libc.sigqueue(${roots.pid}, ${SIGTERM}, None), ctypes.get_errno())` : expression,
    );
    assert.match(answer, /^(EPERM|\(-1, 1\))$/, expression);
  }
  assert.equal(await user.says(`os.getpriority(os.PRIO_PROCESS, ${roots.pid})`), '0');
  assert.equal(await user.says(`os.setpriority(os.PRIO_PROCESS, ${own.pid}, 3)`), 'None');
  assert.equal(await user.says(`os.setpriority(os.PRIO_PROCESS, ${own.pid}, 2)`), 'EACCES');
  assert.equal(await user.says(`os.kill(${own.pid}, ${SIGUSR1})`), 'None');
  await own.hears(SIGUSR1, SI_USER, user.pid, 1000);
  assert.deepEqual(roots.lines(), ['ready']);
  // Pid 1 has its own rights again.
  await using caller = await Caller.start();
  assert.equal(await caller.says(`os.setpriority(os.PRIO_PROCESS, ${own.pid}, -3)`), 'None');
  await end(roots, own);
});

test('memory of a process elsewhere is read and written by who may', async () => {
  const [caller, user] = [await Caller.start(), await Caller.start(USER)];
  const target = await cluster.client.run({
    arguments: ['python3', '-c', CALLER],
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    umask: 0o22,
    node: 'node2',
  });
  const { pid } = await target.started;
  const answers = createInterface(target.stdout)[Symbol.asyncIterator]();
  const there = async (expression: string): Promise<string> => {
    target.stdin.write(`${expression}\n`);
    return ((await answers.next()) as { value?: string }).value ?? '';
  };
  const address = Number(await there('kept.update(area=ctypes.create_string_buffer(b"x" * 300000)) or ctypes.addressof(kept["area"])'));
  for (const each of [caller, user]) await each.says('kept.update(area=ctypes.create_string_buffer(b"y" * 300000))');
  const transfer = (number: number, at: number, length: number): string =>
    `syscall(${number}, ${pid}, (ctypes.c_size_t * 4)(ctypes.addressof(kept["area"]), 10, ctypes.addressof(kept["area"]) + 20, ${length} - 10), 2, (ctypes.c_size_t * 2)(${at}, ${length}), 1, 0)`;
  assert.equal(await caller.says(transfer(310, address, 200_000)), '200000');
  assert.equal(await caller.says('kept["area"].raw[:21] + kept["area"].raw[200009:200011]'), "b'xxxxxxxxxxyyyyyyyyyyxxy'");
  assert.equal(await caller.says(transfer(311, address, 100)), '100');
  assert.equal(await there('kept["area"].raw[98:102]'), "b'xxxx'");
  assert.equal(await caller.says(`kept["area"].__setitem__(0, b"z") or ${transfer(311, address, 100)}`), '100');
  assert.equal(await there('kept["area"].raw[:2]'), "b'zx'");
  assert.equal(await caller.says(transfer(310, 4096, 10)), 'EFAULT');
  assert.equal(await user.says(transfer(310, address, 10)), 'EPERM');
  assert.equal(await user.says(transfer(311, address, 10)), 'EPERM');
  target.stdin.end();
  await target.exited;
  assert.equal(await caller.says(transfer(310, address, 10)), 'ESRCH');
  await Promise.all([caller[Symbol.asyncDispose](), user[Symbol.asyncDispose]()]);
});

test('groups and users are those of all nodes', async () => {
  await using caller = await Caller.start(USER);
  const those = await Promise.all([1, 2, 3].map((node) => startTarget(node, USER)));
  const [roots, second] = [await startTarget(2), those[1]];
  assert.ok(second);
  assert.equal(await caller.says(`os.killpg(${second.pid}, ${SIGUSR1})`), 'None');
  await second.hears(SIGUSR1, SI_USER, caller.pid, 1000);
  assert.equal(await caller.says(`os.killpg(${roots.pid}, ${SIGUSR1})`), 'EPERM');
  assert.equal(await caller.says(`os.killpg(${NOBODY}, ${SIGUSR1})`), 'ESRCH');
  assert.equal(await caller.says(`os.setpriority(os.PRIO_PGRP, ${second.pid}, 4)`), 'None');
  assert.equal(await caller.says(`os.getpriority(os.PRIO_PGRP, ${second.pid})`), '4');
  assert.equal(await caller.says(`os.kill(-1, ${SIGUSR2})`), 'None');
  for (const target of those) await target.hears(SIGUSR2, SI_USER, caller.pid, 1000);
  assert.equal(await caller.says(`os.setpriority(os.PRIO_USER, 1000, 9)`), 'None');
  for (const { pid } of those) assert.equal(await caller.says(`os.getpriority(os.PRIO_PROCESS, ${pid})`), '9');
  assert.equal(await caller.says(`os.getpriority(os.PRIO_PROCESS, ${roots.pid})`), '0');
  for (const { lines } of those) assert.equal(lines().filter((line) => line.startsWith(`${SIGUSR2} `)).length, 1);
  assert.deepEqual(roots.lines(), ['ready']);
  await end(roots, ...those);
});

describe('a pidfd of a process elsewhere', () => {
  const isReadable = `bool(select.select([kept["fd"]], [], [], 0)[0])`;

  test('takes signals, and is readable at its end', async () => {
    await using caller = await Caller.start();
    const target = await startTarget(3);
    assert.equal(await caller.says(`kept.update(fd=os.pidfd_open(${target.pid}))`), 'None');
    assert.equal(await caller.says(isReadable), 'False');
    assert.equal(await caller.says(`signal.pidfd_send_signal(kept["fd"], ${SIGUSR1})`), 'None');
    await target.hears(SIGUSR1, SI_USER, caller.pid, 0);
    await cluster.move(target.pid, 2);
    // Whatever is tidied up by other moves: it stays.
    const other = await startTarget(1);
    for (const node of [3, 1]) await cluster.move(other.pid, node);
    assert.equal(await caller.says(isReadable), 'False');
    assert.equal(await caller.says(`signal.pidfd_send_signal(kept["fd"], ${SIGTERM})`), 'None');
    await eventually('the end of the target', async () => (await caller.says(isReadable)) === 'True');
    await end(other);
  });

  test('may be the directory of the process in /proc', async () => {
    await using caller = await Caller.start();
    const [target, born] = [await startTarget(2), await startTarget(1)];
    await cluster.move(born.pid, 3);
    for (const { pid, hears } of [target, born]) {
      assert.equal(await caller.says(`kept.update(fd=os.open("/proc/${pid}", os.O_DIRECTORY))`), 'None');
      assert.equal(await caller.says(`signal.pidfd_send_signal(kept["fd"], ${SIGUSR1})`), 'None');
      await hears(SIGUSR1, SI_USER, caller.pid, 0);
    }
    await end(target, born);
    await eventually('its end', async () => (await caller.says(`signal.pidfd_send_signal(kept["fd"], 0)`)) === 'ESRCH');
    assert.equal(await caller.says(`signal.pidfd_send_signal(0, ${SIGUSR1})`), 'EBADF');
  });

  test('is not to be had of nobody', async () => {
    await using caller = await Caller.start();
    assert.equal(await caller.says(`os.pidfd_open(${NOBODY})`), 'ESRCH');
  });
});

test('a tracer is told where the process is', async () => {
  await using caller = await Caller.start();
  const complaints = createInterface(caller.program.stderr)[Symbol.asyncIterator]();
  const target = await startTarget(2);
  const born = await startTarget(1);
  await cluster.move(born.pid, 3);
  for (const [pid, node] of [
    [target.pid, 2],
    [born.pid, 3],
  ]) {
    assert.equal(await caller.says(`syscall(101, 0x4206, ${pid}, 0, 0)`), 'EREMOTE');
    const { value } = (await complaints.next()) as { value?: string };
    assert.match(value ?? '', new RegExp(`process ${pid} runs on node ${node};`));
  }
  assert.equal(await caller.says(`syscall(101, 0x4206, ${NOBODY}, 0, 0)`), 'ESRCH');
  await end(target, born);
});

test('daemons that are killed meanwhile are waited for', async () => {
  await using caller = await Caller.start();
  const target = await startTarget(2);
  const { pid } = target;
  const isLate = `time.time() > kept["end"]`;
  const calls = `os.kill(${pid}, 0) is None and os.getpriority(os.PRIO_PROCESS, ${pid}) == 0 and os.sched_getscheduler(${pid}) == 0`;
  const saying = caller.says(`(kept.update(end=time.time() + 8), all(${calls} for _ in iter(lambda: ${isLate}, True)))[1]`);
  for (const node of [2, 1]) {
    await delay(1500);
    process.kill(daemonPid(cluster.description.cluster, node), 'SIGKILL');
  }
  assert.equal(await saying, 'True');
  assert.deepEqual(target.lines(), ['ready']);
  await end(target);
});

test('programs with a filter of their own, and those that change their user, do the same', async () => {
  const target = await startTarget(3);
  // A filter that answers getppid with EPERM (classic BPF: load the number, compare, return).
  const filter = ['2000000000000000', '150000016e000000', '0600000001000500', '060000000000ff7f'].join('');
  await using caller = await Caller.start();
  assert.equal(await caller.says(`kept.update(code=ctypes.create_string_buffer(bytes.fromhex("${filter}")))`), 'None');
  assert.equal(await caller.says(`kept.update(program=(ctypes.c_size_t * 2)(4, ctypes.addressof(kept["code"])))`), 'None');
  assert.equal(await caller.says('libc.prctl(38, 1, 0, 0, 0)'), '0');
  assert.equal(await caller.says('syscall(317, 1, 0, kept["program"])'), '0');
  assert.equal(await caller.says('os.getppid()'), '-1');
  assert.equal(await caller.says(`os.kill(${target.pid}, ${SIGUSR1})`), 'None');
  await target.hears(SIGUSR1, SI_USER, caller.pid, 0);
  const file = join(cluster.directory, 'as-root');
  copyFileSync('/usr/bin/id', file);
  chmodSync(file, 0o4755);
  const asRoot = await cluster.attach([...USER, file]);
  assert.match(await text(asRoot.stdout), /uid=1000.* euid=0/);
  await end(target);
});
