import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal, type ReniceCase } from './renice.ts';

const own: ReniceCase = { uid: 1000, owners: { real: 1000, effective: 1000 }, before: 5, after: 10, limit: 0 };
const cases: readonly (readonly [string, Partial<ReniceCase>, ReturnType<typeof refusal>])[] = [
  ['its owner makes it nicer', {}, undefined],
  ['its owner leaves it as it is', { after: 5 }, undefined],
  ['its owner makes it less nice', { after: 4 }, 'EACCES'],
  ['as far as RLIMIT_NICE allows', { after: -5, limit: 25 }, undefined],
  ['further than RLIMIT_NICE allows', { after: -6, limit: 25 }, 'EACCES'],
  ['root', { uid: 0, after: -20 }, undefined],
  ['another user', { uid: 1001 }, 'EPERM'],
  ['who started a program of another user', { owners: { real: 1000, effective: 0 } }, undefined],
  ['whose program another has started', { owners: { real: 0, effective: 1000 } }, undefined],
];
for (const [name, difference, expected] of cases) {
  test(`nice values: ${name}`, () => {
    assert.equal(refusal({ ...own, ...difference }), expected);
  });
}
