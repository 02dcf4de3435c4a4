/** Locks, barriers and their like on a cluster of daemons: programs, daemons and nodes die over them. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isKorriganError } from '../src/linux/errors.ts';
import { daemonPid, NodeClient } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { becomes, killNode, returnNode } from './support/nodes.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('locks');
});
after(() => cluster[Symbol.asyncDispose]());

const KRG = fileURLToPath(new URL('../krg', import.meta.url));

interface Krg {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
  readonly ended: Promise<number | null>;
}

/** Starts krg beside the cluster, as a user does; it asks the daemon of that node. */
function krg(node: number, words: readonly string[], uid?: number): Krg {
  const env = { ...process.env, KRG_CLUSTER: cluster.description.cluster };
  const child = spawn(KRG, [words[0] ?? '', '--at', `node${node}`, ...words.slice(1)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const running: Krg = {
    child,
    stdout: '',
    stderr: '',
    ended: new Promise((resolve) => child.on('close', resolve)),
  };
  child.stdout.on('data', (chunk: Buffer) => (running.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (running.stderr += chunk.toString()));
  return running;
}

function clientOf(node: number): NodeClient {
  const socket = cluster.description.nodes.find(({ id }) => id === node)?.socket;
  assert.ok(socket);
  return new NodeClient(socket);
}

/** How many hold it, and how many wait for it, as this node sees it. */
async function claims(name: string, node = 1): Promise<{ readonly holders: number; readonly waiters: number }> {
  const { things } = await clientOf(node).locks();
  const thing = things.find((each) => each.name === name);
  return { holders: thing?.holders.length ?? 0, waiters: thing?.waiters.length ?? 0 };
}

async function becomesClaimed(name: string, holders: number, waiters: number): Promise<void> {
  await eventually(`${name} is held by ${holders} and awaited by ${waiters}`, async () => {
    const found = await claims(name);
    return found.holders === holders && found.waiters === waiters;
  });
}

test('one at a time, from all nodes, and the status is that of the command', async () => {
  const counter = join(cluster.directory, 'counter');
  writeFileSync(counter, '0');
  const script = `n=$(cat ${counter}); sleep 0.01; echo $((n + 1)) > ${counter}; exit 9`;
  const running = [1, 2, 3, 1, 2, 3, 1, 2, 3].map((node) => krg(node, ['lock', 'counter', '--', 'sh', '-c', script]));
  assert.deepEqual(
    await Promise.all(running.map(({ ended }) => ended)),
    Array.from(running, () => 9),
  );
  assert.equal(readFileSync(counter, 'utf8').trim(), '9');
  assert.deepEqual((await clientOf(2).locks()).things, []);
});

test('shared, not waiting, for a time; who has it is listed on every node', async () => {
  const first = krg(1, ['lock', 'pages', '--shared', '--', 'sleep', '1000']);
  await becomesClaimed('pages', 1, 0);
  assert.equal(await krg(2, ['lock', 'pages', '--shared', '--try', '--', 'true']).ended, 0);
  const busy = krg(3, ['lock', 'pages', '--try', '--', 'true']);
  assert.equal(await busy.ended, 1);
  assert.match(busy.stderr, /KRG_LOCK_BUSY/);
  const late = krg(3, ['lock', 'pages', '--timeout', '50ms', '-E', '44', '--', 'true']);
  assert.equal(await late.ended, 44);
  assert.match(late.stderr, /KRG_DEADLINE/);
  for (const node of [1, 2, 3]) {
    const listing = krg(node, ['locks']);
    assert.equal(await listing.ended, 0);
    assert.match(listing.stdout, /^pages +lock +\S+ +holds shared +node1 +\S+ +krg lock pages -- sleep 1000 \(pid \d+, uid \d+\)$/m);
  }
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 143);
  await becomesClaimed('pages', 0, 0);
});

test('who is killed leaves the lock to the next, who is told', async () => {
  const first = krg(1, ['lock', 'ledger', '--', 'sleep', '2']);
  await becomesClaimed('ledger', 1, 0);
  const second = krg(2, ['lock', 'ledger', '--', 'printenv', 'KRG_LOCK_OWNER_DIED']);
  await becomesClaimed('ledger', 1, 1);
  first.child.kill('SIGKILL');
  assert.equal(await second.ended, 0);
  assert.equal(second.stdout, '1\n');
  assert.match(second.stderr, /the last owner of ledger died/);
  // It has been repaired.
  assert.equal(await krg(3, ['lock', 'ledger', '--', 'printenv', 'KRG_LOCK_OWNER_DIED']).ended, 1);
});

test('a barrier opens for all at once, on whatever nodes; who leaves has not come', async () => {
  const gone = krg(1, ['barrier', 'start', '3']);
  await becomesClaimed('start', 0, 1);
  gone.child.kill('SIGKILL');
  await becomesClaimed('start', 0, 0);
  const two = [1, 2].map((node) => krg(node, ['barrier', 'start', '3', '--json']));
  await becomesClaimed('start', 0, 2);
  const other = krg(1, ['barrier', 'start', '4']);
  assert.equal(await other.ended, 2);
  assert.match(other.stderr, /KRG_BARRIER_MISMATCH/);
  const third = krg(3, ['barrier', 'start', '3', '--json']);
  const all = [...two, third];
  assert.deepEqual(await Promise.all(all.map(({ ended }) => ended)), [0, 0, 0]);
  assert.equal(all.filter(({ stdout }) => (JSON.parse(stdout) as { serial: boolean }).serial).length, 1);
  assert.equal(await krg(2, ['barrier', 'start', '3', '--timeout', '50ms']).ended, 1);
});

test('who waits for whom in a circle is named, across nodes', async () => {
  const nested = (first: string, second: string, at: number): string[] => {
    return ['lock', first, '--', 'sh', '-c', `${KRG} barrier both 2 && exec ${KRG} lock ${second} --at node${at} -- true`];
  };
  const one = krg(1, nested('left', 'right', 2));
  const two = krg(2, nested('right', 'left', 3));
  await eventually('the deadlock is told', () => one.stderr.includes('a deadlock') && two.stderr.includes('a deadlock'));
  assert.match(one.stderr, /krg lock right -- true .* on node2 waits for right, which is held by krg lock right .* on node2/);
  assert.match(one.stderr, /krg lock left -- true .* on node3 waits for left, which is held by krg lock left .* on node1/);
  assert.equal((await clientOf(3).locks()).deadlocks.length, 1);
  one.child.kill('SIGTERM');
  await one.ended;
  assert.equal(await two.ended, 0);
  const self = krg(1, ['lock', 'self', '--', KRG, 'lock', 'self', '--', 'true']);
  assert.equal(await self.ended, 5);
  assert.match(self.stderr, /KRG_DEADLOCK/);
});

test('names belong to their users', async () => {
  const NOBODY = 65_534;
  const mine = krg(1, ['lock', 'private', '--', 'sleep', '1000']);
  await becomesClaimed('private', 1, 0);
  const theirs = krg(2, ['lock', 'private', '--try', '--', 'echo', 'had'], NOBODY);
  assert.equal(await theirs.ended, 0, theirs.stderr);
  const listing = krg(3, ['locks'], NOBODY);
  assert.equal(await listing.ended, 0);
  assert.doesNotMatch(listing.stdout, /private/);
  const forbidden = krg(2, ['lock', 'private', '--user', 'root', '--try', '--', 'true'], NOBODY);
  assert.equal(await forbidden.ended, 4);
  const allowed = krg(2, ['lock', 'private', '--user', String(NOBODY), '--try', '--', 'true']);
  assert.equal(await allowed.ended, 0);
  mine.child.kill('SIGTERM');
  await mine.ended;
});

test('semaphores, condition variables and numbers, by the library', async () => {
  await using one = await clientOf(1).sync('one');
  await using two = await clientOf(2).sync('two');
  await one.createSemaphore('slots', 2);
  const slot = await one.hold('slots', 2);
  await assert.rejects(two.take('slots', 1, { timeoutMs: 0 }), (error) => isKorriganError(error, 'KRG_LOCK_BUSY'));
  const taken = two.take('slots');
  await becomesClaimed('slots', 1, 1);
  await slot.giveBack();
  await taken;
  await two.post('slots');
  await two.remove('semaphore', 'slots');
  await assert.rejects(one.take('slots'), (error) => isKorriganError(error, 'KRG_NO_SUCH_OBJECT'));

  const held = await one.lock('guard');
  const waiting = held.wait('ready');
  const guard = await two.lock('guard');
  assert.ok(guard.token > held.token);
  await two.signal('ready');
  await guard.release();
  const { signalled, lock } = await waiting;
  assert.equal(signalled, true);
  assert.equal((await lock.wait('ready', { timeoutMs: 20 })).signalled, false);

  const numbers = await Promise.all([one, two, one, two].map((session) => session.reserve('tickets', 5)));
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    [1, 6, 11, 16],
  );
});

test('a command ends when its daemon does, and what it held goes on elsewhere', async () => {
  const first = krg(1, ['lock', 'daemon', '--', 'sleep', '1000']);
  await becomesClaimed('daemon', 1, 0);
  const second = krg(2, ['lock', 'daemon', '--', 'printenv', 'KRG_LOCK_OWNER_DIED']);
  await becomesClaimed('daemon', 1, 1);
  process.kill(daemonPid(cluster.description.cluster, 1), 'SIGKILL');
  assert.equal(await first.ended, 255);
  assert.match(first.stderr, /KRG_LOCK_LOST/);
  assert.equal(await second.ended, 0);
  assert.equal(second.stdout, '1\n');
});

test('a node that is taken out gives up what it has first, and has its part again when it is added', async () => {
  const first = krg(3, ['lock', 'leaving', '--', 'sleep', '1000']);
  await becomesClaimed('leaving', 1, 0);
  const second = krg(1, ['lock', 'leaving', '--', 'true']);
  await becomesClaimed('leaving', 1, 1);
  const drain = krg(1, ['drain', 'node3']);
  assert.equal(await drain.ended, 0, drain.stderr);
  assert.equal(await first.ended, 255);
  assert.equal(await second.ended, 0);
  const refused = krg(3, ['lock', 'leaving', '--timeout', '100ms', '--', 'true']);
  assert.notEqual(await refused.ended, 0);
  const add = krg(1, ['add', 'node3']);
  assert.equal(await add.ended, 0, add.stderr);
  await becomes(cluster, 3, 'online');
  assert.equal(await krg(3, ['lock', 'leaving', '--', 'true']).ended, 0);
});

test('a node that dies leaves its locks to others, who are told, and no lock is forgotten', async () => {
  const kept = krg(1, ['lock', 'kept', '--', 'sleep', '1000']);
  const lost = krg(3, ['lock', 'lost', '--', 'sleep', '1000']);
  await becomesClaimed('kept', 1, 0);
  await becomesClaimed('lost', 1, 0);
  const next = krg(2, ['lock', 'lost', '--', 'printenv', 'KRG_LOCK_OWNER_DIED']);
  await becomesClaimed('lost', 1, 1);
  killNode(cluster, 3);
  assert.equal(await next.ended, 0);
  assert.equal(next.stdout, '1\n');
  assert.equal(await lost.ended, 255);
  assert.equal(await krg(2, ['lock', 'kept', '--try', '--', 'true']).ended, 1);
  await becomes(cluster, 3, 'dead');
  await returnNode(cluster, 3);
  await becomes(cluster, 3, 'online');
  assert.equal(await krg(3, ['lock', 'kept', '--try', '--', 'true']).ended, 1);
  kept.child.kill('SIGTERM');
  await kept.ended;
  assert.equal(await krg(3, ['lock', 'kept', '--', 'true']).ended, 0);
});
