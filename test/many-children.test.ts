/**
 * A parent whose many children are moved and killed at random over the nodes collects each exactly once, with the status that it ended with.
 * KORRIGAN_CHILDREN and KORRIGAN_SECONDS make more of it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const CHILDREN = Number(process.env['KORRIGAN_CHILDREN'] ?? 100);
const SECONDS = Number(process.env['KORRIGAN_SECONDS'] ?? 10);
/** Moves that are under way at a time. */
const MOVERS = 3;
/** One child in so many is killed. */
const KILLED = 4;
/** What is no fault of a move: the child has ended, or is just ending. */
const ENDED = /KRG_NO_SUCH_PROCESS|KRG_PROCESS_BUSY|KRG_PROCESS_ELSEWHERE|KRG_BAD_REQUEST|it has ended/;
const SIGKILL = 9;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('many-children');
});
after(() => cluster[Symbol.asyncDispose]());

const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] ?? assert.fail('nothing to pick');

test(`${CHILDREN} children over three nodes`, { timeout: (SECONDS + 60) * 1000 }, async (context) => {
  const output = join(cluster.directory, 'parent.out');
  await cluster.start(`${await buildProgram('many-children')} ${CHILDREN} ${SECONDS * 1000}`, output);
  const lines = (): string[] => readFileSync(output, 'utf8').split('\n').slice(0, -1);
  const words = (kind: string): [pid: number, status: number][] =>
    lines().flatMap((line) => {
      const [word, pid, status] = line.split(' ');
      return word === kind ? [[Number(pid), Number(status)]] : [];
    });
  while (!lines().includes('all born')) await delay(20);
  const born = new Map(words('born'));
  const killed = new Set<number>();
  let moves = 0;
  const isOver = (): boolean => lines().some((line) => /^(none left|failed)$/.test(line));
  const movers = Array.from({ length: MOVERS }, async () => {
    while (!isOver()) {
      const pid = pick([...born.keys()]);
      if (Math.random() < 1 / 8 && killed.size < CHILDREN / KILLED) {
        killed.add(pid);
        await cluster.client.kill(pid, SIGKILL).catch(() => undefined); // it has ended by itself
        continue;
      }
      await cluster.move(pid, pick([1, 2, 3])).then(
        () => moves++,
        (error: unknown) => assert.match(String(error), ENDED),
      );
    }
  });
  await Promise.all(movers);
  const collected = words('collected');
  assert.equal(lines().at(-1), 'none left');
  assert.deepEqual(
    collected.map(([pid]) => pid).toSorted((one, other) => one - other),
    [...born.keys()].toSorted((one, other) => one - other),
  );
  const wrong = collected.filter(([pid, status]) => status !== (born.get(pid) ?? 0) << 8 && !(killed.has(pid) && status === SIGKILL));
  assert.deepEqual(wrong, []);
  context.diagnostic(`${moves} moves, ${killed.size} killed`);
  assert.ok(moves > 0);
  assert.ok(collected.some(([, status]) => status === SIGKILL));
});
