/**
 * The feature programs that hold no descriptors and no family of their own, each moved once by the engine alone to another pid namespace.
 * All others are moved between nodes of a cluster.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readStatus } from '../src/linux/index.ts';
import { engineMoves } from './engine-features.ts';
import { type Feature, FEATURE_SKIPPED, readFeatures } from './features.ts';
import { endAllNamespaces, endNamespace, moveByEngine, startInNamespace, until } from './support/engine.ts';
import { buildProgram } from './support/programs.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-features-'));
chmodSync(directory, 0o777);
after(() => {
  endAllNamespaces();
  rmSync(directory, { recursive: true });
});

const features = readFeatures().filter(engineMoves);

/** Starts a program, moves it once it is ready, lets it go on. @returns what it printed */
async function moved(feature: Feature): Promise<string> {
  const output = join(directory, `${feature.name}.out`);
  const go = join(directory, `${feature.name}.go`);
  const printed = (): string => readFileSync(output, 'utf8');
  writeFileSync(output, '');
  let pid = await startInNamespace(`${await buildProgram(feature.name)} >>${output} 2>&1`, { KRG_GO: go, KRG_SCRATCH: directory });
  await until(() => /^(ready|skip|FAIL|pass)/m.test(printed()) || ended(pid), `"ready" of ${feature.name}`);
  if (printed().startsWith('ready')) {
    pid = await moveByEngine(pid, output);
    writeFileSync(go, '');
    await until(() => /^(pass|FAIL|skip)/m.test(printed()) || ended(pid), `the verdict of ${feature.name}`);
  }
  endNamespace(pid);
  return printed();
}

function ended(pid: number): boolean {
  const state = readStatus(pid)?.get('State');
  return state === undefined || state.startsWith('Z');
}

describe('state that the engine carries by itself', () => {
  for (const feature of features) {
    test(`${feature.name}: ${feature.what}`, async (context) => {
      const printed = await moved(feature);
      if (printed.startsWith('skip')) context.skip(`${printed.trim()} (exit status ${FEATURE_SKIPPED})`);
      else assert.match(printed, /^ready\n(.*\n)*pass\n$/, printed);
    });
  }
});
