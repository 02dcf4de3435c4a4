/**
 * Thousands of real-time signals with values are queued to a process that moves. None is lost or doubled, and each says who sent
 * it. Away from home they reach it by way of its husk.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const SIGNALS = 10_000;
/** Real-time signals of that many numbers take turns. */
const NUMBERS = 4;
const MOVES = 50;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('storm');
});
after(() => cluster[Symbol.asyncDispose]());

const nodeOf = (move: number): number => [2, 3, 1][move % 3] ?? 1;

interface Storm {
  /** The receiver takes none before the last was sent. */
  readonly late: boolean;
  /** Most signals that may wait at the receiver; 0: as many as its user may have. */
  readonly limit: number;
}

/** Jumps in the order of signals that were seen, by test. */
const disorder = new Map<string, number>();

async function storm(name: string, { late, limit }: Storm): Promise<void> {
  const [output, goFile] = ['received', 'go'].map((what) => join(cluster.directory, `${name}.${what}`));
  assert.ok(output && goFile);
  writeFileSync(output, '');
  const received = (): string => readFileSync(output, 'utf8');
  const values = SIGNALS / NUMBERS;
  const pid = await cluster.start(`${await buildProgram('storm')} ${values} ${NUMBERS} ${late ? 1 : 0} ${limit}`, output, {
    KRG_GO: goFile,
  });
  await eventually('"ready"', () => received().includes('ready\n'));
  const sender = await cluster.attach([await buildProgram('queue-signals'), ...[pid, values, NUMBERS, values / MOVES].map(String)]);
  const sent = textOf(sender.stdout);
  for (let move = 0; move < MOVES; move++) {
    sender.stdin.write('x'); // the next batch, which is under way while the process moves
    await cluster.move(pid, nodeOf(move)).catch((error: unknown) => {
      throw new Error(`move ${move + 1} failed, the receiver says ${received()}`, { cause: error });
    });
  }
  if (late) await sender.exited;
  writeFileSync(goFile, '');
  await eventually('the end of the receiver', () => /^(pass|FAIL)/m.test(received()));
  assert.match(received(), new RegExp(`^pass ${SIGNALS} signals from ${sender.pid}, \\d+ out of order$`, 'm'));
  disorder.set(name, Number(/(\d+) out of order$/m.exec(received())?.[1]));
  assert.equal(await sent, `pass ${SIGNALS} signals sent\n`);
  assert.deepEqual(await sender.exited, { kind: 'exited', code: 0 });
}

test(`${SIGNALS} signals to a process that takes them during ${MOVES} moves`, () => storm('taken', { late: false, limit: 0 }));

test(`${SIGNALS} signals, of which few may wait`, () => storm('few', { late: false, limit: 50 }));

test(`${SIGNALS} signals that all wait for ${MOVES} moves`, () => storm('late', { late: true, limit: 0 }));

test('the signals came in the order in which they were sent', () => {
  assert.deepEqual(
    [...disorder],
    [
      ['taken', 0],
      ['few', 0],
      ['late', 0],
    ],
  );
});
