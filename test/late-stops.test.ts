/** A process that cannot be stopped in time stops later, when nobody waits for it any more: it must not stay so. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isKorriganError, releaseLate, RemoteProcess } from '../src/linux/index.ts';
import { until } from './support/engine.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-late-'));
after(() => rmSync(directory, { recursive: true }));

test('a process that waits in vfork is not stopped in time, and goes on afterwards', async () => {
  const [binary, output, pidFile] = ['suspended', 'output', 'pid'].map((name) => join(directory, name));
  assert.ok(binary && output && pidFile);
  execFileSync('gcc', ['-O2', '-o', binary, join(import.meta.dirname, 'programs', 'workloads', 'suspended.c')]);
  const lines = (): string[] => execFileSync('cat', [output], { encoding: 'utf8' }).split('\n').slice(0, -1);
  // A child of this process would be waited for by libuv, which takes the stops of those that it traces.
  const shell = spawn('sh', ['-c', `${binary} > ${output} & echo $! > ${pidFile}; wait`]);
  await until(() => lines().length > 0, 'the vfork');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  try {
    assert.throws(
      () => RemoteProcess.stop(pid, { deadlineMs: 20 }),
      (error) => isKorriganError(error, 'KRG_CANNOT_STOP'),
    );
    await until(() => {
      releaseLate();
      return lines().length > 100;
    }, 'the program to go on');
  } finally {
    process.kill(pid, 'SIGKILL');
    shell.kill('SIGKILL');
  }
});
