/** Children that job control has stopped move with their parents: these are told of it once, wherever they are, and whatever becomes of the move. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FAULT_POINTS } from '../src/epm/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Family } from './support/family.ts';
import { Faults } from './support/faults.ts';
import { buildProgram } from './support/programs.ts';

const KILLED = 2;
const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGCONT = 18;
const SIGSTOP = 19;

let cluster: TestCluster;
let faults: Faults;
before(async () => {
  faults = new Faults();
  cluster = await startTestCluster('stopped-children');
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  faults[Symbol.dispose]();
});

function family(name: string, story: (family: Family) => Promise<void>): void {
  test(name, async () => {
    const told = await Family.start(cluster, name.replaceAll(/\W+/g, '-'));
    await story(told);
    await told.end();
  });
}

/** @returns what the parent sees of it */
async function stop(kin: Family, parent: string, child: string): Promise<string[]> {
  const seen = kin.stopped(child, SIGSTOP);
  // Of a stop whose status is taken before its SIGCHLD is sent the signal is not told (kernel/signal.c, do_notify_parent_cldstop).
  await kin.do(parent, 'wait 0');
  assert.equal(await kin.do(parent, `kill ${kin.pid(child)} ${SIGSTOP}`), 'kill 0');
  await kin.sees(parent, seen[0] ?? '');
  await kin.do(parent, 'wait 1');
  await kin.sees(parent, seen[1] ?? '');
  return seen;
}

async function goOn(kin: Family, parent: string, child: string): Promise<string[]> {
  assert.equal(await kin.do(parent, `kill ${kin.pid(child)} ${SIGCONT}`), 'kill 0');
  return kin.continued(child);
}

describe('a tree with a stopped child moves', { concurrency: 2 }, () => {
  family('away, where it is continued, and home, where it is stopped and continued again', async (kin) => {
    await kin.fork('root', 'child');
    const seen = await stop(kin, 'root', 'child');
    await kin.move('root', 2, true);
    await kin.hasSeen('root', seen);
    seen.push(...(await goOn(kin, 'root', 'child')));
    await kin.hasSeen('root', seen);
    await kin.isAlive('child');
    await kin.move('root', 1, true);
    await kin.isAlive('child');
    await kin.hasSeen('root', seen);
    await kin.do('root', `kill ${kin.pid('child')} ${SIGKILL}`);
    await kin.hasSeen('root', [...seen, ...kin.ended('child', KILLED, SIGKILL, SIGKILL)]);
  });

  family('on and on, and is continued at home', async (kin) => {
    await kin.fork('root', 'child');
    const seen = await stop(kin, 'root', 'child');
    for (const node of [3, 2, 1, 2, 1]) await kin.move('root', node, true);
    await kin.hasSeen('root', seen);
    await kin.hasSeen('root', [...seen, ...(await goOn(kin, 'root', 'child'))]);
    await kin.isAlive('child');
  });

  family('after they have gone one by one', async (kin) => {
    await kin.fork('root', 'child');
    const seen = await stop(kin, 'root', 'child');
    await cluster.move(kin.pid('child'), 2);
    await kin.move('root', 2);
    for (const node of [1, 3]) await kin.move('root', node, true);
    await kin.hasSeen('root', seen);
    await kin.hasSeen('root', [...seen, ...(await goOn(kin, 'root', 'child'))]);
    await kin.isAlive('child');
    await kin.move('root', 1, true);
    await kin.isAlive('child');
  });

  family('and what it leaves behind passes signals on', async (kin) => {
    await kin.fork('root', 'parent');
    await kin.fork('parent', 'child');
    const seen = await stop(kin, 'parent', 'child');
    await kin.move('parent', 2, true);
    await kin.hasSeen('parent', [...seen, ...(await goOn(kin, 'parent', 'child'))]);
    await kin.do('root', `kill ${kin.pid('child')} ${SIGUSR1}`);
    await kin.hasSeen('child', [`signal ${SIGCONT} code 0 by ${kin.pid('parent')}`, `signal ${SIGUSR1} code 0 by ${kin.pid('root')}`]);
  });
});

