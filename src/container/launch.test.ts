import assert from 'node:assert/strict';
import { test } from 'node:test';
import { executableFiles } from './launch.ts';

const files = (name: string, environment: Record<string, string> = {}): string[] => executableFiles({ arguments: [name], environment });

test('a name is looked up along PATH, in order; an empty member is the working directory', () => {
  assert.deepEqual(files('ls', { PATH: '/a::/b' }), ['/a/ls', 'ls', '/b/ls']);
  assert.deepEqual(files('ls'), ['/usr/local/bin/ls', '/usr/bin/ls', '/bin/ls']);
});

test('a path is taken as it is', () => {
  assert.deepEqual(files('./ls', { PATH: '/a' }), ['./ls']);
  assert.deepEqual(files('/bin/ls'), ['/bin/ls']);
});
