import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMountTable } from './mounts.ts';
import { formatClockOffsets, parseClockOffsets, PidNamespace, readClockOffsets } from './namespaces.ts';

test('clock offsets survive being written and read, negative ones too', () => {
  const nanoseconds = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
  fc.assert(
    fc.property(nanoseconds, nanoseconds, (monotonic, boottime) => {
      const text = formatClockOffsets({ monotonic, boottime });
      assert.deepEqual(parseClockOffsets(text), { monotonic, boottime });
      assert.match(text, /^monotonic -?\d+ \d+\nboottime -?\d+ \d+\n$/);
    }),
  );
  assert.equal(formatClockOffsets({ monotonic: -1n, boottime: 0n }), 'monotonic -1 999999999\nboottime 0 0\n');
  assert.equal(typeof readClockOffsets().monotonic, 'bigint');
});

test('pids of the own pid namespace are themselves', () => {
  using namespace = new PidNamespace(process.pid);
  assert.equal(namespace.toHere(process.pid), process.pid);
  assert.equal(namespace.toThere(process.pid), process.pid);
  assert.equal(namespace.toHere(4_194_303), undefined);
});

test('the table of mounts is read, optional fields and escapes included', () => {
  const text = [
    '22 27 0:21 / /proc rw,relatime - proc proc rw',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 master:2 - cgroup2 cgroup2 rw',
    String.raw`50 1 8:1 /a\040b /mnt/with\040space rw - ext4 /dev/sda1 rw`,
    '',
  ].join('\n');
  assert.deepEqual(parseMountTable(text), [
    { id: 22, root: '/', mountPoint: '/proc', fileSystem: 'proc' },
    { id: 41, root: '/', mountPoint: '/sys/fs/cgroup/unified', fileSystem: 'cgroup2' },
    { id: 50, root: '/a b', mountPoint: '/mnt/with space', fileSystem: 'ext4' },
  ]);
});
