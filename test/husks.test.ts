/** Husks by themselves: made, given their places in a family, told signals, ended; in one container, traced by this thread. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Container, containerCgroup, pidRangeOf, sendDescriptors } from '../src/container/index.ts';
import { converse, messageWithDescriptors, readProcessFile, syscall, trySyscall } from '../src/linux/index.ts';
import {
  becomeTemplate,
  ContainerTable,
  HuskFamily,
  HuskMonitor,
  huskCgroup,
  holdHusk,
  isHusk,
  kindOfHusk,
  type Member,
  type MonitorEvent,
  planHusks,
  RecordReader,
  resumeHusk,
  type SignalRecord,
  spawnTemplate,
} from '../src/proc/index.ts';

const SIGUSR1 = 10;
const SIGCHLD = 17;
const SI_USER = 0;
let container: Container;
let table: ContainerTable;
let template: number;
let records: number;

before(async () => {
  container = await Container.create({
    cgroup: containerCgroup(`test-husks-${process.pid}`, 1),
    hostName: 'node1',
    range: pidRangeOf(1),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
  table = new ContainerTable(container.procfsPath);
  const pipe = container.openPipe();
  records = container.takeDescriptor(pipe.readEnd);
  const sendRecordPipe = (pid: number, socket: number): void =>
    converse(container.lane, sendDescriptors(pid, socket, [messageWithDescriptors([pipe.writeEnd])]));
  const spawned = await spawnTemplate(container);
  template = spawned.pid;
  becomeTemplate(spawned.hostPid, { pid: template, sendRecordPipe });
});

after(async () => {
  syscall('close', records);
  await container.destroy();
});

const hostPid = (pid: number): number => container.hostPidOf(pid) ?? assert.fail(`process ${pid} is not there`);
const isHuskHere = (pid: number): boolean => isHusk(hostPid(pid));

function here(): Member[] {
  return table.all().filter(({ pid }) => pid === template || pid >= 200_000 || isHuskHere(pid));
}

function readRecords(): SignalRecord[] {
  const buffer = new Uint8Array(144 * 100);
  const length = syscall('read', records, buffer, buffer.length);
  return new RecordReader().push(buffer.subarray(0, length));
}

function make(wanted: readonly Member[]): HuskFamily {
  const family = new HuskFamily({
    hostPidOf: (pid) => container.hostPidOf(pid),
    appearanceOf: (pid) => ({
      command: `relative-${pid % 100}`,
      commandLine: Buffer.from(`relative\0${pid}\0`),
      users: [1000, 1001],
      exitSignal: SIGCHLD,
    }),
  });
  const foreignPids = container.foreignPids.admit();
  try {
    family.execute(planHusks({ wanted, here: here(), isHusk: isHuskHere, template }));
  } finally {
    foreignPids[Symbol.dispose]();
  }
  return family;
}

/** Children of init are collected by pid 1, in its own time. */
async function untilGone(pids: readonly number[]): Promise<void> {
  for (let turn = 0; pids.some((pid) => table.find(pid) !== undefined); turn++) {
    assert.ok(turn < 1000);
    await delay(2);
  }
}

const LEADER = 200_000;
const SHELL_FAMILY: Member[] = [
  { pid: LEADER, parent: 1, group: LEADER, session: LEADER },
  { pid: LEADER + 1, parent: LEADER, group: LEADER + 1, session: LEADER },
  { pid: LEADER + 2, parent: LEADER, group: LEADER + 1, session: LEADER },
  // its leader has ended
  { pid: LEADER + 3, parent: LEADER, group: LEADER + 90, session: LEADER },
  // an orphan of the session, and one of a session whose leader has ended
  { pid: LEADER + 4, parent: 1, group: LEADER + 1, session: LEADER },
  { pid: LEADER + 5, parent: 1, group: LEADER + 91, session: LEADER + 91 },
  // born before its parent led a session
  { pid: LEADER + 6, parent: LEADER + 2, group: LEADER + 6, session: LEADER + 6 },
  { pid: LEADER + 7, parent: LEADER + 6, group: LEADER + 1, session: LEADER },
  // ended
  { pid: LEADER + 8, parent: LEADER + 1, group: LEADER + 1, session: LEADER, ended: 5 << 8 },
  { pid: LEADER + 9, parent: LEADER + 1, group: LEADER + 1, session: LEADER, ended: 15 },
  { pid: LEADER + 10, parent: LEADER + 1, group: LEADER + 1, session: LEADER, ended: 9 },
];

