import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKorriganError } from '../linux/index.ts';
import { type HuskStep, planHusks } from './husk-plan.ts';
import { INIT_PID, type Member, relativesOf, superfluousHusks, tableOf } from './relatives.ts';

interface Process {
  parent: number;
  group: number;
  session: number;
  ended: number | undefined;
  terminal: number | undefined;
}

/** The kernel's rules about parents, groups, sessions and their terminals in one pid namespace. What it refuses throws. */
class Kernel {
  readonly processes = new Map<number, Process>([
    [INIT_PID, { parent: 0, group: INIT_PID, session: INIT_PID, ended: undefined, terminal: undefined }],
  ]);

  living(pid: number): Process {
    const process = this.processes.get(pid);
    assert.ok(process !== undefined && process.ended === undefined, `ESRCH ${pid}`);
    return process;
  }

  fork(creator: number, pid: number, sibling = false): void {
    const { parent, group, session, terminal } = this.living(creator);
    const taken = [...this.processes].some(([number, other]) => number === pid || other.group === pid || other.session === pid);
    assert.ok(!taken, `EEXIST ${pid}`);
    this.processes.set(pid, { parent: sibling ? parent : creator, group, session, ended: undefined, terminal });
  }

  setsid(pid: number): void {
    const process = this.living(pid);
    assert.ok(![...this.processes.values()].some(({ group }) => group === pid), `setsid ${pid}: EPERM`);
    Object.assign(process, { group: pid, session: pid, terminal: undefined });
  }

  /** A number of its own for each terminal. */
  takeTerminal(pid: number, number: number): void {
    const process = this.living(pid);
    assert.ok(process.session === pid && process.terminal === undefined, `TIOCSCTTY ${pid}: EPERM`);
    process.terminal = number;
  }

  loseTerminal(session: number): void {
    for (const process of this.processes.values()) if (process.session === session) process.terminal = undefined;
  }

  setpgid(pid: number, group: number): void {
    const process = this.living(pid);
    assert.notEqual(process.session, pid, `setpgid ${pid}: EPERM, it leads its session`);
    const exists = [...this.processes.values()].some((other) => other.group === group && other.session === process.session);
    assert.ok(group === pid || exists, `setpgid ${pid} ${group}: EPERM`);
    process.group = group;
  }

  exit(pid: number, status: number): void {
    const process = this.living(pid);
    process.ended = status;
    if (process.session === pid) this.loseTerminal(pid);
    process.terminal = undefined;
    for (const [child, orphan] of this.processes) {
      if (orphan.parent !== pid) continue;
      orphan.parent = INIT_PID;
      if (orphan.ended !== undefined) this.processes.delete(child);
    }
    if (process.parent === INIT_PID) this.processes.delete(pid);
  }

  reap(pid: number): void {
    assert.notEqual(this.processes.get(pid)?.ended, undefined, `ECHILD ${pid}`);
    this.processes.delete(pid);
  }

  list(): Member[] {
    return [...this.processes].map(([pid, { ended, terminal, ...relations }]) => ({
      pid,
      ...relations,
      ...(ended === undefined ? {} : { ended }),
      ...(terminal === undefined ? {} : { terminal }),
    }));
  }
}

const FIRST_PID = 100;
const operations = fc.array(
  fc.record({
    kind: fc.constantFrom('fork', 'fork', 'fork', 'launch', 'setsid', 'setpgid', 'joinGroup', 'exit', 'reap', 'takeTerminal', 'giveUp'),
    who: fc.nat(),
    other: fc.nat(),
  }),
  { minLength: 4, maxLength: 40 },
);

/** A family as it comes about: whatever the kernel lets processes do. */
const histories = operations.map((list) => {
  const kernel = new Kernel();
  let next = FIRST_PID;
  for (const { kind, who, other } of list) {
    const living = [...kernel.processes.keys()].filter((pid) => pid !== INIT_PID && kernel.processes.get(pid)?.ended === undefined);
    const pid = living[who % living.length];
    try {
      if (kind === 'launch' || pid === undefined) {
        kernel.fork(INIT_PID, next);
        if (other % 2 === 0) kernel.setsid(next);
        next++;
      } else if (kind === 'fork') kernel.fork(pid, next++);
      else if (kind === 'setsid') kernel.setsid(pid);
      else if (kind === 'takeTerminal') kernel.takeTerminal(pid, pid + 1000);
      else if (kind === 'giveUp' && other % 2 === 0) kernel.living(pid).terminal = undefined;
      else if (kind === 'giveUp') kernel.loseTerminal(pid);
      else if (kind === 'setpgid') kernel.setpgid(pid, pid);
      else if (kind === 'joinGroup') kernel.setpgid(pid, kernel.processes.get(living[other % living.length] ?? 0)?.group ?? 0);
      else if (kind === 'exit') kernel.exit(pid, other % 256);
      else {
        const zombies = [...kernel.processes].filter(([, { ended }]) => ended !== undefined);
        const zombie = zombies[who % zombies.length];
        if (zombie !== undefined) kernel.reap(zombie[0]);
      }
    } catch (error) {
      if (!(error instanceof assert.AssertionError)) throw error; // the kernel refused it
    }
  }
  return kernel;
});

