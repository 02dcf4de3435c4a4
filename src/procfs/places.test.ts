import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PROCESS_ENTRIES } from './entries.ts';
import { childOfProcess, filesIn, idOf, NODE_FILES, type Place, pathOf, pidOf, placeOf, type ProcessPlace } from './places.ts';

const pid = fc.integer({ min: 1, max: 4_194_303 });
const thread = fc.oneof(fc.constant(0), pid);
const place: fc.Arbitrary<Place> = fc.oneof(
  fc
    .constantFrom<'root' | 'real' | 'pressure' | 'nodes' | 'node-count' | 'own-node'>(
      'root',
      'real',
      'pressure',
      'nodes',
      'node-count',
      'own-node',
    )
    .map((kind): Place => ({ kind })),
  fc.bigInt({ min: 0n, max: (1n << 56n) - 1n }).map((digest): Place => ({ kind: 'link', digest })),
  pid.map((each): Place => ({ kind: 'local', pid: each })),
  fc.nat(255).map((node): Place => ({ kind: 'node', node })),
  fc.record(
    { kind: fc.constant('node-file' as const), node: fc.nat(255), file: fc.constantFrom(...NODE_FILES), isInRoot: fc.boolean() },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('process' as const), pid, thread, entry: fc.constantFrom(...PROCESS_ENTRIES) }, { noNullPrototype: true }),
  fc.record({ pid, thread, directory: fc.constantFrom('fd', 'fdinfo'), descriptor: fc.nat(1_000_000) }).map(
    ({ pid: of, thread: tid, directory, descriptor }): Place => ({
      kind: 'process',
      pid: of,
      thread: tid,
      entry: `${directory}/${tid === 0 ? descriptor : descriptor % 4096}`,
    }),
  ),
);

test('every place is found again by its id, and no two places have one id', () => {
  const seen = new Map<bigint, string>();
  fc.assert(
    fc.property(place, (each) => {
      const id = idOf(each);
      assert.ok(id !== undefined && id > 0n && id < 1n << 64n);
      assert.deepEqual(placeOf(id), each);
      assert.equal(seen.get(id) ?? JSON.stringify(each, bigints), JSON.stringify(each, bigints));
      seen.set(id, JSON.stringify(each, bigints));
    }),
    { numRuns: 3000 },
  );
});

const bigints = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);

test('any id of the kernel is answered', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (id) => {
      placeOf(id);
    }),
  );
});

test('the root is node 1; descriptors of a thread beyond what an id holds have none', () => {
  assert.equal(idOf({ kind: 'root' }), 1n);
  assert.equal(idOf({ kind: 'process', pid: 5, thread: 6, entry: 'fd/4096' }), undefined);
});

test('entries have no duplicates, and fit an id', () => {
  assert.equal(new Set(PROCESS_ENTRIES).size, PROCESS_ENTRIES.length);
  assert.ok(PROCESS_ENTRIES.length < 4096);
});

test('names below a process lead nowhere but to what is listed', () => {
  const process: ProcessPlace = { kind: 'process', pid: 70_000, thread: 0, entry: '' };
  const walk = (...names: string[]): string | undefined => {
    let at: ProcessPlace | undefined = process;
    for (const name of names) at = at === undefined ? undefined : childOfProcess(at, name);
    return at === undefined ? undefined : pathOf(at);
  };
  assert.equal(walk('stat'), '70000/stat');
  assert.equal(walk('task', '70001', 'fd', '3'), '70000/task/70001/fd/3');
  assert.equal(walk('ns', 'pid'), '70000/ns/pid');
  assert.equal(walk('fdinfo', '0'), '70000/fdinfo/0');
  for (const names of [
    ['mem'],
    ['..'],
    ['.'],
    ['ns/pid'],
    [''],
    ['fd', '..'],
    ['fd', '01'],
    ['task', '5', 'task', '6'],
    ['stat', 'x'],
    ['ns', 'stat'],
    ['ns', '../stat'],
  ]) {
    assert.equal(walk(...names), undefined, names.join(' '));
  }
});

test('pids are plain numbers', () => {
  assert.equal(pidOf('4194304'), 4_194_304);
  for (const name of ['0', '01', '4194305', '99999999', '1x', '', '-1', 'self']) assert.equal(pidOf(name), undefined);
});

test('a node shows what Kerrighed showed of it', () => {
  assert.deepEqual(
    filesIn({ kind: 'node', node: 2 }).map(({ name }) => name),
    ['nodeid', 'session', 'cpuinfo', 'meminfo', 'loadavg', 'uptime', 'stat'],
  );
});
