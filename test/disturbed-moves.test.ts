/** What disturbs a move, besides the death of a daemon: exactly one copy lives afterwards, and its parent gets its status once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultPoint } from '../src/epm/index.ts';
import { daemonCgroup } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Family as Kin } from './support/family.ts';
import { Faults } from './support/faults.ts';
import { cutLink } from './support/links.ts';
import { hostPidOn } from './support/nodes.ts';

let cluster: TestCluster;
let faults: Faults;
let binary: string;
before(async () => {
  faults = new Faults();
  cluster = await startTestCluster('disturbed');
  binary = join(cluster.directory, 'counter');
  execFileSync('gcc', ['-O1', '-o', binary, join(import.meta.dirname, 'programs', 'engine', 'counter.c')]);
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  faults[Symbol.dispose]();
});

interface Family {
  /** A shell that tells how the counter below it ended. */
  readonly root: number;
  readonly pid: number;
  readonly output: string;
  readonly status: string;
}

let families = 0;

const lines = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

async function startFamily(given?: string): Promise<Family> {
  const name = join(cluster.directory, `family-${++families}`);
  const [output, status] = [given ?? `${name}.out`, `${name}.status`];
  const root = await cluster.start(`sh -c '${binary} >>${output}; echo $?'`, status);
  const { pid } = await eventually('the counter', async () =>
    (await cluster.client.processes()).find((process) => process.ppid === root && process.command.includes('counter')),
  );
  return { root, pid, output, status };
}

async function nodeOf(pid: number): Promise<number | undefined> {
  const found = (await cluster.client.processes()).filter((process) => process.pid === pid && process.kind === 'process');
  return found.length === 1 ? Number(found[0]?.node.replace('node', '')) : undefined;
}

async function assertProgress({ output }: Family): Promise<void> {
  const seen = lines(output).length;
  await eventually(`progress of ${output}`, () => lines(output).length > seen + 5);
}

/** They live on a node, once, have missed nothing, and end as they should. */
async function assertWhole(family: Family, node: number): Promise<void> {
  const { root, pid, output, status } = family;
  for (const each of [root, pid]) await eventually(`process ${each} on node ${node}`, async () => (await nodeOf(each)) === node);
  await assertProgress(family);
  const numbers = lines(output).map(Number);
  assert.deepEqual(
    numbers,
    numbers.map((_, n) => n),
  );
  await cluster.client.kill(pid, 9);
  await assertEnded(family, status);
}

async function assertEnded({ root, pid }: Family, status: string): Promise<void> {
  await eventually('the status', () => lines(status).includes('137'));
  await eventually('nothing to be left', async () =>
    (await cluster.client.processes()).every((process) => process.pid !== pid && process.pid !== root),
  );
  assert.equal(lines(status).filter((line) => /^\d+$/.test(line)).length, 1);
}

describe('a moving process is killed', () => {
  // Those at the source come last: the target is at work while it stands still there, and would come to a later test's point.
  const points: [number, FaultPoint, number][] = [
    [2, 'target.imported', 2],
    [2, 'target.decided', 2],
    [2, 'target.running', 2],
    [2, 'target.arrived', 2],
    [1, 'source.prepared', 1],
    [1, 'source.stopped', 1],
    [1, 'source.captured', 1],
    [1, 'source.complete', 1],
  ];
  test('on node 2 before it is complete there: it goes on on node 1', async () => {
    const family = await startFamily();
    faults.pause(2, 'target.completed');
    const moving = cluster.move(family.root, 2, true).catch(() => undefined);
    await faults.reached(2, 'target.completed');
    process.kill(hostPidOn(cluster, 2, family.pid), 'SIGKILL');
    faults.goOn(2, 'target.completed');
    await moving;
    await assertWhole(family, 1);
  });

  for (const [node, point, where] of points) {
    test(`on node ${where}, at ${point}`, async () => {
      const family = await startFamily();
      faults.pause(node, point);
      const moving = cluster.move(family.root, 2, true).catch(() => undefined);
      await faults.reached(node, point);
      process.kill(hostPidOn(cluster, where, family.pid), 'SIGKILL');
      faults.goOn(node, point);
      await moving;
      await assertEnded(family, family.status);
    });
  }
});

