import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseStat } from '../linux/index.ts';
import {
  clusterCpuinfo,
  clusterLoadavg,
  clusterMeminfo,
  clusterPressure,
  clusterStat,
  clusterUptime,
  clusterVmstat,
  withClusterProcessor,
  withStartShifted,
} from './cluster-files.ts';

const read = (file: string): string => readFileSync(`/proc/${file}`, 'latin1');
const onNodes = (text: string, ...nodes: number[]): { node: number; text: string }[] => nodes.map((node) => ({ node, text }));

test('processors of all nodes are listed, numbered over the cluster', () => {
  const text = 'processor\t: 0\nmodel name\t: A\n\nprocessor\t: 1\nmodel name\t: A\n\n';
  const all = clusterCpuinfo(onNodes(text, 2, 3));
  assert.deepEqual(
    [...all.matchAll(/^processor\t: (\d+)$/gm)].map(([, number]) => number),
    ['2000', '2001', '3000', '3001'],
  );
  assert.equal(all.length, 2 * text.length + 4 * 3);
});

test('memory is the sum, line by line, in the form of the kernel', () => {
  const text = read('meminfo');
  const one = clusterMeminfo(onNodes(text, 1));
  assert.equal(one, text);
  const value = (of: string, key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(of)?.[1]);
  const three = clusterMeminfo(onNodes(text, 1, 2, 3));
  assert.equal(value(three, 'MemTotal'), 3 * value(text, 'MemTotal'));
  assert.equal(value(three, 'Hugepagesize'), value(text, 'Hugepagesize'));
  assert.equal(three.split('\n').length, text.split('\n').length);
});

test('what only another node has is shown, too', () => {
  const shown = [
    { node: 1, text: 'A:  1 kB\nB:  2 kB\n' },
    { node: 2, text: 'B:  3 kB\nC:  4 kB\n' },
  ];
  assert.deepEqual(
    clusterMeminfo(shown)
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' ')),
    ['A: 1 kB', 'B: 5 kB', 'C: 4 kB', ''],
  );
});

test('times of processors add up; the start of the machine does not', () => {
  const text = 'cpu  10 0 5 100\ncpu0 4 0 2 50\ncpu1 6 0 3 50\nintr 12 3 9\nctxt 7\nbtime 1700000000\nprocesses 3\n';
  assert.equal(
    clusterStat(onNodes(text, 1, 2)),
    'cpu  20 0 10 200\ncpu1000 4 0 2 50\ncpu1001 6 0 3 50\ncpu2000 4 0 2 50\ncpu2001 6 0 3 50\nintr 24 6 18\nctxt 14\nbtime 1700000000\nprocesses 6\n',
  );
  assert.equal(clusterStat(onNodes(read('stat'), 0)).split('\n').length, read('stat').split('\n').length);
});

test('load, uptime, counters and pressure', () => {
  assert.equal(
    clusterLoadavg([
      { node: 1, text: '0.50 1.25 2.00 1/100 65600\n' },
      { node: 2, text: '0.25 0.25 0.25 2/50 131100\n' },
    ]),
    '0.75 1.50 2.25 3/150 65600\n',
  );
  assert.equal(
    clusterUptime([
      { node: 1, text: '100.00 150.00\n' },
      { node: 2, text: '100.01 20.50\n' },
    ]),
    '100.01 170.50\n',
  );
  assert.equal(clusterVmstat(onNodes('pgfault 5\npgpgin 2\n', 1, 2)), 'pgfault 10\npgpgin 4\n');
  const pressure = 'some avg10=1.00 avg60=2.00 avg300=0.00 total=100\n';
  const calm = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=50\n';
  assert.equal(
    clusterPressure([
      { node: 1, text: pressure },
      { node: 2, text: calm },
    ]),
    'some avg10=0.50 avg60=1.00 avg300=0.00 total=75\n',
  );
});

test('fields of stat are changed whatever the name of the command is', () => {
  const stat = read('self/stat').replace(/\(.*\)/, '(a) b (c)');
  const before = parseStat(stat);
  const shifted = withStartShifted(stat, 500);
  assert.deepEqual(parseStat(shifted), { ...before, startTime: before.startTime + 500 });
  const processor = (text: string): number => Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[36]);
  const numbered = withClusterProcessor(stat, 3);
  assert.equal(processor(numbered), 3000 + processor(stat));
  assert.deepEqual(parseStat(numbered), before);
});
