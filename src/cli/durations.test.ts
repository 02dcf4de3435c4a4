import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKorriganError } from '../linux/errors.ts';
import { parseDuration } from './durations.ts';

test('a duration is a number with a unit, or of seconds', () => {
  assert.deepEqual(['10s', '10', '500ms', '1.5m', '.5', '2h', '0'].map(parseDuration), [10_000, 10_000, 500, 90_000, 500, 7_200_000, 0]);
  for (const text of ['', 's', '-1', '10 s', '1e3', '5w', 'NaN', '100d'])
    assert.throws(
      () => parseDuration(text),
      (error) => isKorriganError(error, 'KRG_USAGE'),
    );
});
