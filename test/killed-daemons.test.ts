/**
 * Daemons are killed at random moments while programs run and are moved: all programs end exactly as if nothing had been.
 * KORRIGAN_KILLS and KORRIGAN_SEED choose how often and with which numbers; the seed of a run is printed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonPid } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const KILLS = Number(process.env['KORRIGAN_KILLS'] ?? 50);
const SEED = Number(process.env['KORRIGAN_SEED'] ?? Date.now() % 1_000_000);
const SHELL_KILLS = 15;
const NODES = 3;
/** So long is waited for a move between two kills. */
const PATIENCE_MILLISECONDS = 1500;
const SHELL = 'n=0; while [ ! -e $STOP ]; do echo $n; n=$((n + 1)); sleep 0.05; done; echo end';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('killed');
  for (const [name, flags] of [
    ['counter', []],
    ['ring', ['-pthread']],
  ] as const) {
    execFileSync('gcc', [
      '-O1',
      ...flags,
      '-o',
      join(cluster.directory, name),
      join(import.meta.dirname, 'programs', 'engine', `${name}.c`),
    ]);
  }
});
after(() => cluster[Symbol.asyncDispose]());

/** Park and Miller's generator. */
function generator(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

function assertCounted(file: string, seen: readonly string[]): void {
  assert.deepEqual(
    seen,
    seen.map((_, n) => String(n)),
    `${file}, seed ${SEED}`,
  );
}

/** Moves trees to and fro until so many daemons have been killed and all are there again. @returns how many moves were made */
async function moveAndKill(movable: readonly number[], count: number, random: () => number): Promise<number> {
  const over = new AbortController();
  let moves = 0;
  const moved = new EventEmitter();
  const moving = movable.map(async (pid) => {
    while (!over.signal.aborted) {
      const node = 1 + Math.floor(random() * NODES);
      await cluster.move(pid, node, true).then(
        () => {
          moves++;
          moved.emit('move');
        },
        () => undefined,
      );
      await delay(random() * 20);
    }
  });
  for (let kills = 0; kills < count; ) {
    // Not only among those that are being started again: something is to be on its way.
    await Promise.race([once(moved, 'move'), delay(PATIENCE_MILLISECONDS)]);
    await delay(random() * 100);
    const node = 1 + Math.floor(random() * NODES);
    try {
      process.kill(daemonPid(cluster.description.cluster, node), 'SIGKILL');
      kills++;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH'); // it is being started again
    }
  }
  over.abort();
  await Promise.all(moving);
  await eventually('all nodes', async () =>
    cluster.client.status().then(
      ({ nodes }) => nodes.every(({ state }) => state === 'online'),
      () => false,
    ),
  );
  return moves;
}

test(`${KILLS} daemons are killed while programs run and move`, async (t) => {
  t.diagnostic(`KORRIGAN_SEED=${SEED}`);
  const random = generator(SEED);
  const file = (name: string): string => join(cluster.directory, name);
  const counters = await Promise.all(
    [1, 2, 3].map(async (n) => ({ output: file(`counter-${n}`), pid: await cluster.start(file('counter'), file(`counter-${n}`)) })),
  );
  const ring = await cluster.start(file('ring'), file('ring.out'));
  await cluster.start(`sh -c '${SHELL}'`, file('shell.out'), { STOP: file('stop') });
  const movable = [...counters.map(({ pid }) => pid), ring];
  const moves = await moveAndKill(movable, KILLS, random);
  t.diagnostic(`${moves} moves`);
  assert.ok(moves > 0);

  for (const { output } of counters) {
    const seen = lines(output).length;
    await eventually(`${output} to go on`, () => lines(output).length > seen + 3);
    assertCounted(output, lines(output));
  }
  const rounds = lines(file('ring.out')).length;
  await eventually('the threads to go on', () => lines(file('ring.out')).length > rounds);
  assert.deepEqual(
    lines(file('ring.out')).filter((line) => line.includes('BAD')),
    [],
  );
  writeFileSync(file('stop'), '');
  await eventually('the end of the shell', () => lines(file('shell.out')).at(-1) === 'end');
  assertCounted('shell.out', lines(file('shell.out')).slice(0, -1));
  // The nodes are asked one after the other, and the last moves may still be settled.
  for (const pid of movable)
    await eventually(`exactly one process ${pid}`, async () => {
      const listed = await cluster.client.processes();
      return listed.filter((process) => process.pid === pid && process.kind === 'process').length === 1;
    });
  for (const pid of movable) await cluster.client.kill(pid, 9);
});

test('nothing is left of those that were killed', async () => {
  let left: Awaited<ReturnType<typeof cluster.client.processes>> = [];
  await eventually('all to have ended', async () => {
    left = await cluster.client.processes();
    return left.length === 0;
  }).catch(() => assert.deepEqual(left, [], `seed ${SEED}`));
});

test('a shell that forks all the time moves while daemons are killed', async (t) => {
  const [output, stop] = ['moved-shell.out', 'moved-stop'].map((name) => join(cluster.directory, name));
  assert.ok(output && stop);
  const shell = await cluster.start(`sh -c '${SHELL}'`, output, { STOP: stop });
  t.diagnostic(`${await moveAndKill([shell], SHELL_KILLS, generator(SEED))} moves`);
  writeFileSync(stop, '');
  await eventually('the end of the shell', () => lines(output).at(-1) === 'end');
  assertCounted(output, lines(output).slice(0, -1));
});
