import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Look, type Operation, operationsOf, type Result } from './messages.ts';
import { FRESH_MILLISECONDS, Scans } from './scans.ts';

const READER = 65_600;
const read = (pid: number, entry = 'stat'): Operation => ({ kind: 'read', pid, thread: 0, entry, offset: 0 });
const attributes = (pid: number): Operation => ({ kind: 'attributes', pid, thread: 0, entry: '' });
const answer = (look: Look): Result[] => operationsOf(look).map(({ pid, entry }) => ({ bytes: Buffer.from(`${entry} of ${pid}`) }));
const alone = (operation: Operation): Look => ({ operation, pids: [], wanted: [] });
const pids = Array.from({ length: 200 }, (_, n) => 131_072 + n);

function afterListing(): Scans {
  const scans = new Scans();
  scans.listed(
    READER,
    [
      { node: 2, pids },
      { node: 3, pids: [196_608, 70_000] },
    ],
    0,
  );
  return scans;
}

test('who has not listed /proc is given what it asks for and nothing else', () => {
  const scans = new Scans();
  assert.deepEqual(scans.plan(READER, read(131_072)), alone(read(131_072)));
  scans.learned(READER, alone(read(131_072)), answer(alone(read(131_072))), 0);
  assert.equal(scans.take(READER, read(131_072), 0), undefined);
});

test('who reads one process after the other is given what it reads, of the next ones of the same node', () => {
  const scans = afterListing();
  scans.plan(READER, attributes(131_072));
  const plan = scans.plan(READER, read(131_072));
  assert.deepEqual(plan.operation, read(131_072));
  assert.deepEqual(plan.pids, pids.slice(0, 64));
  assert.deepEqual(plan.wanted, [
    { kind: 'attributes', entry: '' },
    { kind: 'read', entry: 'stat' },
  ]);
  assert.equal(operationsOf(plan).length, 1 + 2 * 64);
  scans.learned(READER, plan, answer(plan), 10);
  assert.deepEqual(scans.take(READER, read(131_100), 20), {
    result: { bytes: Buffer.from('stat of 131100') },
    freshFor: FRESH_MILLISECONDS - 10,
  });
  assert.equal(scans.take(READER, read(131_073, 'status'), 20), undefined);
  assert.deepEqual(scans.plan(READER, read(196_608)).pids, [196_608, 70_000]);
});

test('contents are shown once, attributes for as long as they are fresh', () => {
  const scans = afterListing();
  scans.plan(READER, attributes(131_072));
  const plan = scans.plan(READER, read(131_072));
  scans.learned(READER, plan, answer(plan), 0);
  assert.ok(scans.take(READER, read(131_080), 1));
  assert.equal(scans.take(READER, read(131_080), 1), undefined);
  for (const now of [1, FRESH_MILLISECONDS]) assert.ok(scans.take(READER, attributes(131_080), now));
  assert.equal(scans.take(READER, attributes(131_080), FRESH_MILLISECONDS + 1), undefined);
  assert.equal(scans.take(READER, read(131_081), FRESH_MILLISECONDS + 1), undefined);
});

test('what was asked for is known afterwards, but for contents', () => {
  const scans = afterListing();
  for (const operation of [attributes(131_072), read(131_072)]) {
    const plan = scans.plan(READER, operation);
    scans.learned(READER, plan, answer(plan), 0);
  }
  assert.ok(scans.take(READER, attributes(131_072), 1));
  assert.equal(scans.take(READER, read(131_072), 1), undefined);
});

test('nobody is shown what was read for somebody else', () => {
  const scans = afterListing();
  const plan = scans.plan(READER, read(131_072));
  scans.learned(READER, plan, answer(plan), 0);
  assert.equal(scans.take(READER + 1, read(131_073), 1), undefined);
});

test('large files, threads and descriptors are not read ahead, nor what its node does not have any more', () => {
  const scans = afterListing();
  for (const operation of [
    read(131_072, 'smaps'),
    read(131_072, 'fd/3'),
    { ...read(131_072), thread: 5 },
    { ...read(131_072), offset: 4096 },
  ]) {
    assert.deepEqual(scans.plan(READER, operation), alone(operation));
  }
  const plan = scans.plan(READER, read(131_072));
  scans.learned(
    READER,
    plan,
    operationsOf(plan).map(() => ({ isElsewhere: true })),
    0,
  );
  assert.equal(scans.take(READER, read(131_073), 1), undefined);
});

test('where a process was seen is remembered, and corrected', () => {
  const scans = afterListing();
  assert.equal(scans.hint(70_000), 3);
  scans.foundOn(70_000, 2);
  assert.equal(scans.hint(70_000), 2);
  assert.equal(scans.hint(1), undefined);
});

test('the least recent lists are forgotten', () => {
  const scans = afterListing();
  for (let thread = 1; thread <= 64; thread++) scans.listed(thread, [{ node: 2, pids }], 0);
  assert.deepEqual(scans.plan(READER, read(131_072)).pids, []);
  assert.equal(scans.plan(1, read(131_072)).pids.length, 64);
});