describe('a stopped process moves alone', { concurrency: 2 }, () => {
  family('away, home, and away again: its parent is told once', async (kin) => {
    await kin.fork('root', 'child');
    const seen = await stop(kin, 'root', 'child');
    for (const node of [2, 1, 3]) await cluster.move(kin.pid('child'), node);
    await kin.hasSeen('root', seen);
    await kin.hasSeen('root', [...seen, ...(await goOn(kin, 'root', 'child'))]);
    await kin.isAlive('child');
  });

  family('whose parent is pid 1, and what it leaves behind passes signals on', async (kin) => {
    const other = await Family.start(cluster, 'other-than-the-stopped');
    await cluster.client.kill(kin.pid('root'), SIGSTOP);
    await comesTo(kin.pid('root'), 'T');
    await cluster.move(kin.pid('root'), 2);
    await comesTo(kin.pid('root'), 'T');
    await cluster.client.kill(kin.pid('root'), SIGCONT);
    await kin.isAlive('root');
    await other.do('root', `kill ${kin.pid('root')} ${SIGUSR1}`);
    await kin.sees('root', `signal ${SIGUSR1} code 0 by ${other.pid('root')}`);
    await other.end();
  });

  test('with several threads: not to where its parent lives and has been told', async () => {
    const [output, go] = [join(cluster.directory, 'threads.out'), join(cluster.directory, 'threads.go')];
    writeFileSync(output, '');
    const parent = await cluster.start(await buildProgram('process_stopped_threads'), output, { KRG_GO: go });
    await eventually('"ready"', () => readFileSync(output, 'utf8') === 'ready\n');
    const isChild = ({ ppid }: { ppid: number }): boolean => ppid === parent;
    const { pid } = await eventually('the child', async () => (await cluster.client.processes()).find(isChild));
    await cluster.move(pid, 2);
    await assert.rejects(cluster.move(pid, 1), /KRG_NOT_MOVABLE.* it is stopped, has several threads/);
    writeFileSync(go, '');
    await eventually('the verdict', () => readFileSync(output, 'utf8') === 'ready\npass\n');
  });
});

describe('a stopped child is continued while it moves with its parent', () => {
  for (const [name, pausing, point, sender] of [
    ['at the source', 1, 'source.prepared', 1],
    ['at the source, when it is stopped there', 1, 'source.complete', 1],
    ['at the target, when only its husk is there', 2, 'target.image', 2],
    ['at the target, when it is complete', 2, 'target.completed', 2],
    ['at the target, when it is frozen', 2, 'target.frozen', 2],
  ] as const) {
    family(name, async (kin) => {
      await kin.fork('root', 'other');
      await kin.fork('root', 'parent');
      await kin.fork('parent', 'child');
      const seen = await stop(kin, 'parent', 'child');
      await kin.move('other', sender);
      faults.pause(pausing, point);
      const moving = cluster.move(kin.pid('parent'), 2, true);
      await faults.reached(pausing, point);
      assert.equal(await kin.do('other', `kill ${kin.pid('child')} ${SIGCONT}`), 'kill 0');
      faults.goOn(pausing, point);
      await moving;
      await kin.hasSeen('parent', [...seen, ...kin.continued('child')]);
      await kin.hasSeen('child', [`signal ${SIGCONT} code 0 by ${kin.pid('other')}`]);
    });

    family(`${name}, without a handler`, async (kin) => {
      await kin.fork('root', 'other');
      await kin.move('other', sender);
      const shell = await cluster.start("sh -c 'sleep 1000; true'", '/dev/null');
      const isChild = ({ ppid }: { ppid: number }): boolean => ppid === shell;
      const { pid } = await eventually('the child', async () => (await cluster.client.processes()).find(isChild));
      await cluster.client.kill(pid, SIGSTOP);
      await comesTo(pid, 'T');
      faults.pause(pausing, point);
      const moving = cluster.move(shell, 2, true);
      await faults.reached(pausing, point);
      assert.equal(await kin.do('other', `kill ${pid} ${SIGCONT}`), 'kill 0');
      faults.goOn(pausing, point);
      await moving;
      await comesTo(pid, 'S');
      await cluster.client.kill(pid, SIGKILL);
    });
  }
});

