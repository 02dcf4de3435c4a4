/** Objects that programs share through the daemons of a real cluster. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { restartDaemon, SharedObjects, type SharedSet } from '../src/node/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const NOBODY = '65534';
const OPTIONS = { timeout: 120_000 };

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('objects');
});
after(() => cluster[Symbol.asyncDispose]());

const socketOf = (id: number): string => cluster.description.nodes[id - 1]?.socket ?? '';

/** The same set by way of each node. */
async function everywhere<Content>(name: string, stack: AsyncDisposableStack): Promise<SharedSet<Content>[]> {
  const connections = await Promise.all([1, 2, 3].map((id) => SharedObjects.connect(socketOf(id))));
  for (const connection of connections) stack.use(connection);
  return Promise.all(connections.map((connection) => connection.open<Content>(name)));
}

const at = <T>(list: readonly T[], id: number): T => list[id - 1] ?? assert.fail();

/** @returns the program, and what it says first */
async function startUser(words: readonly string[], asNobody = false): Promise<{ child: ChildProcess; said: string }> {
  const program = [process.execPath, join(import.meta.dirname, 'support/object-user.ts'), ...words];
  const [command = '', ...rest] = asNobody ? ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', ...program] : program;
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, said };
}

test('programs on all nodes count together, and nobody counts over another', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const sets = await everywhere<number>('counts', stack);
  const increment = async (set: SharedSet<number>): Promise<void> => {
    for (let n = 0; n < 30; n++) await set.change(n % 3, (count = 0) => count + 1);
  };
  await Promise.all([...sets, at(sets, 1)].map(increment));
  const values = await Promise.all([0, 1, 2].map((object) => at(sets, 2).read(object)));
  assert.deepEqual(values, [40, 40, 40]);
  await at(sets, 3).remove(1);
  assert.equal(await at(sets, 1).get(1), undefined);
});

test('what a program holds is put when it dies; others wait for it, or try', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const sets = await everywhere<number>('held', stack);
  await at(sets, 1).change(5, () => 41);
  const { child, said } = await startUser([socketOf(2), 'held', '5']);
  assert.equal(said, 'has 41');
  assert.equal(await at(sets, 3).tryGrab(5), undefined);
  await assert.rejects(at(sets, 3).grab(5, { signal: AbortSignal.timeout(50) }), { code: 'KRG_CANCELLED' });
  const waiting = at(sets, 3).grab(5);
  child.kill('SIGKILL');
  await using hold = await waiting;
  assert.equal(hold.content, 41);
});

test('each user has sets of its own; only root may use those of others', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const [, , three] = await everywhere<number>('own', stack);
  await three?.change(1, () => 7);
  const other = await startUser([socketOf(1), 'own', '1'], true);
  assert.equal(other.said, 'has nothing');
  assert.equal((await startUser([socketOf(1), 'own', '1', '0'], true)).said, 'KRG_PERMISSION');
  other.child.kill();
  const connection = stack.use(await SharedObjects.connect(socketOf(2)));
  const theirs = await connection.open<number>('own', { owner: Number(NOBODY) });
  await using hold = await theirs.grab(1);
  assert.equal(hold.content, undefined);
});

test('a program hears of what programs elsewhere have written', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const sets = await everywhere<string>('watched', stack);
  const seen: string[] = [];
  const end = await at(sets, 1).watch(
    () =>
      void at(sets, 1)
        .read(3)
        .then((word) => seen.push(word ?? '')),
    3,
  );
  await at(sets, 2).change(3, () => 'first');
  await eventually('the first word', () => seen.includes('first'));
  await at(sets, 3).change(3, () => 'second');
  await eventually('the second word', () => seen.at(-1) === 'second');
  await end();
});

test('who breaks the rules loses the connection and what it held, and nobody else anything', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const [set] = await everywhere<number>('kept from garbage', stack);
  await set?.change(1, () => 3);
  const open = { id: 1, do: 'open', name: 'kept from garbage', create: true, replicas: 1 };
  const grab = { id: 2, do: 'grab', set: 0, object: 1, create: true };
  const broken = ['no JSON', '{"id":3,"do":"rob"}', '{"id":3,"do":"get","set":0,"object":-1,"create":true}', 'x'.repeat(3 << 20)];
  for (const line of broken) {
    const socket = connect(socketOf(2));
    socket.on('error', () => undefined);
    socket.write('POST /v1/objects HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: korrigan-objects\r\n\r\n');
    let said = '';
    socket.on('data', (bytes) => (said += String(bytes)));
    socket.write(`${JSON.stringify(open)}\n`);
    await eventually('the set', () => said.includes('"set":0'));
    socket.write(`${JSON.stringify(grab)}\n`);
    await eventually('the object', () => said.includes('"hold":1'));
    socket.write(`${line}\n`);
    await once(socket, 'close');
    assert.match(said, /KRG_BAD_REQUEST|KRG_LIMIT/, line.slice(0, 80));
    assert.equal(await set?.change(1, (count = 0) => count), 3);
  }
  const connection = stack.use(await SharedObjects.connect(socketOf(2)));
  await assert.rejects(connection.ask({ do: 'put', hold: 7 }), { code: 'KRG_NOT_HELD' });
  await assert.rejects(connection.ask({ do: 'get', set: 9, object: 1, create: true }), { code: 'KRG_BAD_REQUEST' });
});

test('daemons are killed one after the other: what was put is there, and is used on', OPTIONS, async () => {
  await using stack = new AsyncDisposableStack();
  const sets = await everywhere<{ readonly word: string }>('kept', stack);
  for (let object = 0; object < 12; object++) await at(sets, (object % 3) + 1).change(object, () => ({ word: `word ${object}` }));
  for (const id of [3, 1]) {
    await restartDaemon(cluster.description.cluster, id);
    const again = stack.use(await SharedObjects.connect(socketOf(id)));
    const set = (await again.find<{ readonly word: string }>('kept')) ?? assert.fail();
    for (let object = 0; object < 12; object++) assert.deepEqual(await set.read(object), { word: `word ${object}` });
    await set.change(id, ({ word } = { word: '' }) => ({ word }));
  }
  await assert.rejects(at(sets, 1).read(1), { code: 'KRG_STREAM_BROKEN' });
});
