import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureObjects } from './measure-objects.ts';

test('a node with a hundred thousand objects comes through a change of the membership', () => {
  const { reconfiguration } = measureObjects(2, 220_000, 1);
  assert.ok(reconfiguration.milliseconds < Infinity);
});