/** A node: its processes by the kernel's rules, with a template husk, and which of them are real. */
class Node {
  readonly kernel = new Kernel();
  readonly template = 50;
  readonly real = new Set<number>();
  private temporaries = new Map<number, number>();
  private nextFree = 10_000;

  constructor() {
    this.kernel.fork(INIT_PID, this.template);
  }

  readonly isHusk = (pid: number): boolean => pid !== INIT_PID && !this.real.has(pid);

  receive(family: Kernel, moving: readonly number[]): Member[] {
    const wanted = relativesOf(moving, tableOf(family.list()));
    const steps = planHusks({ wanted, here: this.kernel.list(), isHusk: this.isHusk, template: this.template, moving });
    for (const step of steps) this.execute(step);
    for (const pid of moving) this.real.add(pid);
    assert.equal(this.temporaries.size, 0);
    return wanted;
  }

  private pidOf(pid: number): number {
    return this.temporaries.get(pid) ?? pid;
  }

  private execute(step: HuskStep): void {
    const pid = this.pidOf(step.pid);
    if (step.kind !== 'clone') assert.ok(this.isHusk(pid));
    switch (step.kind) {
      case 'clone': {
        const number = step.pid < 0 ? this.nextFree++ : step.pid;
        assert.ok(this.isHusk(this.pidOf(step.creator)));
        this.kernel.fork(this.pidOf(step.creator), number, step.sibling);
        if (step.temporary) this.temporaries.set(step.pid, number);
        return;
      }
      case 'setsid':
        return this.kernel.setsid(pid);
      case 'setpgid':
        return this.kernel.setpgid(pid, step.group);
      case 'terminal':
        return this.kernel.takeTerminal(pid, step.number);
      case 'end':
        this.kernel.exit(pid, 0);
        if (step.reaper !== INIT_PID) {
          assert.equal(this.kernel.processes.get(pid)?.parent, this.pidOf(step.reaper));
          this.kernel.reap(pid);
        }
        this.temporaries.delete(step.pid);
        return;
      case 'die':
        this.kernel.exit(pid, step.status);
    }
  }
}

const some = (kernel: Kernel, choice: number): number[] =>
  [...kernel.processes.keys()].filter(
    (pid, n) => pid !== INIT_PID && kernel.processes.get(pid)?.ended === undefined && ((choice >> (n % 30)) & 1) === 1,
  );

/** Terminals come with the leaders of their sessions. */
function assertReproduced(node: Node, wanted: readonly Member[], moving: readonly number[]): void {
  const here = tableOf(node.kernel.list());
  for (const { terminal, ...member } of wanted) {
    const { terminal: seen, ...found } = here.find(member.pid) ?? assert.fail(`process ${member.pid} is not there`);
    assert.deepEqual(found, member);
    if (moving.includes(member.pid) && moving.includes(member.session) && broughtBy(member.session)) assert.equal(seen, terminal);
  }

  function broughtBy(leader: number): boolean {
    return wanted.some(({ pid, terminal }) => pid === leader && terminal !== undefined);
  }
}

/** Those without the terminal that their session has. */
const REFUSED = /has not got the terminal of its session/;

