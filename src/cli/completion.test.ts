import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeWords } from './completion-candidates.ts';
import type { LiveValues } from './completion-candidates.ts';
import { buildProgram } from './program.ts';

const program = buildProgram(() => undefined);
const plain = (texts: readonly string[]): { value: string; description: string }[] => texts.map((value) => ({ value, description: '' }));
const live: LiveValues = {
  nodes: () => Promise.resolve(plain(['node1', 'node2'])),
  pids: () => Promise.resolve(plain(['65601', '65602', '131080'])),
  clusters: () => plain(['default', 'demo-7']),
  users: () => plain(['ann', 'root']),
};

async function values(line: string): Promise<readonly string[] | 'files'> {
  const found = await completeWords(program, line.split(' '), live);
  return found === 'files' ? found : found.map(({ value }) => value);
}

const cases: readonly (readonly [string, readonly string[] | 'files'])[] = [
  ['mi', ['migrate']],
  ['migrate ', ['65601', '65602', '131080']],
  ['migrate 656', ['65601', '65602']],
  ['migrate 65601 ', ['node1', 'node2', '65602', '131080']],
  ['migrate --tree 65601 n', ['node1', 'node2']],
  ['migrate --t', ['--tree']],
  ['explain 65601 ', ['node1', 'node2']],
  ['explain 65601 node1 ', []],
  ['kill 65601 ', ['65602', '131080']],
  ['ps --node ', ['node1', 'node2']],
  ['ps --cluster d', ['default', 'demo-7']],
  ['logs ', ['node1', 'node2']],
  ['revoke ', ['node1', 'node2']],
  ['drain ', ['node1', 'node2']],
  ['leave node1 ', ['node2']],
  ['drain --d', ['--deadline']],
  ['add node1 node2 ', []],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['run --node n', ['node1', 'node2']],
  ['run --node node1 ', 'files'],
  ['run ', 'files'],
  ['run -- l', 'files'],
  ['run ls --j', 'files'],
  ['shell --node ', ['node1', 'node2']],
  ['shell ', 'files'],
  ['nice -n 5 ', 'files'],
  ['wait 65601 ', ['65602', '131080']],
  ['renice 5 ', ['65601', '65602', '131080']],
  ['tree ', ['65601', '65602', '131080']],
  ['tree 65601 ', []],
  ['ps --user a', ['ann']],
  ['ps --columns n', ['node', 'ni', 'nlwp']],
  ['top --d', ['--delay']],
  ['caps ', ['65601', '65602', '131080']],
  ['caps 65601 --set +CAN', ['+CAN_MIGRATE']],
  ['caps 65601 --set -CAN_MIGRATE,CHE', ['-CAN_MIGRATE,CHECKPOINTABLE']],
  ['caps 65601 --disable ', ['CAN_MIGRATE', 'DISTANT_FORK', 'CHECKPOINTABLE']],
  ['run --caps SEE', ['SEE_LOCAL_PROC_STAT']],
  ['nonsense ', []],
];
for (const [line, expected] of cases) {
  test(`krg ${line}<TAB>`, async () => {
    assert.deepEqual(await values(line), expected);
  });
}

test('every command but the hidden one is offered, with what it does', async () => {
  const found = await completeWords(program, [''], live);
  assert.ok(found !== 'files');
  const names = found.map(({ value }) => value);
  for (const name of [
    'up',
    'down',
    'status',
    'nodes',
    'add',
    'drain',
    'leave',
    'start',
    'stop',
    'run',
    'shell',
    'ps',
    'tree',
    'top',
    'kill',
    'wait',
    'nice',
    'renice',
    'migrate',
    'caps',
    'explain',
    'doctor',
    'demo',
    'logs',
    'token',
    'enrol',
    'revoke',
    'completion',
  ])
    assert.ok(names.includes(name), name);
  assert.ok(!names.includes('complete'));
  assert.ok(found.every(({ description }) => description !== ''));
});
