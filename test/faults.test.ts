/**
 * A daemon is killed at every step of a move, on either side, in both directions: afterwards exactly one copy of the process lives, and it
 * has missed nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FAULT_POINTS } from '../src/epm/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Faults } from './support/faults.ts';

let cluster: TestCluster;
let faults: Faults;
let binary: string;
before(async () => {
  faults = new Faults();
  cluster = await startTestCluster('faults');
  binary = join(cluster.directory, 'counter');
  execFileSync('gcc', ['-O1', '-o', binary, join(import.meta.dirname, 'programs', 'engine', 'counter.c')]);
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  faults[Symbol.dispose]();
});

function lines(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

/** A shell that tells how the counter below it ended. */
async function startFamily(name: string): Promise<{ root: number; pid: number; output: string; status: string }> {
  const [output, status] = [join(cluster.directory, `${name}.out`), join(cluster.directory, `${name}.status`)];
  const root = await cluster.start(`sh -c '${binary} >>${output}; echo $?'`, status);
  const { pid } = await eventually('the counter', async () =>
    (await cluster.client.processes()).find((process) => process.ppid === root && process.command.includes('counter')),
  );
  await eventually('the first numbers', () => lines(output).length > 2);
  return { root, pid, output, status };
}

/** Where a process runs; undefined while a node does not answer or it is not exactly one. */
async function whereIs(pid: number): Promise<number | undefined> {
  try {
    const found = (await cluster.client.processes()).filter((process) => process.pid === pid && process.kind === 'process');
    return found.length === 1 ? Number(found[0]?.node.replace('node', '')) : undefined;
  } catch {
    return undefined;
  }
}

/** How many files the pid 1 of each node has open. */
async function openDescriptors(): Promise<number[]> {
  const { nodes } = await cluster.client.status();
  return nodes.map(({ daemon }) => readdirSync(`/proc/${daemon?.containerPid}/fd`).length);
}

async function assertGoesOn(pids: readonly number[], output: string): Promise<void> {
  await eventually('all nodes', async () => (await cluster.client.status()).nodes.every(({ state }) => state === 'online'));
  for (const pid of pids) await eventually(`exactly one process ${pid}`, () => whereIs(pid));
  const seen = lines(output).length;
  await eventually('progress', () => lines(output).length > seen + 10);
  assertCounted(output);
}

function assertCounted(output: string): void {
  const numbers = lines(output).map(Number);
  assert.deepEqual(
    numbers,
    numbers.map((_, n) => n),
  );
}

/** The counter is terminated, and the shell above it sees that. */
async function assertEnds({ pid, output, status }: { pid: number; output: string; status: string }): Promise<void> {
  await eventually('the end', async () =>
    cluster.client.kill(pid, 15).then(
      () => true,
      () => false,
    ),
  );
  // The shell may say first that it was terminated.
  const told = (): string[] => lines(status).filter((line) => line !== 'Terminated');
  await eventually('its status', () => told().length > 0);
  assert.deepEqual(told(), ['143']);
  assertCounted(output);
}

/** Moves it, as often as it takes: what a fault before has left behind may still be settled. */
async function bringTo({ root, pid }: { root: number; pid: number }, node: number): Promise<void> {
  await eventually(`process ${pid} to come to node ${node}`, async () => {
    if ((await whereIs(pid)) === node) return true;
    await cluster.move(root, node, true).catch(() => undefined);
    return (await whereIs(pid)) === node;
  });
}

describe('a daemon is killed', () => {
  for (const side of ['source', 'target'] as const) {
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const) {
      test(`the ${side}'s, at every step of a move from node ${from} to node ${to}`, async () => {
        const family = await startFamily(`${side}-${from}`);
        const { root, pid, output } = family;
        const open = await openDescriptors();
        const killed = side === 'source' ? from : to;
        for (const point of FAULT_POINTS[side]) {
          await bringTo(family, from);
          faults.kill(killed, point);
          await eventually(`node ${killed} to come to ${point}`, async () => {
            await cluster.move(root, to, true).catch(() => undefined);
            return faults.wasReached(killed, point);
          });
          faults.forget(killed, point);
          await assertGoesOn([root, pid], output);
        }
        // What the last fault has left behind is settled, too.
        await bringTo(family, from);
        await assertEnds(family);
        assert.deepEqual(await openDescriptors(), open, 'pid 1 keeps files open');
      });
    }
  }
});

test('both daemons are killed as the decision falls, and a husk of the process has ended on the target before', async () => {
  const family = await startFamily('both');
  const { root, pid, output } = family;
  await bringTo(family, 2);
  await bringTo(family, 1);
  await eventually('the end of the husks', async () => (await cluster.client.processes()).every(({ kind }) => kind === 'process'));
  faults.kill(1, 'source.committed');
  faults.kill(2, 'target.imported');
  await cluster.move(root, 2, true).catch(() => undefined);
  for (const [node, point] of [
    [1, 'source.committed'],
    [2, 'target.imported'],
  ] as const) {
    await eventually(`node ${node} to come to ${point}`, () => faults.wasReached(node, point));
    faults.forget(node, point);
  }
  await assertGoesOn([root, pid], output);
  await bringTo(family, 1);
  await assertEnds(family);
});
