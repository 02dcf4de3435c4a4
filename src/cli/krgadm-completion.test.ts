import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeKrgadm } from './krgadm-completion.ts';

const live = {
  nodes: () => ['1', '2', '12'].map((value) => ({ value, description: `node${value}` })),
  clusters: () => [{ value: 'default', description: '' }],
};
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['', ['cluster', 'nodes', '--help', '--version', '--cluster', '--at']],
  ['c', ['cluster']],
  ['cluster ', ['status', 'poweroff', 'reboot', '--cluster', '--at']],
  ['--cluster default n', ['nodes']],
  ['--cluster ', ['default']],
  ['nodes ', ['status', 'add', 'del', '--nodes', '--all', '--cluster', '--at']],
  ['nodes add --', ['--nodes', '--all', '--count', '--total', '--cluster', '--at']],
  ['nodes status --', ['--nodes', '--all', '--cluster', '--at']],
  ['nodes add -n ', ['1', '2', '12']],
  ['nodes add -n 1,', ['1,2', '1,12']],
  ['nodes add -n 2-1', ['2-1', '2-12']],
  ['nodes add -c ', []],
  ['nodes del -a ', ['--cluster', '--at']],
];
for (const [line, expected] of cases) {
  test(`krgadm ${line}<TAB>`, () => {
    assert.deepEqual(
      completeKrgadm(line.split(' '), live).map(({ value }) => value),
      expected,
    );
  });
}
