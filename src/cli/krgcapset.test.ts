import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNames, formatSets } from './kerrighed-krgcapset.ts';
import { completeKrgcapset } from './krgcapset-completion.ts';
import { parseKrgcapsetWords } from './krgcapset-words.ts';

const parse = (line: string): ReturnType<typeof parseKrgcapsetWords> => parseKrgcapsetWords(line === '' ? [] : line.split(' '));
const effective = (text: string) => ({ kind: 'change', set: 'effective', text });

test('options are read as getopt_long reads them', () => {
  const cases: readonly (readonly [string, readonly object[], boolean])[] = [
    ['-s', [{ kind: 'show' }], false],
    ['-k 65601 -s', [{ kind: 'pid', pid: 65601 }, { kind: 'show' }], false],
    ['--pid=65601 --show', [{ kind: 'pid', pid: 65601 }, { kind: 'show' }], false],
    ['-e +CAN_MIGRATE', [effective('+CAN_MIGRATE')], false],
    ['-e -CAN_MIGRATE', [effective('-CAN_MIGRATE')], false],
    ['--eff 03', [effective('03')], false],
    ['-fe03', [effective('03')], true],
    ['-s -e 03 -s', [{ kind: 'show' }, effective('03'), { kind: 'show' }], false],
    [
      '-p 1 -i 1 -d 1',
      [
        { kind: 'change', set: 'permitted', text: '1' },
        { kind: 'change', set: 'inheritablePermitted', text: '1' },
        { kind: 'change', set: 'inheritableEffective', text: '1' },
      ],
      false,
    ],
    ['word --force', [], true],
  ];
  for (const [line, steps, isForced] of cases) assert.deepEqual(parse(line), { kind: 'steps', steps, isForced, where: {} }, line);
  assert.deepEqual(parse('--cluster demo --at node2 -s'), {
    kind: 'steps',
    steps: [{ kind: 'show' }],
    isForced: false,
    where: { cluster: 'demo', at: 'node2' },
  });
});

test('help comes before everything, wrong words before anything is done', () => {
  assert.deepEqual(parse(''), { kind: 'help' });
  assert.deepEqual(parse('-e 3 -h'), { kind: 'help' });
  assert.deepEqual(parse('-e 3 --version'), { kind: 'version' });
  for (const line of ['-x', '--nonsense', '-e', '--inheritable 3', '-k shell -s', '--show=1'])
    assert.equal(parse(line).kind, 'wrong', line);
  assert.deepEqual(parse('-e 3 -k 7'), { kind: 'wrong', complaint: 'Conflict in implementation: -k must be the first option used' });
});

test('sets are shown as Kerrighed shows them', () => {
  assert.equal(formatNames(0), '\n');
  assert.equal(formatNames(1), '\tCHANGE_KERRIGHED_CAP\n');
  assert.equal(
    formatNames(0o1067),
    '\tCHANGE_KERRIGHED_CAP, CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE\n\tUSE_REMOTE_MEMORY, SEE_LOCAL_PROC_STAT\n',
  );
  const sets = { permitted: 0o1067, effective: 1, inheritablePermitted: 0o1067, inheritableEffective: 0 };
  assert.deepEqual(
    formatSets(sets)
      .split('\n')
      .filter((line) => line.includes(':')),
    [
      'Permitted Capabilities: 01067',
      'Effective Capabilities: 01',
      'Inheritable Permitted Capabilities: 01067',
      'Inheritable Effective Capabilities: 00',
    ],
  );
});

test('krgcapset completes options and lists', () => {
  const live = { nodes: () => [{ value: 'node1', description: '' }], clusters: () => [{ value: 'demo', description: '' }] };
  const values = (line: string): string[] => completeKrgcapset(line.split(' '), live).map(({ value }) => value);
  assert.deepEqual(values('--eff'), ['--effective']);
  assert.deepEqual(values('-d +DIST'), ['+DISTANT_FORK']);
  assert.deepEqual(values('-e +CAN_MIGRATE,CH'), ['+CAN_MIGRATE,CHANGE_KERRIGHED_CAP', '+CAN_MIGRATE,CHECKPOINTABLE']);
  assert.deepEqual(values('--at '), ['node1']);
  assert.deepEqual(values('-k '), []);
});
