import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatCpuTime, formatMicroseconds, formatStart, formatTable, printable } from './output.ts';
import type { Column } from './output.ts';

interface Row {
  readonly pid: number;
  readonly node: string;
  readonly command: string;
}
const columns: readonly Column<Row>[] = [
  { title: 'PID', align: 'right', value: (row) => String(row.pid) },
  { title: 'NODE', value: (row) => row.node, style: (text) => `<${text}>` },
  { title: 'COMMAND', value: (row) => row.command },
];
const rows: readonly Row[] = [
  { pid: 7, node: 'node1', command: 'sh' },
  { pid: 65601, node: 'a', command: 'sleep 100000 \u001b[31m' },
];

test('columns are as wide as their widest cell, and colours do not count', () => {
  assert.equal(formatTable(columns, rows), ['  PID NODE  COMMAND', '    7 <node1> sh', '65601 <a    > sleep 100000 ?[31m', ''].join('\n'));
});

test('lines are cut at the width of the terminal', () => {
  const plain = columns.map(({ title, align, value }) => ({ title, value, ...(align === undefined ? {} : { align }) }));
  for (const line of formatTable(plain, rows, 18).trimEnd().split('\n')) assert.ok(line.length <= 18, line);
  assert.match(formatTable(plain, rows, 18), /^65601 a {5}sleep $|^65601 a {5}sleep\n/m);
});

test('a table without rows has its titles', () => {
  assert.equal(formatTable(columns, []), 'PID NODE COMMAND\n');
});

test('what would move the cursor is not printed', () => {
  assert.equal(printable('a\nb\u001b]0;title\u0007\u202e\t'), 'a?b?]0;title???');
});

test('quantities are short and have their unit', () => {
  assert.deepEqual([0, 1023, 1024, 150 * 1024, 5.5 * 1024 ** 3].map(formatBytes), ['0 B', '1023 B', '1.0 KiB', '150 KiB', '5.5 GiB']);
  assert.deepEqual([850, 1240, 2_100_000].map(formatMicroseconds), ['850 us', '1.24 ms', '2.1 s']);
  assert.deepEqual([999, 61_000, 90_061_000].map(formatCpuTime), ['00:00:00', '00:01:01', '1-01:01:01']);
});

test('a start is a time within a day, a day within a year, else a year', () => {
  const now = new Date(2026, 10, 23, 12, 0).getTime();
  assert.equal(formatStart(new Date(2026, 10, 23, 9, 5).getTime(), now), '09:05');
  assert.equal(formatStart(new Date(2026, 2, 4, 9, 5).getTime(), now), 'Mar04');
  assert.equal(formatStart(new Date(2025, 11, 31).getTime(), now), '2025');
});
