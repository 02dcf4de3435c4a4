/**
 * The feature programs themselves, without any migration: each passes in place, and each fails when its state is spoiled.
 * KRG_FEATURES narrows the run to names that begin with it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, chmod, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FEATURE_SKIPPED, type Feature, readFeatures } from '../features.ts';
import { buildProgram, buildSpoiledFeature } from '../support/programs.ts';

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/** A program that has not ended by then has lost its way. */
const PATIENCE_MILLISECONDS = 45_000;

/** Runs a program in a pid namespace of its own, says "go" as soon as it is ready, and waits for its end. */
async function runFeature(executable: string): Promise<Outcome> {
  const scratch = await mkdtemp(join(tmpdir(), 'korrigan-feature-'));
  await chmod(scratch, 0o777);
  const go = join(scratch, 'go');
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', '--', 'sh', '-c', '"$0"; exit $?', executable], {
        env: { ...process.env, KRG_GO: go, KRG_SCRATCH: scratch },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      let said = false;
      const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MILLISECONDS);
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (said || !output.includes('ready\n')) return;
        said = true;
        setTimeout(() => {
          writeFile(go, '').catch(reject);
        }, 20);
      });
      child.on('error', reject);
      child.on('close', (status, signal) => {
        clearTimeout(patience);
        resolve({ status, signal, output });
      });
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const selected = (feature: Feature): boolean => feature.name.startsWith(process.env['KRG_FEATURES'] ?? '');
const features = readFeatures().filter(selected);

describe('feature programs in place', { concurrency: 4 }, () => {
  for (const { name, what } of features) {
    it(`${name}: ${what}`, async (context) => {
      const { status, signal, output } = await runFeature(await buildProgram(name));
      if (status === FEATURE_SKIPPED) return context.skip(output.trim());
      assert.deepEqual({ status, signal, last: output.split('\n').at(-2) }, { status: 0, signal: null, last: 'pass' }, output);
    });
  }
});

describe('feature programs notice the loss of their state', { concurrency: 4 }, () => {
  for (const { name, spoil } of features) {
    it(name, { skip: spoil === undefined && 'has no spoil line' }, async (context) => {
      const { status, signal, output } = await runFeature(await buildSpoiledFeature(name, spoil ?? ''));
      if (status === FEATURE_SKIPPED) return context.skip(output.trim());
      assert.match(output, /ready\n/);
      assert.ok(status !== 0 && !output.includes('pass\n'), `status ${status}, signal ${signal}, output ${output}`);
    });
  }
});
