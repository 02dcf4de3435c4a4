/** The commands of Korrigan as processes of their own, on a cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedCommand {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly ended: Promise<Outcome>;
}

/** `krg`, or one of Kerrighed's. */
export type CommandName = 'krg' | 'krgadm' | 'krgcapset' | 'migrate';

const ROOT = join(import.meta.dirname, '../..');

export function startCommand(name: CommandName, cluster: string, words: readonly string[]): StartedCommand {
  const folder = mkdtempSync(join(tmpdir(), 'korrigan-command-'));
  const path = join(folder, name);
  symlinkSync(join(ROOT, 'krg'), path);
  const child = spawn(path, words, { env: { ...process.env, KRG_CLUSTER: cluster }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
  const { promise: ended, resolve } = Promise.withResolvers<Outcome>();
  child.on('close', (status) => {
    rmSync(folder, { recursive: true });
    resolve({ status, stdout, stderr });
  });
  return { child, stdout: () => stdout, ended };
}

export function runCommand(name: CommandName, cluster: string, ...words: string[]): Promise<Outcome> {
  return startCommand(name, cluster, words).ended;
}
