import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DoctorCheck } from './api/types.ts';
import { examineMachine } from './doctor.ts';

test('each check is named once, and what is missing has its cost', async () => {
  const checks = await examineMachine();
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length);
  for (const { name, ok, detail, cost } of checks) {
    assert.notEqual(detail, '', name);
    assert.equal(cost === '', ok, name);
  }
});

test('an ordinary user is told what is missing, and a node is not promised', () => {
  const program = `const { examineMachine } = await import(${JSON.stringify(fileURLToPath(new URL('./doctor.ts', import.meta.url)))}); console.log(JSON.stringify(await examineMachine()));`;
  const words = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, '--input-type=module', '-e', program];
  const checks = JSON.parse(execFileSync('setpriv', words, { encoding: 'utf8' })) as DoctorCheck[];
  const found = new Map(checks.map((check) => [check.name, check]));
  assert.equal(found.get('kernel')?.ok, true);
  const capabilities = found.get('capabilities');
  assert.deepEqual([capabilities?.ok, capabilities?.essential], [false, true]);
  assert.match(capabilities?.detail ?? '', /CAP_SYS_ADMIN/);
  assert.match(capabilities?.cost ?? '', /as root/);
});