describe('a move is refused by the target', () => {
  test('when a file is not there', async () => {
    const family = await startFamily('/dev/shm/disturbed.out');
    const count = async (): Promise<number> => {
      const program = await cluster.attach(['sh', '-c', `wc -l </dev/shm/disturbed.out`]);
      const chunks = (await program.stdout.toArray()) as Buffer[];
      return Number(Buffer.concat(chunks).toString());
    };
    await assert.rejects(cluster.move(family.root, 2, true), /KRG_NOT_MOVABLE/);
    const seen = await count();
    await eventually('progress', async () => (await count()) > seen);
    await cluster.client.kill(family.pid, 9);
    await assertEnded(family, family.status);
  });

  test('when its memory does not suffice', async () => {
    const family = await startFamily();
    faults.pause(2, 'target.ready');
    const moving = cluster.move(family.root, 2, true);
    const refused = assert.rejects(moving, /ENOMEM/);
    await faults.reached(2, 'target.ready');
    execFileSync('prlimit', ['--pid', String(hostPidOn(cluster, 2, family.pid)), '--as=65536']);
    faults.goOn(2, 'target.ready');
    await refused;
    await assertWhole(family, 1);
  });

  test('when a pid is taken', async () => {
    const family = await startFamily();
    // The next process of node 2 gets this pid, and those after it the node's own again.
    const take = `last=/proc/sys/kernel/ns_last_pid; old=$(cat $last); echo ${family.pid - 1} >$last; sleep 1000 & echo $old >$last; echo $!; wait`;
    const { pid: taker } = await cluster.client.runDetached({
      arguments: ['sh', '-c', take],
      environment: { PATH: '/usr/bin:/bin' },
      workingDirectory: '/',
      umask: 0o22,
      node: 'node2',
    });
    await eventually('the pid to be taken', () => {
      try {
        return hostPidOn(cluster, 2, family.pid) > 0;
      } catch {
        return false;
      }
    });
    await assert.rejects(cluster.move(family.root, 2, true), /KRG_PROCESS_BUSY/);
    process.kill(hostPidOn(cluster, 2, family.pid), 'SIGKILL');
    await eventually('the taker to end', async () => (await cluster.client.processes()).every((process) => process.pid !== taker));
    await assertWhole(family, 1);
  });
});

test('the link is cut before the vote, with the vote and with the decision', async () => {
  const [early, voted, decided] = [await startFamily(), await startFamily(), await startFamily()];
  const pauses: [Family, number, FaultPoint][] = [
    [early, 1, 'source.captured'],
    [voted, 2, 'target.frozen'],
    [decided, 1, 'source.voted'],
  ];
  const moves: Promise<unknown>[] = [];
  for (const [family, node, point] of pauses) {
    faults.pause(node, point);
    moves.push(cluster.move(family.root, 2, true).catch(() => undefined));
    await faults.reached(node, point);
  }
  // Node 3 hears both, so that nobody is dead.
  const mend = cutLink(cluster.description, 1, 2);
  try {
    for (const [, node, point] of pauses) faults.goOn(node, point);
    // Nobody has decided that these leave: they go on although the other side cannot be told.
    await assertProgress(early);
    await assertProgress(voted);
    const seen = lines(decided.output).length;
    await delay(500);
    assert.equal(lines(decided.output).length, seen, 'a process runs before its node knows of the decision');
  } finally {
    mend();
  }
  await assertWhole(decided, 2);
  await assertWhole(early, 1);
  await assertWhole(voted, 1);
  await Promise.all(moves);
});

test('a signal that is ignored by default comes when the process is complete on the other node', async () => {
  const SIGCONT = 18;
  const kin = await Kin.start(cluster, 'ignored-by-default');
  await kin.fork('root', 'child');
  faults.pause(1, 'source.complete');
  const moving = cluster.move(kin.pid('child'), 2);
  await faults.reached(1, 'source.complete');
  assert.equal(await kin.do('root', `kill ${kin.pid('child')} ${SIGCONT}`), 'kill 0');
  faults.goOn(1, 'source.complete');
  await moving;
  await kin.hasSeen('child', [`signal ${SIGCONT} code 0 by ${kin.pid('root')}`]);
  await kin.end();
});

test('the target has no daemon', async () => {
  const family = await startFamily();
  daemonCgroup(cluster.description.cluster, 3).kill();
  await assert.rejects(cluster.move(family.root, 3, true), /KRG_NODE_DEAD/);
  await assertProgress(family);
  assert.equal(await nodeOf(family.pid), 1);
});
