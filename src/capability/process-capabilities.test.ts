/** Real processes in a real control group; their pids are those of this machine. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError } from '../linux/errors.ts';
import { cgroupMountPoint, ControlGroup, readStat } from '../linux/index.ts';
import { type CapabilitySet, DEFAULT_CAPABILITIES, SET_NAMES, setOf, SUPPORTED } from './names.ts';
import { givenTo, groupNameOf, place } from './placement.ts';
import { Policy, policySchema } from './policy.ts';
import { Capabilities } from './process-capabilities.ts';

const top = new ControlGroup(join(cgroupMountPoint(), `korrigan-capabilities-${process.pid}`));
const application = top.child('processes').child('a1').create();
const started: ChildProcess[] = [];
let [used, isMoving]: [CapabilitySet, boolean] = [0, false];

function capabilitiesUnder(configuration: unknown): Capabilities {
  return new Capabilities({
    policy: new Policy(policySchema.parse(configuration), () => undefined),
    hostPidOf: (pid) => (readStat(pid) === undefined ? undefined : pid),
    containerPidOf: (pid) => pid,
    inUse: () => used,
    isMoving: () => isMoving,
  });
}
const capabilities = capabilitiesUnder({});

after(async () => {
  top.kill();
  for (const until = performance.now() + 5000; top.populated && performance.now() < until; ) await delay(5);
  top.remove();
});

/** A shell that does what it reads. It answers with a line to each. */
class Shell {
  readonly pid: number;
  private readonly child: ChildProcess;

