import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAccount } from '../users.ts';
import { loginRequest } from './login.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann,,,:/home/ann:/usr/bin/zsh\nbob:x:1001:1001::/home/bob:\n';
const request = { arguments: ['shell', '-c', 'x'], environment: { LANG: 'C' }, workingDirectory: '/work', umask: 0o22 };

test('the account of a user', () => {
  assert.deepEqual(parseAccount(PASSWD, 1000), { name: 'ann', home: '/home/ann', shell: '/usr/bin/zsh' });
  assert.equal(parseAccount(PASSWD, 1001).shell, '/bin/sh');
  assert.deepEqual(parseAccount(PASSWD, 7), { name: '7', home: '/', shell: '/bin/sh' });
});

test('a login shell has a hyphen before its name, an environment of its own, and begins at home', () => {
  const made = loginRequest(request, parseAccount(PASSWD, 1000), 'node2', true);
  assert.equal(made.file, '/usr/bin/zsh');
  assert.deepEqual(made.arguments, ['-zsh', '-c', 'x']);
  assert.equal(made.workingDirectory, '/home/ann');
  const { PATH, ...rest } = made.environment;
  assert.match(PATH ?? '', /^\/usr\/local\/bin:/);
  assert.deepEqual(rest, {
    LANG: 'C',
    HOME: '/home/ann',
    SHELL: '/usr/bin/zsh',
    USER: 'ann',
    LOGNAME: 'ann',
    KRG_NODE: 'node2',
  });
});

test('without a home it begins at the root', () => {
  const made = loginRequest(request, parseAccount(PASSWD, 1000), 'node2', false);
  assert.deepEqual([made.workingDirectory, made.environment['HOME']], ['/', '/']);
});
