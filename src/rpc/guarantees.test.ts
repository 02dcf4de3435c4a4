import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

test('each test that docs/rpc.md names is there', () => {
  const text = readFileSync(join(ROOT, 'docs/rpc.md'), 'utf8');
  const named = Array.from(text.matchAll(/`([a-z/-]+\.test\.ts)` ([^·|\n]+)/g), ([, file = '', name = '']) => ({
    file,
    name: name.trim(),
  }));
  assert.ok(named.length > 35);
  for (const { file, name } of named) {
    const path = file.includes('/') && !file.startsWith('fuzzing/') ? join(ROOT, file) : join(import.meta.dirname, file);
    assert.ok(readFileSync(path, 'utf8').includes(`test('${name}'`), `${file}: ${name}`);
  }
});
