import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNodeList, parseKrgadmWords, parseNodeList } from './krgadm-words.ts';

const parse = (line: string): unknown => parseKrgadmWords(line === '' ? [] : line.split(' ')).request;

test('lists of nodes: ids and ranges, by commas', () => {
  assert.deepEqual(parseNodeList('0,2-3'), [0, 2, 3]);
  assert.deepEqual(parseNodeList('6-10,2,3,3'), [2, 3, 6, 7, 8, 9, 10]);
  assert.deepEqual(parseNodeList('3-2'), []);
  for (const text of ['', 'x', '2,', ',2', '1.5', '2 ', '99999']) assert.equal(parseNodeList(text), 'node', text);
  for (const text of ['-3', 'a-3']) assert.equal(parseNodeList(text), 'first node range', text);
  for (const text of ['1-', '1-b', '1-2-3', '2,4-x', '1-999999']) assert.equal(parseNodeList(text), 'end node range', text);
  assert.equal(formatNodeList([1, 2]), '[1,2]');
});

test('every form of the command', () => {
  const list = { kind: 'list', ids: [2, 3] };
  for (const line of ['nodes add -n 2-3', 'nodes add -n2,3', 'nodes add --nodes 2,3', 'nodes add --nodes=2-3'])
    assert.deepEqual(parse(line), { kind: 'nodes', action: 'add', selector: list }, line);
  assert.deepEqual(parse('nodes del -c 1'), { kind: 'nodes', action: 'del', selector: { kind: 'count', number: 1 } });
  assert.deepEqual(parse('nodes del --total=2'), { kind: 'nodes', action: 'del', selector: { kind: 'total', number: 2 } });
  assert.deepEqual(parse('nodes add --all'), { kind: 'nodes', action: 'add', selector: { kind: 'all' } });
  for (const line of ['nodes', 'nodes status', 'nodes -a', 'nodes status --all'])
    assert.deepEqual(parse(line), { kind: 'nodes', action: 'status', selector: { kind: 'all' } }, line);
  assert.deepEqual(parse('nodes status -n 2,3'), { kind: 'nodes', action: 'status', selector: list });
  for (const action of ['status', 'poweroff', 'reboot']) assert.deepEqual(parse(`cluster ${action}`), { kind: 'cluster', action });
  assert.deepEqual(parse('cluster'), { kind: 'cluster', action: 'status' });
  for (const line of ['', '-h', '--help']) assert.deepEqual(parse(line), { kind: 'help', isWrong: false }, line);
  assert.deepEqual(parse('--version'), { kind: 'version' });
});

test('what is wrong is told as Kerrighed tells it', () => {
  const wrong = { kind: 'help', isWrong: true };
  for (const line of [
    'x',
    'nodes add',
    'nodes del',
    'nodes add -n',
    'nodes add 2',
    'nodes add -x 2',
    'nodes add --all=1',
    'nodes status -c 1',
    'nodes status -t 1',
    'cluster start',
    'cluster status now',
  ])
    assert.deepEqual(parse(line), wrong, line);
  const complaint = (text: string): unknown => ({ kind: 'complaint', text, stream: 'stderr' });
  assert.deepEqual(parse('nodes add -n 2,x'), complaint('node: Invalid argument\n'));
  assert.deepEqual(parse('nodes add -n 2-x'), complaint('end node range: Invalid argument\n'));
  assert.deepEqual(parse('nodes add -c two'), complaint('nodes number: Invalid argument\n'));
  const both = parse('nodes add -n 2 -a') as { kind: string; text: string; stream: string };
  assert.deepEqual([both.kind, both.stream], ['complaint', 'stdout']);
  assert.match(both.text, /^Only one of --all, --count, --total or --nodes option is/);
});

test('which cluster and which node stand anywhere on the line', () => {
  const { request, where } = parseKrgadmWords(['--cluster', 'x', 'nodes', 'add', '--at=node2', '-n', '3']);
  assert.deepEqual(request, { kind: 'nodes', action: 'add', selector: { kind: 'list', ids: [3] } });
  assert.deepEqual(where, { cluster: 'x', at: 'node2' });
});
