/** `npm run check`, as tests, so that one summary closes `npm test` whatever has failed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

for (const name of Object.keys(scripts).filter((script) => script.startsWith('check:'))) {
  test(`npm run ${name}`, () => {
    const { status, stdout, stderr } = spawnSync('npm', ['run', '-s', name], { cwd: root, encoding: 'utf8' });
    assert.equal(status, 0, `\n${stdout}${stderr}`);
  });
}
