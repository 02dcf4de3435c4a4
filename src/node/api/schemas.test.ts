import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainRequest, killRequest, migrateRequest, parseRequest, processesRequest, reniceRequest, runRequest } from './schemas.ts';

const run = { arguments: ['true'], environment: { PATH: '/bin' }, workingDirectory: '/' };

test('what is left out has its default', () => {
  assert.deepEqual(parseRequest(runRequest, run), { ...run, umask: 0o022 });
  assert.deepEqual(parseRequest(migrateRequest, { pids: [7], node: '2' }), { pids: [7], node: '2', tree: false });
  assert.deepEqual(parseRequest(processesRequest, {}), { husks: false });
});

test('a query is text and is read as what it means', () => {
  assert.deepEqual(parseRequest(explainRequest, { pid: '42', node: 'node2' }), { pid: 42, node: 'node2' });
  assert.deepEqual(parseRequest(processesRequest, { husks: 'true' }), { husks: true });
});

const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['no arguments', () => parseRequest(runRequest, { ...run, arguments: [] }), /arguments/],
  ['a NUL in an argument', () => parseRequest(runRequest, { ...run, arguments: ['a\0b'] }), /arguments\.0: must not contain a NUL/],
  ['a NUL in the environment', () => parseRequest(runRequest, { ...run, environment: { A: '\0' } }), /environment\.A/],
  ['= in the name of a variable', () => parseRequest(runRequest, { ...run, environment: { 'A=B': '' } }), /environment/],
  ['a relative working directory', () => parseRequest(runRequest, { ...run, workingDirectory: 'src' }), /workingDirectory/],
  ['an unknown member', () => parseRequest(runRequest, { ...run, uid: 0 }), /uid/],
  ['a terminal without size', () => parseRequest(runRequest, { ...run, terminal: { columns: 0, rows: 24, type: 'vt100' } }), /columns/],
  ['every process at once', () => parseRequest(killRequest, { pid: -1, signal: 9 }), /pid: must name a process/],
  ['pid 0', () => parseRequest(killRequest, { pid: 0, signal: 9 }), /pid/],
  ['a signal that does not exist', () => parseRequest(killRequest, { pid: 5, signal: 65 }), /signal/],
  ['a pid beyond 2^22', () => parseRequest(migrateRequest, { pids: [4_194_305], node: '1' }), /pids\.0/],
  ['a pid that is no number', () => parseRequest(explainRequest, { pid: 'x' }), /pid/],
  ['a nice value that is set and added to', () => parseRequest(reniceRequest, { pid: 5, nice: 1, by: 1 }), /`nice` or `by`/],
  ['no nice value', () => parseRequest(reniceRequest, { pid: 5 }), /`nice` or `by`/],
  ['something that is no object', () => parseRequest(migrateRequest, 'hello'), /request/],
];

for (const [what, parse, named] of refused) {
  test(`${what} is refused by name`, () => {
    assert.throws(parse, { code: 'KRG_BAD_REQUEST', message: named });
  });
}