describe('husks', () => {
  test('the template is two pages that wait', () => {
    const status = readProcessFile(hostPid(template), 'status') ?? '';
    assert.match(status, /^Threads:\t1$/m);
    assert.match(status, /^VmSize:\t +8 kB$/m);
    assert.match(status, /^Name:\thusk$/m);
    assert.deepEqual({ ...table.find(template) }, { pid: template, parent: 1, group: 1, session: 1 });
  });

  test('a family is made exactly, and goes without a trace', async () => {
    const atFirst = table.all().map(({ pid }) => pid);
    make(SHELL_FAMILY).finish();
    for (const member of SHELL_FAMILY) assert.deepEqual({ ...table.find(member.pid) }, member);
    const relative = hostPid(LEADER + 2);
    assert.equal(kindOfHusk(relative, LEADER + 2), 'husk');
    assert.equal(kindOfHusk(hostPid(template), template), 'template');
    assert.equal(readProcessFile(relative, 'cmdline'), `relative\0${LEADER + 2}\0`);
    assert.equal(readProcessFile(relative, 'comm'), `relative-2\n`);
    assert.match(readProcessFile(relative, 'status') ?? '', /^Uid:\t1000\t0\t1001\t0$/m);
    assert.match(readProcessFile(relative, 'status') ?? '', /^TracerPid:\t0$/m);
    const living = SHELL_FAMILY.filter(({ ended }) => ended === undefined).map(({ pid }) => pid);
    const reported: MonitorEvent[] = [];
    const group = huskCgroup(container);
    const monitor = new HuskMonitor({
      table,
      group,
      hostPidOf: (pid) => container.hostPidOf(pid),
      report: (event) => reported.push(event),
    });
    for (const pid of living) monitor.adopt(pid);
    // One that another thread is about to make a process is let go of, whatever is asked of it meanwhile.
    monitor.release([LEADER]);
    monitor.deathSignal(LEADER);
    assert.match(readProcessFile(hostPid(LEADER), 'status') ?? '', /^TracerPid:\t0$/m);
    monitor.adopt(LEADER);
    const gone = monitor.tidy({ husks: living, kept: [], proxies: [] });
    assert.deepEqual(new Set(gone), new Set(living));
    assert.deepEqual(reported, []);
    monitor[Symbol.dispose]();
    await untilGone(gone);
    assert.deepEqual(
      table.all().map(({ pid }) => pid),
      atFirst,
    );
    assert.ok(readRecords().every(({ information }) => new DataView(information.buffer).getInt32(0, true) === SIGCHLD));
  });

  test('signals are recorded with their siginfo, in order, none lost while the husk is held', () => {
    const wanted = SHELL_FAMILY.slice(0, 2);
    make(wanted).finish();
    const target = hostPid(LEADER + 1);
    const send = (value: number): void => {
      const information = new Uint8Array(128);
      const view = new DataView(information.buffer);
      view.setInt32(0, 40, true);
      view.setInt32(8, -1, true);
      view.setInt32(24, value, true);
      syscall('rt_sigqueueinfo', target, 40, information);
    };
    for (let value = 0; value < 20; value++) send(value);
    const held = holdHusk(target);
    for (let value = 20; value < 40; value++) send(value);
    resumeHusk(held);
    process.kill(target, 'SIGUSR1');
    const seen: SignalRecord[] = [];
    while (seen.length < 41) seen.push(...readRecords());
    const view = (n: number): DataView => new DataView(seen[n]?.information.buffer ?? new ArrayBuffer(0));
    assert.deepEqual(
      seen.map(({ pid }) => pid),
      seen.map(() => LEADER + 1),
    );
    // Standard signals are taken before real-time ones.
    const queued = seen.map((_, n) => n).filter((n) => view(n).getInt32(0, true) === 40);
    assert.deepEqual(
      queued.map((n) => view(n).getInt32(24, true)),
      queued.map((_, n) => n),
    );
    assert.equal(queued.length, 40);
    const other = seen.findIndex((_, n) => view(n).getInt32(0, true) === SIGUSR1);
    assert.equal(view(other).getInt32(8, true), SI_USER);
    assert.deepEqual(
      seen.map(({ sequence }) => sequence - (seen[0]?.sequence ?? 0)),
      seen.map((_, n) => n),
    );
  });

  test('what a refused plan has made goes again', () => {
    const atFirst = table.all().map(({ pid }) => pid);
    const family = make([...SHELL_FAMILY.slice(0, 3), { pid: 210_000, parent: LEADER + 2, group: LEADER + 1, session: LEADER }]);
    assert.ok(table.find(210_000) !== undefined);
    family.discard();
    for (let turn = 0; turn < 1000 && table.all().length > atFirst.length; turn++) trySyscall('sched_yield');
    assert.deepEqual(
      table.all().map(({ pid }) => pid),
      atFirst,
    );
  });

  test('one that is killed while a plan is carried out keeps no other one held', async () => {
    const [first, ...others] = [LEADER + 20, LEADER + 21, LEADER + 22];
    const family = make([first, ...others].map((pid) => ({ pid, parent: 1, group: pid, session: pid })));
    process.kill(hostPid(first), 'SIGKILL');
    family.finish();
    for (const pid of others) resumeHusk(holdHusk(hostPid(pid)));
    for (const pid of others) process.kill(hostPid(pid), 'SIGKILL');
    await untilGone([first, ...others]);
  });
});
