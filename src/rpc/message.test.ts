import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pack, unpack } from './message.ts';

test('messages are read without native code, which threads would share', () => {
  const value = { words: Array.from({ length: 50 }, (_, n) => `word ${n}`), bytes: Buffer.from([0xa3, 1, 2]), number: 70_000 };
  assert.deepEqual(unpack(pack(value)), value);
  assert.doesNotMatch(readFileSync('/proc/self/maps', 'utf8'), /msgpackr/);
});
