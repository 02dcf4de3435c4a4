/** Many moves in a row leave nothing behind: no process, descriptor, thread, mapping, mount, cgroup or file on any node, and no memory in the daemons. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonResources, takeCensus, type NodeCensus } from './support/census.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const SIGTERM = 15;
/** Until the threads of the daemons have made what they keep. */
const WARM_UP_MOVES = 500;
/** What a thousand moves may add to a daemon: one thing in thirty moves would be more. */
const SLACK = { descriptors: 32, threads: 8, mappings: 256, bytes: 64 << 20 } as const;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('leaks');
});
after(() => cluster[Symbol.asyncDispose]());

/** Waits until the nodes have again what they had before. */
async function assertNothingIsLeft(expected: readonly NodeCensus[], what: string): Promise<void> {
  let now: readonly NodeCensus[] = [];
  await eventually(`the end of what ${what} left`, async () => {
    now = await takeCensus(cluster.description);
    return JSON.stringify(now) === JSON.stringify(expected);
  }).catch(() => assert.deepEqual(now, expected));
}

/** What the nodes have when nothing that is on its way out is left. */
async function settledCensus(): Promise<readonly NodeCensus[]> {
  let last = '';
  let now: readonly NodeCensus[] = [];
  await eventually('nothing to be on its way', async () => {
    const earlier = last;
    now = await takeCensus(cluster.description);
    last = JSON.stringify(now);
    if (last === earlier && !last.includes('(zombie)')) return true;
    await delay(500);
    return false;
  });
  return now;
}

async function start(words: string, name: string): Promise<{ pid: number; printed: () => string }> {
  const output = join(cluster.directory, name);
  const pid = await cluster.start(words, output);
  const printed = (): string => readFileSync(output, 'utf8');
  return { pid, printed };
}

async function moveBackAndForth(pid: number, moves: number, tree = false): Promise<void> {
  for (let move = 0; move < moves; move++) await cluster.move(pid, move % 2 === 0 ? 2 : 1, tree);
}

/** Ends it with its own verdict. */
async function finish(pid: number, printed: () => string): Promise<void> {
  await cluster.client.kill(pid, SIGTERM);
  await eventually(`the verdict of ${pid}`, () => /^(pass|FAIL)/m.test(printed()));
  assert.match(printed(), /^pass/m);
}

test('1,000 moves of a small process', async () => {
  const empty = await settledCensus();
  const { pid, printed } = await start(await buildProgram('sleeper'), 'small');
  await eventually('"ready"', () => printed().includes('ready'));
  await moveBackAndForth(pid, WARM_UP_MOVES);
  const census = await settledCensus();
  const resources = daemonResources(cluster.description);
  await moveBackAndForth(pid, 1000);
  await assertNothingIsLeft(census, '1,000 moves');
  for (const [n, now] of daemonResources(cluster.description).entries()) {
    for (const kind of ['descriptors', 'threads', 'mappings', 'bytes'] as const) {
      const growth = now[kind] - (resources[n]?.[kind] ?? 0);
      assert.ok(growth <= SLACK[kind], `the daemon of node ${n + 1} has ${growth} more ${kind} than before 1,000 moves`);
    }
  }
  await finish(pid, printed);
  await assertNothingIsLeft(empty, 'the process');
});

test('100 moves of a tree of five processes', async () => {
  const empty = await settledCensus();
  const { pid, printed } = await start(`${await buildProgram('fork-tree')} 5 5`, 'tree');
  await eventually('the first round', () => printed().includes('round'));
  await moveBackAndForth(pid, 10, true);
  const census = await settledCensus();
  await moveBackAndForth(pid, 100, true);
  await assertNothingIsLeft(census, '100 moves of a tree');
  await finish(pid, printed);
  await assertNothingIsLeft(empty, 'the tree');
});

test('100 moves of a process with 50 open files', async () => {
  const empty = await settledCensus();
  const { pid, printed } = await start(`${await buildProgram('gap')} 1000 ${join(cluster.directory, 'gap')} 0 1 50`, 'files');
  await moveBackAndForth(pid, 10);
  const census = await settledCensus();
  await moveBackAndForth(pid, 100);
  await assertNothingIsLeft(census, '100 moves with files');
  await finish(pid, printed);
  await assertNothingIsLeft(empty, 'the process');
});
