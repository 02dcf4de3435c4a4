/** Many moves in a row leave nothing behind: no process, descriptor, thread, mapping, mount, cgroup or file on any node, and no memory in the daemons. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { daemonResources, takeCensus, type NodeCensus } from './support/census.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const SIGTERM = 15;
/** Until the threads of the daemons have made what they keep. */
const WARM_UP_MOVES = 500;
/** What a thousand moves may add to a daemon: one thing in thirty moves would be more. */
const SLACK = { descriptors: 32, threads: 8, mappings: 384, bytes: 64 << 20 } as const;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('leaks');
});
after(() => cluster[Symbol.asyncDispose]());

/** What a node has now and had not before. Less is no leak: something was on its way out then. */
function excess(now: NodeCensus | undefined, first: NodeCensus | undefined): string[] {
  const had = new Map(Object.entries(first ?? {}) as [string, unknown][]);
  return (Object.entries(now ?? {}) as [string, unknown][]).flatMap(([kind, value]) => {
    const earlier = had.get(kind);
    if (Array.isArray(value) && Array.isArray(earlier)) {
      const left = [...earlier] as unknown[];
      const added = value.filter((item: unknown) => {
        const at = left.findIndex((other) => JSON.stringify(other) === JSON.stringify(item));
        if (at >= 0) left.splice(at, 1);
        return at < 0;
      });
      return added.map((item: unknown) => `${kind}: ${JSON.stringify(item)}`);
    }
    if (typeof value === 'number' && typeof earlier === 'number') return value > earlier ? [`${kind}: ${value}, before ${earlier}`] : [];
    return JSON.stringify(value) === JSON.stringify(earlier) ? [] : [`${kind}: ${JSON.stringify(value)}`];
  });
}

/** Waits until the nodes have nothing that they had not before. */
async function assertNothingIsLeft(expected: readonly NodeCensus[], what: string): Promise<void> {
  let left: string[][] = [];
  await eventually(`the end of what ${what} left`, async () => {
    const now = await takeCensus(cluster.description);
    left = now.map((census, n) => excess(census, expected[n]));
    return left.flat().length === 0;
  }).catch(() =>
    assert.deepEqual(
      left,
      expected.map(() => []),
    ),
  );
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
  const empty = await takeCensus(cluster.description);
  const { pid, printed } = await start(await buildProgram('sleeper'), 'small');
  await eventually('"ready"', () => printed().includes('ready'));
  await moveBackAndForth(pid, WARM_UP_MOVES);
  const census = await takeCensus(cluster.description);
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
  const empty = await takeCensus(cluster.description);
  const { pid, printed } = await start(`${await buildProgram('fork-tree')} 5 5`, 'tree');
  await eventually('the first round', () => printed().includes('round'));
  await moveBackAndForth(pid, 10, true);
  const census = await takeCensus(cluster.description);
  await moveBackAndForth(pid, 100, true);
  await assertNothingIsLeft(census, '100 moves of a tree');
  await finish(pid, printed);
  await assertNothingIsLeft(empty, 'the tree');
});

test('100 moves of a process with 50 open files', async () => {
  const empty = await takeCensus(cluster.description);
  const { pid, printed } = await start(`${await buildProgram('gap')} 1000 ${join(cluster.directory, 'gap')} 0 1 50`, 'files');
  await moveBackAndForth(pid, 10);
  const census = await takeCensus(cluster.description);
  await moveBackAndForth(pid, 100);
  await assertNothingIsLeft(census, '100 moves with files');
  await finish(pid, printed);
  await assertNothingIsLeft(empty, 'the process');
});
