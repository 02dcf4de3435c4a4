/** Tables: what is kept for whom, and what travels. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { act, type Actor, purge } from './actions.ts';
import type { Owner } from './owners.ts';
import { EMPTY_TABLE, keyOf, outcomeOf, type Table, tableLinker, tableOf } from './table.ts';

const ACTOR: Actor = { self: 1, has: () => false };
const SEMAPHORE = keyOf('semaphore', '0', 'units');
const BARRIER = keyOf('barrier', '0', 'all');

function owner(node: number, client = node): Owner {
  return { node, life: 'one', epoch: 1, client, session: String(client), label: 'a program' };
}

function waiter(node: number): { owner: Owner; claim: number; since: number } {
  return { owner: owner(node), claim: node, since: 0 };
}

function name(node: number): { node: number; life: string; claim: number } {
  return { node, life: 'one', claim: node };
}

test('what a semaphore does not know afterwards is kept for another node until it has been heard', () => {
  let { table } = act(EMPTY_TABLE, SEMAPHORE, { kind: 'create-semaphore', value: 0 }, ACTOR);
  for (const node of [1, 2]) {
    const claim = { ...waiter(node), count: 1, undo: false };
    table = act(table, SEMAPHORE, { kind: 'take', claim, isTry: false }, ACTOR).table;
  }
  const posted = act(table, SEMAPHORE, { kind: 'post', count: 2 }, ACTOR);
  assert.deepEqual(
    posted.answers.map(({ owner: { node } }) => node),
    [1, 2],
  );
  assert.equal(outcomeOf(posted.table, SEMAPHORE, name(1)), undefined);
  const outcome = outcomeOf(posted.table, SEMAPHORE, name(2));
  assert.ok(typeof outcome === 'object' && outcome.kind === 'granted');
  const { table: heard } = act(posted.table, SEMAPHORE, { kind: 'acknowledge', name: name(2) }, ACTOR);
  assert.deepEqual(heard.answers, []);
});

test('a barrier opens for all who have come; one who died while it waited has not come', () => {
  let table: Table = EMPTY_TABLE;
  for (const node of [1, 2]) table = act(table, BARRIER, { kind: 'arrive', claim: waiter(node), parties: 3 }, ACTOR).table;
  table = purge(table, ({ node }) => node === 2, ACTOR).table;
  const third = act(table, BARRIER, { kind: 'arrive', claim: waiter(3), parties: 3 }, ACTOR);
  assert.deepEqual(third.answers, []);
  const last = act(third.table, BARRIER, { kind: 'arrive', claim: waiter(4), parties: 3 }, ACTOR);
  assert.deepEqual(
    last.answers.map(({ claim, outcome }) => [claim, outcome]),
    [
      [1, { kind: 'passed', isSerial: false }],
      [3, { kind: 'passed', isSerial: false }],
      [4, { kind: 'passed', isSerial: true }],
    ],
  );
  assert.equal(last.table.objects.size, 0);
});

test('who says another number of parties is told which it is', () => {
  const { table } = act(EMPTY_TABLE, BARRIER, { kind: 'arrive', claim: waiter(1), parties: 3 }, ACTOR);
  const { answers } = act(table, BARRIER, { kind: 'arrive', claim: waiter(2), parties: 2 }, ACTOR);
  assert.deepEqual(answers[0]?.outcome, { kind: 'mismatch', parties: 3 });
});

test('units taken with undo come back when their owner dies, and go to who waits', () => {
  let { table } = act(EMPTY_TABLE, SEMAPHORE, { kind: 'create-semaphore', value: 2 }, ACTOR);
  table = act(table, SEMAPHORE, { kind: 'take', claim: { ...waiter(2), count: 2, undo: true }, isTry: false }, ACTOR).table;
  table = act(table, SEMAPHORE, { kind: 'take', claim: { ...waiter(3), count: 2, undo: true }, isTry: false }, ACTOR).table;
  const { answers } = purge(table, ({ node }) => node === 2, ACTOR);
  assert.deepEqual(
    answers.map(({ claim, outcome }) => [claim, outcome.kind]),
    [[3, 'granted']],
  );
});

test('a table that nothing was done to is the same table', () => {
  const { table } = act(EMPTY_TABLE, BARRIER, { kind: 'arrive', claim: waiter(1), parties: 3 }, ACTOR);
  assert.equal(purge(table, () => false, ACTOR).table, table);
  assert.equal(act(table, SEMAPHORE, { kind: 'post', count: 1 }, ACTOR).table, table);
});

test('a table arrives as it was sent, and what is none is refused', () => {
  const { table } = act(EMPTY_TABLE, BARRIER, { kind: 'arrive', claim: waiter(1), parties: 3 }, ACTOR);
  assert.deepEqual(tableLinker.importObject(tableLinker.exportObject(table, 1), 1), table);
  const broken = { ...table, objects: new Map([[BARRIER, { kind: 'barrier', parties: -1, queue: [] }]]) } as unknown as Table;
  assert.throws(() => tableLinker.importObject(tableLinker.exportObject(broken, 1), 1));
  assert.ok(tableOf(BARRIER) >= 0);
});

test('a table has a bound: what is there can go, and it still fits into one message', () => {
  let table: Table = EMPTY_TABLE;
  const lock = keyOf('lock', '0', 'crowded');
  const crowd = { ...owner(2), session: 'x'.repeat(300), label: '\u4e00'.repeat(200) };
  let refused = 0;
  for (let claim = 1; claim <= 2000; claim++) {
    const step = act(table, lock, { kind: 'acquire', claim: { owner: crowd, claim, mode: 'exclusive', since: 0 }, isTry: false }, ACTOR);
    table = step.table;
    if (step.answers[0]?.outcome.kind === 'too-many') refused++;
  }
  assert.ok(refused > 0 && refused < 2000);
  assert.ok(tableLinker.exportObject(table, 1).length < 2 * 2 ** 20);
  const first = { node: 2, life: 'one', claim: 1 };
  const { table: after, answers } = act(table, lock, { kind: 'release', name: first }, ACTOR);
  assert.equal(answers[0]?.outcome.kind, 'granted');
  assert.ok(tableLinker.exportObject(after, 1).length < tableLinker.exportObject(table, 1).length);
});