describe('a child is stopped while it moves with its parent', () => {
  for (const [name, pausing, point, sender] of [
    ['at the source, when it is held there', 1, 'source.complete', 1],
    ['at the target, when only its husk is there', 2, 'target.image', 2],
    ['at the target, when it is complete', 2, 'target.completed', 2],
    ['at the target, when it is frozen', 2, 'target.frozen', 2],
  ] as const) {
    family(`it is stopped ${name}`, async (kin) => {
      await kin.fork('root', 'other');
      await kin.fork('root', 'parent');
      await kin.fork('parent', 'child');
      await kin.move('other', sender);
      faults.pause(pausing, point);
      const moving = cluster.move(kin.pid('parent'), 2, true);
      await faults.reached(pausing, point);
      assert.equal(await kin.do('other', `kill ${kin.pid('child')} ${SIGSTOP}`), 'kill 0');
      faults.goOn(pausing, point);
      await moving;
      await comesTo(kin.pid('child'), 'T');
      await kin.hasSeen('parent', [...kin.stopped('child', SIGSTOP)]);
      await kin.hasSeen('parent', [...kin.stopped('child', SIGSTOP), ...(await goOn(kin, 'parent', 'child'))]);
      await kin.isAlive('child');
    });
  }
});

describe('a daemon is killed while a stopped child and its parent move', () => {
  for (const side of ['source', 'target'] as const) {
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const) {
      family(`the ${side}'s, from node ${from} to node ${to}`, async (kin) => {
        await kin.fork('root', 'child');
        const [root, child] = [kin.pid('root'), kin.pid('child')];
        const seen = await stop(kin, 'root', 'child');
        const killed = side === 'source' ? from : to;
        for (const point of FAULT_POINTS[side]) {
          await bringTo(root, from);
          faults.kill(killed, point);
          await eventually(`node ${killed} to come to ${point}`, async () => {
            await cluster.move(root, to, true).catch(() => undefined);
            return faults.wasReached(killed, point);
          });
          faults.forget(killed, point);
          await eventually('all nodes', async () => (await cluster.client.status()).nodes.every(({ state }) => state === 'online'));
          for (const pid of [root, child]) await eventually(`exactly one process ${pid}`, () => whereIs(pid));
          await kin.hasSeen('root', seen);
          await comesTo(child, 'T');
        }
        await bringTo(root, from);
        await kin.hasSeen('root', [...seen, ...(await goOn(kin, 'root', 'child'))]);
        await kin.isAlive('child');
      });
    }
  }
});

/** Where a process runs; undefined while a node does not answer or it is not exactly one. */
async function whereIs(pid: number): Promise<number | undefined> {
  try {
    const found = (await cluster.client.processes()).filter((process) => process.pid === pid && process.kind === 'process');
    return found.length === 1 ? Number(found[0]?.node.replace('node', '')) : undefined;
  } catch {
    return undefined;
  }
}

/** @param wanted letter of proc_pid_stat(5) */
async function comesTo(wanted: number, letter: string): Promise<void> {
  await eventually(`process ${wanted} to be in state ${letter}`, async () =>
    (await cluster.client.processes()).some(({ pid, state, kind }) => pid === wanted && kind === 'process' && state === letter),
  );
}

/** Moves a tree, as often as it takes: what a fault before has left behind may still be settled. */
async function bringTo(pid: number, node: number): Promise<void> {
  await eventually(`process ${pid} to come to node ${node}`, async () => {
    if ((await whereIs(pid)) === node) return true;
    await cluster.move(pid, node, true).catch(() => undefined);
    return (await whereIs(pid)) === node;
  });
}