  constructor(options: { uid?: number } = {}) {
    this.child = spawn('bash', ['--norc'], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/', ...options });
    started.push(this.child);
    this.pid = this.child.pid ?? 0;
    application.attach(this.pid);
  }

  async does(line: string): Promise<string> {
    const answer = once(this.child.stdout ?? this.child, 'data');
    this.child.stdin?.write(`${line}\n`);
    return String((await answer)[0]).trim();
  }

  /** @returns the pid of a child */
  async forks(command = 'sleep 1000'): Promise<number> {
    return Number(await this.does(`${command} & echo $!`));
  }
}

const effective = (pid: number): CapabilitySet => capabilities.of(pid).sets.effective;
const FORK = setOf('DISTANT_FORK');
const replace = (set: 'effective' | 'inheritableEffective', mask: CapabilitySet) =>
  ({ set, operation: 'replace', capabilities: mask }) as const;

test('sets go over fork and exec, also below a parent that has ended; earlier children keep theirs', async () => {
  const shell = new Shell();
  const earlier = await shell.forks();
  assert.equal(capabilities.of(shell.pid).isGiven, false);
  assert.equal(effective(earlier), DEFAULT_CAPABILITIES);

  capabilities.change(shell.pid, 0, [replace('effective', 3), replace('inheritableEffective', 1 | FORK)]);
  const child = await shell.forks();
  const grandchild = Number(await shell.does('bash -c "sleep 1000 & echo \\$!"'));
  assert.equal(readStat(grandchild)?.parent === shell.pid, false, 'its parent has ended');
  assert.deepEqual([shell.pid, earlier, child, grandchild].map(effective), [3, DEFAULT_CAPABILITIES, 1 | FORK, 1 | FORK]);
  assert.equal(capabilities.of(earlier).isGiven, false);

  await shell.does('exec bash --norc <<< "echo ready; exec cat" ').catch(() => '');
  assert.equal(effective(shell.pid), 3, 'execve changes nothing');
});

test('every combination of the four sets, over a real fork', async () => {
  const bit = FORK;
  for (const [p, e, ip, ie] of [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [1, 1, 0, 0],
    [1, 0, 1, 0],
    [1, 1, 1, 0],
    [1, 0, 1, 1],
    [1, 1, 1, 1],
  ] as const) {
    const shell = new Shell();
    const sets = {
      permitted: 1 | (p * bit),
      effective: 1 | (e * bit),
      inheritablePermitted: 1 | (ip * bit),
      inheritableEffective: ie * bit,
    };
    const changes = SET_NAMES.map((set) => ({ set, operation: 'replace', capabilities: sets[set] }) as const);
    assert.deepEqual(capabilities.change(shell.pid, 0, changes).sets, sets);
    assert.deepEqual(capabilities.of(await shell.forks()).sets, {
      permitted: sets.inheritablePermitted,
      effective: sets.inheritableEffective,
      inheritablePermitted: sets.inheritablePermitted,
      inheritableEffective: sets.inheritableEffective,
    });
  }
});

test('a hundred forks right after a change all have it', async () => {
  const shell = new Shell();
  for (const mask of [1 | FORK, 1, SUPPORTED]) {
    capabilities.change(shell.pid, 0, [replace('inheritableEffective', mask)]);
    const pids = (await shell.does('p=(); for i in {1..100}; do sleep 1000 & p+=($!); done; echo ${p[*]}')).split(' ').map(Number);
    assert.deepEqual([...new Set(pids.map(effective))], [mask]);
    await shell.does(`kill ${pids.join(' ')}; wait; echo done`);
  }
});

test('who may: root, and the user of the process', async () => {
  const shell = new Shell({ uid: 65_534 });
  const other = (error: unknown): boolean => isKorriganError(error, 'KRG_NOT_YOUR_PROCESS');
  assert.throws(() => capabilities.change(shell.pid, 1000, [replace('effective', 1)]), other);
  assert.throws(() => capabilities.disable(shell.pid, 1000, 'CAN_MIGRATE'), other);
  assert.throws(() => capabilities.checkRights(shell.pid, 1000), other);
  assert.equal(capabilities.change(shell.pid, 65_534, [replace('effective', 1)]).sets.effective, 1);
  assert.equal(capabilities.change(shell.pid, 0, [replace('effective', 3)]).sets.effective, 3);
});

test('what is permitted never grows, and without CHANGE_KERRIGHED_CAP nothing changes any more', () => {
  const { pid } = new Shell();
  const take = { set: 'permitted', operation: 'remove', capabilities: FORK } as const;
  capabilities.change(pid, 0, [take, { ...take, set: 'inheritablePermitted' }]);
  const again = { ...take, operation: 'replace', capabilities: SUPPORTED } as const;
  assert.equal(capabilities.change(pid, 0, [again]).sets.permitted, SUPPORTED & ~FORK);
  assert.throws(
    () => capabilities.change(pid, 0, [{ ...take, set: 'permitted', operation: 'remove', capabilities: 2 }]),
    code('KRG_BAD_REQUEST'),
  );
  assert.throws(() => capabilities.change(pid, 0, [{ ...again, capabilities: 0xfff }]), code('KRG_NOT_SUPPORTED'));
  capabilities.change(pid, 0, [replace('effective', 2)]);
  assert.throws(() => capabilities.change(pid, 0, [replace('effective', 3)]), code('KRG_CAPABILITY_MISSING'));
});

test('what is in use is not taken away, and what moves is not changed', () => {
  const { pid } = new Shell();
  used = setOf('CAN_MIGRATE');
  assert.throws(() => capabilities.change(pid, 0, [replace('effective', 1)]), code('KRG_PROCESS_BUSY'));
  assert.throws(() => capabilities.disable(pid, 0, 'CAN_MIGRATE'), code('KRG_PROCESS_BUSY'));
  isMoving = true;
  assert.throws(() => capabilities.change(pid, 0, [replace('effective', 7)]), code('KRG_PROCESS_ELSEWHERE'));
  assert.throws(() => capabilities.disable(pid, 0, 'DISTANT_FORK'), code('KRG_PROCESS_ELSEWHERE'));
  [used, isMoving] = [0, false];
  assert.equal(capabilities.of(pid).isGiven, false);
});

test('what is disabled does not count until it is enabled as often; children do not inherit that', async () => {
  const shell = new Shell();
  assert.throws(() => capabilities.enable(shell.pid, 0, 'CAN_MIGRATE'), code('KRG_BAD_REQUEST'));
  capabilities.disable(shell.pid, 0, 'CAN_MIGRATE');
  capabilities.disable(shell.pid, 0, 'CAN_MIGRATE');
  const child = await shell.forks();
  assert.deepEqual([capabilities.has(shell.pid, 'CAN_MIGRATE'), capabilities.has(child, 'CAN_MIGRATE')], [false, true]);
  assert.throws(() => capabilities.checkMigrate(shell.pid), code('KRG_CAPABILITY_MISSING', /disabled.*2 times/));
  // Sets are changed meanwhile.
  capabilities.change(shell.pid, 0, [replace('effective', 3 | FORK)]);
  capabilities.enable(shell.pid, 0, 'CAN_MIGRATE');
  assert.equal(capabilities.has(shell.pid, 'CAN_MIGRATE'), false);
  capabilities.enable(shell.pid, 0, 'CAN_MIGRATE');
  assert.doesNotThrow(() => capabilities.checkMigrate(shell.pid));
  assert.equal(capabilities.mayForkAway(shell.pid), true);
  assert.equal(capabilities.mayForkAway(child), false);
});

test('each action asks for its capability', () => {
  const { pid } = new Shell();
  capabilities.change(pid, 0, [replace('effective', 1)]);
  assert.throws(
    () => capabilities.checkMigrate(pid),
    code('KRG_CAPABILITY_MISSING', /be moved.*CAN_MIGRATE.*krg caps \d+ --set \+CAN_MIGRATE/),
  );
  assert.throws(() => capabilities.checkCheckpoint(pid), code('KRG_CAPABILITY_MISSING', /CHECKPOINTABLE/));
  assert.deepEqual([capabilities.mayForkAway(pid), capabilities.seesLocalProcStat(pid)], [false, false]);
  capabilities.change(pid, 0, [replace('effective', SUPPORTED)]);
  assert.doesNotThrow(() => capabilities.checkCheckpoint(pid));
  assert.deepEqual([capabilities.mayForkAway(pid), capabilities.seesLocalProcStat(pid)], [true, true]);
});

test('rules count for what runs, by its file, its user and its group', async () => {
  const ruled = capabilitiesUnder({
    rules: [
      { command: 'sleep', deny: ['CAN_MIGRATE'], name: 'sleepers stay' },
      { user: 65_534, allow: ['SEE_LOCAL_PROC_STAT'] },
      { cgroup: '/a1', allow: ['CHECKPOINTABLE'] },
    ],
  });
  const shell = new Shell({ uid: 65_534 });
  const sleeper = await shell.forks();
  // Until it has executed its file it is a shell.
  while (readStat(sleeper)?.command !== 'sleep') await delay(1);
  assert.ok(ruled.has(shell.pid, 'CAN_MIGRATE') && ruled.seesLocalProcStat(shell.pid) && ruled.has(shell.pid, 'CHECKPOINTABLE'));
  assert.throws(() => ruled.checkMigrate(sleeper), code('KRG_CAPABILITY_MISSING', /sleepers stay/));
  // Who was given sets keeps to them; what is denied stays denied.
  ruled.change(sleeper, 0, [replace('effective', 3)]);
  assert.throws(() => ruled.checkMigrate(sleeper), code('KRG_CAPABILITY_MISSING', /sleepers stay/));
  assert.equal(ruled.seesLocalProcStat(sleeper), false);
});

test('groups that are left empty go; a process that has ended has no capabilities', async () => {
  const shell = new Shell();
  for (const mask of [1, 3, 1, 3]) capabilities.change(shell.pid, 0, [replace('effective', mask)]);
  const mine = readdirSync(application.path).filter((name) => name.includes(`-${shell.pid}-`));
  assert.ok(mine.length <= 1, mine.join());
  const child = await shell.forks('true');
  await shell.does('wait; echo done');
  assert.throws(() => capabilities.of(child), code('KRG_NO_SUCH_PROCESS'));
  assert.throws(() => capabilities.of(1), code('KRG_NO_SUCH_PROCESS'));
});

test('what travels is put where it belongs, for a process that has another start time', () => {
  const [here, there] = [new Shell().pid, new Shell().pid];
  capabilities.change(here, 0, [replace('effective', 7), replace('inheritableEffective', 1)]);
  const given = givenTo(here, here);
  assert.ok(given !== undefined);
  const group = top.child('processes').child('m1');
  place(there, group.child(groupNameOf(there, there, given) ?? ''));
  assert.deepEqual(capabilities.of(there).sets, capabilities.of(here).sets);
  assert.equal(givenTo(new Shell().pid, 0), undefined);
});

function code(expected: string, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isKorriganError(error), String(error));
    assert.equal(error.code, expected);
    assert.match(error.message, message);
    return true;
  };
}
