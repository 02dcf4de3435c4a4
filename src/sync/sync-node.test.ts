/** The machine of one node, where its tables are out of reach: what the simulator seldom gets to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client, Reply, SyncEffect, SyncEvent } from './events.ts';
import { act } from './actions.ts';
import type { Owner } from './owners.ts';
import { SyncNode } from './sync-node.ts';
import { EMPTY_TABLE, keyOf, type Table, tableOf } from './table.ts';

const KEY = keyOf('lock', '0', 'build');
const TABLE = tableOf(KEY);
const CLIENT: Client = { client: 1, session: 'here', label: 'a program' };
const ELSEWHERE: Owner = { node: 2, life: 'two', epoch: 1, client: 1, session: 'there', label: 'another program' };

class Node {
  readonly node = new SyncNode({ self: 1, life: 'one', graceMs: 100 });
  now = 0;
  /** What it waits for of kddm. */
  readonly asked: SyncEffect[] = [];
  readonly replies: Reply[] = [];

  step(event: SyncEvent): void {
    for (const effect of this.node.step(event, this.now)) {
      if (effect.kind === 'reply') this.replies.push(effect.reply);
      else this.asked.push(effect);
    }
  }

  takesPart(): void {
    const members = new Map([
      [1, 'one'],
      [2, 'two'],
    ]);
    this.step({ kind: 'view', epoch: 1, members });
  }

  acquire(timeoutMs: number | undefined): void {
    const request = { kind: 'acquire', key: KEY, mode: 'exclusive', timeoutMs } as const;
    this.step({ kind: 'request', id: 7, client: CLIENT, request, atMs: 0 });
  }

  /** kddm gives the table, and stores what becomes of it. @returns it */
  reaches(content: Table): Table {
    assert.equal(this.asked.shift()?.kind, 'grab');
    this.step({ kind: 'grabbed', table: TABLE, content });
    const put = this.asked.shift();
    assert.ok(put?.kind === 'put');
    this.step({ kind: 'put', table: TABLE });
    return put.content;
  }
}

test('whose time is over is told so although the table is out of reach, and what comes later goes on to others', () => {
  const node = new Node();
  node.takesPart();
  node.acquire(50);
  for (node.now = 0; node.now <= 200; node.now += 25) node.step({ kind: 'tick' });
  assert.deepEqual(node.replies, [{ kind: 'timed-out' }]);
  let table = node.reaches(EMPTY_TABLE);
  while (node.asked.length > 0) table = node.reaches(table);
  assert.equal(table.objects.size, 0);
  assert.equal(node.node.claims.size, 0);
  assert.deepEqual(node.replies, [{ kind: 'timed-out' }]);
});

test('who asks before the node takes part waits for that, as long as its time lasts', () => {
  const node = new Node();
  node.acquire(50);
  node.now = 200;
  node.step({ kind: 'tick' });
  assert.deepEqual(node.replies, [{ kind: 'timed-out' }]);
  node.acquire(undefined);
  assert.deepEqual(node.asked, []);
  node.takesPart();
  node.reaches(EMPTY_TABLE);
  assert.equal(node.replies.at(-1)?.kind, 'granted');
});

test('a table that cannot be put fails those who asked, and nobody is told of what was not stored', () => {
  const node = new Node();
  node.takesPart();
  node.acquire(undefined);
  const taken = act(
    EMPTY_TABLE,
    KEY,
    { kind: 'acquire', claim: { owner: ELSEWHERE, claim: 1, mode: 'exclusive', since: 0 }, isTry: false },
    { self: 2, has: () => false },
  ).table;
  node.asked.shift();
  node.step({ kind: 'grabbed', table: TABLE, content: taken });
  node.asked.shift();
  node.step({ kind: 'put', table: TABLE, failure: 'leaving' });
  assert.deepEqual(node.replies, [{ kind: 'leaving' }]);
  assert.equal(node.node.claims.size, 0);
});

test('a node that is drained gives up what it holds and waits for, and takes no more; when it takes part again it does', () => {
  const node = new Node();
  node.takesPart();
  node.acquire(undefined);
  let table = node.reaches(EMPTY_TABLE);
  node.step({ kind: 'drain' });
  const lost = node.asked.shift();
  assert.equal(lost?.kind, 'hold-lost');
  table = node.reaches(table);
  const drained = node.asked.shift();
  assert.equal(drained?.kind, 'drained');
  const lock = table.objects.get(KEY);
  assert.ok(lock?.kind === 'lock' && lock.holders.length === 0 && lock.condition === 'inconsistent');
  node.acquire(undefined);
  assert.deepEqual(node.replies.at(-1), { kind: 'leaving' });
  node.step({ kind: 'view', epoch: 2, members: new Map([[2, 'two']]) });
  node.step({
    kind: 'view',
    epoch: 3,
    members: new Map([
      [1, 'one'],
      [2, 'two'],
    ]),
  });
  node.acquire(undefined);
  node.reaches(table);
  assert.deepEqual(node.replies.at(-1), { kind: 'granted', claim: 2, token: 2, ownerDied: true });
});
