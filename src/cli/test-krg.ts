/** `krg` as a process of its own, for tests that serve the API themselves. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface KrgOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Invocation {
  readonly input?: string;
  readonly name?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with what stdout has shown so far. */
  readonly onOutput?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Called with what stderr has shown so far; without it the input ends at once. */
  readonly onError?: (stderr: string, endInput: () => void) => void;
}

/** Says where the one node of a cluster listens, as `krg up` does. */
export function describeCluster(cluster: string, socket: string): void {
  mkdirSync(dirname(socket), { recursive: true });
  const nodes = [{ id: 1, name: 'node1', address: '10.0.0.1', socket, pid: process.pid }];
  writeFileSync(join(dirname(socket), 'cluster.json'), JSON.stringify({ cluster, nodes }));
}

/** @returns what runs krg and waits for its end */
export function krgOf(cluster: string): (words: readonly string[], invocation?: Invocation) => Promise<KrgOutcome> {
  return (words, { input = '', name = 'krg', environment = {}, onOutput, onError } = {}) => {
    const { promise, resolve } = Promise.withResolvers<KrgOutcome>();
    const main = fileURLToPath(new URL('./main.ts', import.meta.url));
    const env = { ...process.env, KRG_ARGV0: name, KRG_CLUSTER: cluster, ...environment };
    const child = spawn(process.execPath, [main, ...words], { env });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      onOutput?.(stdout, (signal) => child.kill(signal));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      onError?.(stderr, () => child.stdin.end(input));
    });
    child.stdin.on('error', () => undefined);
    if (onError === undefined) child.stdin.end(input);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
    return promise;
  };
}
