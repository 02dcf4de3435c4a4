/** Migration between the containers of two nodes, without daemons. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './support/engine.ts';
import { type JoinedNode, startJoinedNodes } from './support/joined-node.ts';
import { buildProgram } from './support/programs.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-migration-'));
chmodSync(directory, 0o755);
let nodes: readonly JoinedNode[] = [];

before(async () => {
  nodes = await startJoinedNodes(`test-migration-${process.pid}`, 2);
});
after(async () => {
  for (const joined of nodes) await joined[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function node(id: number): JoinedNode {
  const found = nodes[id - 1];
  assert.ok(found);
  return found;
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

function assertCounted(numbers: readonly string[]): void {
  assert.deepEqual(
    numbers.map(Number),
    numbers.map((_, n) => n),
  );
}

test('a counter moves back and forth between two nodes and misses no number; its end is told to its home', async () => {
  const output = join(directory, 'counter.out');
  const pid = await node(1).start(`exec ${await buildProgram('counter')} 2`, output);
  await until(() => lines(output).length > 3, 'the first numbers');
  for (let hop = 0; hop < 20; hop++) {
    const [from, to] = hop % 2 === 0 ? [1, 2] : [2, 1];
    const report = await node(from).epm.migrate(pid, to, false);
    assert.deepEqual(report.pids, [pid]);
    const seen = lines(output).length;
    await until(() => lines(output).length > seen + 3, `progress after hop ${hop + 1}`);
  }
  await node(1).epm.migrate(pid, 2, false);
  assert.equal(await node(1).proc.locate(pid), 2);
  assert.equal(await node(2).proc.locate(pid), 2);
  process.kill(node(2).container.hostPidOf(pid) ?? 0, 'SIGKILL');
  await until(() => node(1).ended.has(pid), 'the end at home');
  assert.equal(node(1).ended.get(pid), 9);
  assertCounted(lines(output));
});

/** Ports on which something listens on this machine. */
const listening = (): number[] =>
  readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .map((line) => /^ *\d+: [0-9A-F]{8}:([0-9A-F]{4}) [0-9A-F:]+ 0A /.exec(line)?.[1])
    .flatMap((port) => (port === undefined ? [] : [Number.parseInt(port, 16)]));

test('strangers on the port of a migration: they are passed over, and the process moves', async () => {
  const output = join(directory, 'strangers.out');
  const pid = await node(1).start(`exec ${await buildProgram('counter')} 2`, output);
  await until(() => lines(output).length > 3, 'the first numbers');
  const garbage = [
    randomBytes(100_000), // no frame at all
    Buffer.alloc(24, 0xff), // a frame of the largest length
    Buffer.alloc(10), // the beginning of one
    Buffer.concat([Buffer.from(Uint32Array.of(1, 5, 0, 0, 0, 0).buffer), randomBytes(5)]), // a message that is none
    Buffer.alloc(0),
  ] as const;
  let seen = 0;
  for (let hop = 0; hop < 2 * garbage.length; hop++) {
    const known = new Set(listening());
    const from = (await node(1).proc.locate(pid)) === 1 ? 1 : 2;
    const moving = node(from)
      .epm.migrate(pid, 3 - from, false)
      .then(
        () => undefined,
        (error: Error & { code?: string }) => error,
      );
    const progress = { isOver: false };
    void moving.then(() => (progress.isOver = true));
    while (!progress.isOver) {
      for (const port of listening().filter((candidate) => !known.has(candidate))) {
        known.add(port);
        seen++;
        const stranger = connect({ host: '127.0.0.1', port });
        stranger.on('error', () => undefined);
        stranger.end(garbage[hop % garbage.length] ?? '');
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    const error = await moving;
    assert.equal(error, undefined);
    const count = lines(output).length;
    await until(() => lines(output).length > count + 1, 'progress after the move');
  }
  assert.ok(seen > 0, 'no port of a migration was found');
  const at = await node(1).proc.locate(pid);
  await node(at).epm.migrate(pid, 3 - at, false);
  process.kill(node(3 - at).container.hostPidOf(pid) ?? 0, 'SIGKILL');
  await until(() => node(1).ended.has(pid), 'the end at home');
  assertCounted(lines(output));
});
