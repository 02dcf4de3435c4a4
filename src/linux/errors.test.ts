import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES, errorKind, isKorriganError, KorriganError, toKorriganError } from './errors.ts';

test('an error crosses JSON with its code, message and causes', () => {
  const cause = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  const error = new KorriganError('KRG_NO_SUCH_PROCESS', 'no process 7', { cause });
  const back = KorriganError.fromJSON(JSON.parse(JSON.stringify(error)));
  assert.equal(back.code, 'KRG_NO_SUCH_PROCESS');
  assert.equal(back.message, 'no process 7');
  assert.ok(back.cause instanceof KorriganError);
  assert.equal(back.cause.code, 'ENOENT');
  assert.equal(back.cause.message, 'no such file');
});

test('a chain of causes without end is cut', () => {
  const error = new KorriganError('KRG_INTERNAL', 'ring');
  error.cause = error;
  assert.ok(JSON.stringify(error).length < 1000);
});

test('anything thrown becomes a KorriganError', () => {
  const known = new KorriganError('KRG_DEADLINE', 'late');
  assert.equal(toKorriganError(known), known);
  assert.equal(toKorriganError(new TypeError('oops')).code, 'KRG_INTERNAL');
  assert.equal(toKorriganError('text').code, 'KRG_INTERNAL');
  assert.ok(isKorriganError(known, 'KRG_DEADLINE'));
  assert.ok(!isKorriganError(known, 'KRG_CANCELLED'));
  assert.deepEqual(errorKind('KRG_NEVER_HEARD_OF'), ERROR_CODES.KRG_INTERNAL);
});

test('every code raised in src stands in the registry', () => {
  const source = join(import.meta.dirname, '..');
  const unknown: string[] = [];
  for (const file of globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts'] })) {
    for (const match of readFileSync(join(source, file), 'utf8').matchAll(/KorriganError\(\s*['"](\w+)['"]/g)) {
      if (!Object.hasOwn(ERROR_CODES, match[1] ?? '')) unknown.push(`${file}: ${match[1]}`);
    }
  }
  assert.deepEqual(unknown, [], 'add these to ERROR_CODES in src/linux/errors.ts');
});