test('on an empty node every family comes to be exactly as it is', () => {
  fc.assert(
    fc.property(histories, fc.nat(), (family, choice) => {
      const node = new Node();
      const moving = some(family, choice);
      try {
        assertReproduced(node, node.receive(family, moving), moving);
      } catch (error) {
        if (!isKorriganError(error, 'KRG_NOT_MOVABLE')) throw error;
        assert.match(error.message, REFUSED);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a family that comes in parts is exact, or refused because of who runs there already', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { minLength: 2, maxLength: 4 }), (family, choices) => {
      const node = new Node();
      for (const choice of choices) {
        const moving = some(family, choice).filter((pid) => !node.real.has(pid));
        try {
          assertReproduced(node, node.receive(family, moving), moving);
        } catch (error) {
          if (!isKorriganError(error, 'KRG_NOT_MOVABLE')) throw error;
          assert.match(
            error.message,
            /runs on the target node|no husk on the target node|cannot be entered|number is taken|has never been in|the terminal/,
          );
          return;
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('when everybody has left, no husk but those of the home is needed; before that, removing the others changes nothing', () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), (family, choice, homes) => {
      const node = new Node();
      const moving = some(family, choice);
      try {
        node.receive(family, moving);
      } catch (error) {
        if (!isKorriganError(error, 'KRG_NOT_MOVABLE')) throw error;
        assert.match(error.message, REFUSED);
        return;
      }
      const isHome = (pid: number): boolean => pid === node.template || (homes >> (pid % 20)) % 2 === 1;
      for (const pid of moving.filter((_, n) => (homes >> (n % 20)) % 2 === 0)) node.real.delete(pid);
      const before = node.kernel.list();
      const gone = superfluousHusks(before, node.isHusk, isHome);
      for (const pid of gone) {
        const { parent } = node.kernel.living(pid);
        assert.deepEqual(
          node.kernel.list().filter((member) => member.parent === pid && member.ended === undefined),
          [],
        );
        assert.ok(node.isHusk(parent) || parent === INIT_PID, 'a running process would see its child end');
        node.kernel.exit(pid, 0);
        if (parent !== INIT_PID) node.kernel.reap(pid);
      }
      const needed = relativesOf(node.real, tableOf(before)).map(({ pid }) => pid);
      for (const member of before.filter(({ pid, ended }) => needed.includes(pid) || (ended === undefined && isHome(pid)))) {
        assert.deepEqual(tableOf(node.kernel.list()).find(member.pid), member);
      }
      const empty = superfluousHusks(
        node.kernel.list(),
        () => true,
        () => false,
      );
      assert.deepEqual(
        new Set(empty),
        new Set(
          node.kernel
            .list()
            .filter(({ pid, ended }) => pid !== INIT_PID && ended === undefined)
            .map(({ pid }) => pid),
        ),
      );
    }),
    { numRuns: 2000 },
  );
});

test('a husk that has gone and is not collected yet is no place for children', () => {
  const root: Member = { pid: 60, parent: 1, group: 60, session: 60 };
  const child: Member = { pid: 61, parent: 60, group: 60, session: 60 };
  const template: Member = { pid: 50, parent: 1, group: 1, session: 1 };
  assert.throws(
    () => planHusks({ wanted: [root, child], moving: [60, 61], here: [template, { ...root, ended: 0 }], isHusk: () => true, template: 50 }),
    (error) => isKorriganError(error, 'KRG_PROCESS_BUSY') && /process 60 has ended on the target node/.test(error.message),
  );
});

test('a group whose founder has left it cannot be made where the founder runs', () => {
  const founder: Member = { pid: 60, parent: 1, group: 70, session: 70 };
  const here: Member[] = [{ pid: 50, parent: 1, group: 1, session: 1 }, { pid: 70, parent: 1, group: 70, session: 70 }, founder];
  const wanted: Member[] = [founder, { pid: 61, parent: 1, group: 60, session: 70 }];
  const plan = (isHusk: (pid: number) => boolean): unknown => planHusks({ wanted, here, isHusk, template: 50 });
  plan(() => true);
  assert.throws(
    () => plan((pid) => pid !== 60),
    (error) => isKorriganError(error, 'KRG_NOT_MOVABLE') && /number is taken by process 60/.test(error.message),
  );
});

test('a family that is about to change is told apart from one that cannot be made', () => {
  const here: Member[] = [
    { pid: 50, parent: 1, group: 1, session: 1 },
    { pid: 60, parent: 1, group: 60, session: 60 },
  ];
  const wanted: Member[] = [
    { pid: 60, parent: 61, group: 60, session: 60 },
    { pid: 61, parent: 1, group: 61, session: 61 },
  ];
  assert.throws(
    () => planHusks({ wanted, here, isHusk: () => true, template: 50 }),
    (error) => isKorriganError(error, 'KRG_PROCESS_BUSY') && /child of 61, yet on the target node of 1/.test(error.message),
  );
});

test('whoever comes back finds the children that it has had elsewhere, and no other ones', () => {
  const here: Member[] = [
    { pid: 50, parent: 1, group: 1, session: 1 },
    { pid: 60, parent: 1, group: 60, session: 60 },
    { pid: 61, parent: 60, group: 60, session: 60 },
  ];
  const parent: Member = { pid: 60, parent: 1, group: 60, session: 60 };
  const child: Member = { pid: 61, parent: 60, group: 60, session: 60 };
  const plan = (moving: number[], ...wanted: Member[]): unknown[] => planHusks({ wanted, moving, here, isHusk: () => true, template: 50 });
  assert.deepEqual(plan([60], parent, child), []);
  assert.deepEqual(plan([61], parent, { ...child, ended: 0 }), [], 'the parent stays a husk, which hears of it');
  for (const wanted of [[parent], [parent, { ...child, ended: 0 }]])
    assert.throws(
      () => plan([60], ...wanted),
      (error) => isKorriganError(error, 'KRG_PROCESS_BUSY'),
    );
});
