/**
 * CRIU on the same machine, when one that works is on the PATH: dump and restore of the small process on one host, as its gap on CLOCK_REALTIME.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildProgram } from '../test/support/programs.ts';
import { summarize, type Summary } from './statistics.ts';

const run = promisify(execFile);
const ROUNDS = 10;
const TIMEOUT_MILLISECONDS = 20_000;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @returns what was found, in words, and the downtime in ms where CRIU works here */
export async function measureCriu(): Promise<{ text: string; downtime?: Summary }> {
  let version: string;
  try {
    version = (await run('criu', ['--version'])).stdout.split('\n', 1)[0] ?? '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { text: 'not measured, there is no criu on the PATH' };
    throw error;
  }
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-bench-criu-'));
  try {
    return { text: version, downtime: summarize(await dumpAndRestore(directory)) };
  } catch (error) {
    return { text: `not measured, ${version} does not work on this kernel: ${lastError(directory) ?? (error as Error).message}` };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function dumpAndRestore(directory: string): Promise<number[]> {
  const result = join(directory, 'gap');
  const output = join(directory, 'output');
  const log = openSync(output, 'w');
  const child = spawn('setsid', [await buildProgram('gap'), '100', result], { stdio: ['ignore', log, log], detached: true });
  child.unref();
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error('the program did not start');
  const samples: number[] = [];
  try {
    await pause(100);
    const options = ['--images-dir', directory, '--shell-job'];
    for (let round = 0; round < ROUNDS; round++) {
      await run('criu', ['dump', '--tree', String(pid), '--log-file', 'dump.log', ...options], { timeout: TIMEOUT_MILLISECONDS });
      await run('criu', ['restore', '--restore-detached', '--log-file', 'restore.log', ...options], { timeout: TIMEOUT_MILLISECONDS });
      await pause(50);
      samples.push(Number(new BigInt64Array(new Uint8Array(readFileSync(result)).buffer, 0, 1)[0] ?? 0n) / 1e6);
    }
    return samples;
  } finally {
    endIfAlive(pid);
  }
}

/** CRIU may have ended it and not restored it. */
function endIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function lastError(directory: string): string | undefined {
  for (const file of ['restore.log', 'dump.log']) {
    try {
      const errors = readFileSync(join(directory, file), 'utf8')
        .split('\n')
        .filter((line) => line.includes('Error'));
      if (errors.length > 0) return errors[0]?.trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
