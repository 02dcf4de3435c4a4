import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './output.ts';
import { parseColumns, parseSortKeys, programName, sortProcesses, tableColumns } from './process-columns.ts';
import { processFilter } from './process-filters.ts';
import { entry } from './top/test-picture.ts';

const context = { now: 100_000, nameOf: (uid: number): string => (uid === 0 ? 'root' : 'ann'), memoryOf: () => 10 << 20 };
const processes = [
  entry(1, { cpuTimeMilliseconds: 50_000, command: '/usr/bin/python3 x.py' }),
  entry(2, { residentBytes: 5 << 20, uid: 1000, node: 'node2', terminal: 'pts/3', command: '-bash' }),
  entry(3, { residentBytes: 5 << 20, state: 'R', command: '[worker]' }),
];
const pids = (found: readonly { pid: number }[]): number[] => found.map(({ pid }) => pid);

test('columns by name, and by the names that ps(1) has for them', () => {
  const columns = tableColumns(parseColumns('pid,node %cpu,PMEM, rss comm'), context);
  assert.equal(
    formatTable(columns, processes),
    'PID NODE  %CPU %MEM  RSS COMM\n  1 node1 50.0 10.0 1024 python3\n  2 node2  1.0 50.0 5120 bash\n  3 node1  1.0 50.0 5120 worker\n',
  );
  assert.throws(() => parseColumns('pid,nonsense'), { code: 'KRG_USAGE', message: /no column "nonsense"; there are pid, ppid/ });
});

test('sorted by several columns, each in its direction, and by pid where they are alike', () => {
  const sorted = (keys: string): number[] => pids(sortProcesses(processes, parseSortKeys(keys), context));
  assert.deepEqual(sorted('-rss'), [2, 3, 1]);
  assert.deepEqual(sorted('-rss,-pid'), [3, 2, 1]);
  assert.deepEqual(sorted('+user'), [2, 1, 3]);
  assert.deepEqual(sorted(''), [1, 2, 3]);
});

test('filters: all that are named must fit, one of each', () => {
  const filtered = (options: Parameters<typeof processFilter>[0], nodes: readonly string[] = []): number[] =>
    pids(processes.filter(processFilter(options, nodes)));
  assert.deepEqual(filtered({}), [1, 2, 3]);
  assert.deepEqual(filtered({ user: '0' }), [1, 3]);
  assert.deepEqual(filtered({ user: '0,1000' }), [1, 2, 3]);
  assert.deepEqual(filtered({ command: 'bash,worker' }), [2, 3]);
  assert.deepEqual(filtered({ tty: '/dev/pts/3' }), [2]);
  assert.deepEqual(filtered({ state: 'RD' }), [3]);
  assert.deepEqual(filtered({ user: '0' }, ['node2']), []);
  assert.throws(() => filtered({ user: 'no such user' }), { code: 'KRG_USAGE' });
});

test('the name of a program', () => {
  const names = ['/usr/bin/make -j8', '-bash', '[kworker]', 'sshd: ann'].map((command) => programName({ command }));
  assert.deepEqual(names, ['make', 'bash', 'kworker', 'sshd']);
});
