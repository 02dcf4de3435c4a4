import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmed, findDeadlocks } from './deadlocks.ts';
import type { LockState } from './lock.ts';
import type { Owner } from './owners.ts';
import { EMPTY_TABLE, keyOf, type Table } from './table.ts';

type Mode = 'shared' | 'exclusive';

let claims = 0;

function owner(session: string): Owner {
  return { node: 1 + (session.length % 3), life: 'one', epoch: 1, client: 1, session, label: `program ${session}` };
}

/** A lock of these holders and waiters: a session, with ! for exclusive. */
function lock(holders: readonly string[], queue: readonly string[]): LockState {
  const parse = (text: string): { owner: Owner; claim: number; mode: Mode; since: number } => ({
    owner: owner(text.replace('!', '')),
    claim: ++claims,
    mode: text.endsWith('!') ? 'exclusive' : 'shared',
    since: 0,
  });
  return {
    kind: 'lock',
    holders: holders.map((text) => ({ ...parse(text), token: 1, ownerDied: false })),
    queue: queue.map(parse),
    condition: 'consistent',
  };
}

function tables(locks: Readonly<Record<string, LockState>>): Table[] {
  return Object.entries(locks).map(([name, state]) => ({ ...EMPTY_TABLE, objects: new Map([[keyOf('lock', '0', name), state]]) }));
}

function circles(locks: Readonly<Record<string, LockState>>): string[] {
  return findDeadlocks(tables(locks)).map(({ waits }) =>
    waits.map((wait) => `${wait.waiter.session} ${wait.key} ${wait.blocker.session}`).join(', '),
  );
}

test('two who wait for each other', () => {
  assert.deepEqual(circles({ a: lock(['1!'], ['2!']), b: lock(['2!'], ['1!']) }), ['2 lock/0/a 1, 1 lock/0/b 2']);
});

test('who waits for one that goes on is in no circle', () => {
  assert.deepEqual(circles({ a: lock(['1!'], ['2!', '3!']), b: lock(['2!'], ['3!']) }), []);
  assert.deepEqual(circles({ a: lock(['1', '2'], []), b: lock(['1'], ['3!']) }), []);
});

test('a parent waits for its children, whatever they wait for', () => {
  assert.deepEqual(circles({ a: lock(['1!'], ['2/x!']), b: lock(['2!'], ['1/x/y!']) }), ['2/x lock/0/a 1, 1/x/y lock/0/b 2']);
  // Two children of one parent, one of which goes on.
  assert.deepEqual(circles({ a: lock(['1!'], []), b: lock(['1/x!'], ['1/y!']) }), []);
});

test('who stands before a writer and cannot have it keeps those behind from it', () => {
  const [circle, ...others] = circles({ a: lock(['1'], ['2!', '3']), b: lock(['3!'], ['1!']) });
  assert.deepEqual(others, []);
  assert.deepEqual(circle?.split(', ').toSorted(), ['1 lock/0/b 3', '2 lock/0/a 1', '3 lock/0/a 2']);
});

test('what is found in two pictures is real, by the names of its claims', () => {
  const locks = { a: lock(['1!'], ['2!']), b: lock(['2!'], ['1!']) };
  const first = findDeadlocks(tables(locks));
  assert.equal(confirmed(first, findDeadlocks(tables(locks))).length, 1);
  const later = findDeadlocks(tables({ a: lock(['1!'], ['2!']), b: lock(['2!'], ['1!']) }));
  assert.equal(confirmed(first, later).length, 0);
});
