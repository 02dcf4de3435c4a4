/** Somebody who works on a test cluster with `krg`, as a process of its own, and in real terminals. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestCluster } from './cluster.ts';
import type { Outcome } from './commands.ts';
import { TestTerminal } from './terminal.ts';

export const KRG = fileURLToPath(new URL('../../krg', import.meta.url));

export interface User {
  /** Runs krg to its end. */
  krg(words: readonly string[], options?: { readonly input?: string; readonly uid?: number }): Promise<Outcome>;
  /** Starts a program that nobody waits for. @param words options of krg run, and the program @returns its pid */
  start(...words: string[]): Promise<number>;
  kill(...pids: number[]): Promise<void>;
  /** Where a process is; undefined when there is none. */
  nodeOf(pid: number): Promise<string | undefined>;
  /** A terminal of 110 columns and 30 rows in which a command runs. */
  terminal(command: readonly string[], environment?: Readonly<Record<string, string>>): TestTerminal;
}

export function userOf({ description, client }: TestCluster): User {
  const environment = { KRG_CLUSTER: description.cluster, LC_ALL: 'C.UTF-8' };
  const krg: User['krg'] = (words, { input, uid } = {}) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const child = spawn(KRG, words, { env: { ...process.env, ...environment }, ...(uid === undefined ? {} : { uid, gid: uid }) });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
    return promise;
  };
  return {
    krg,
    start: async (...words) => {
      const { status, stdout, stderr } = await krg(['run', '-d', ...words]);
      assert.equal(status, 0, stderr);
      return Number(stdout);
    },
    kill: async (...pids) => {
      await krg(['kill', '-9', ...pids.map(String)]);
    },
    nodeOf: async (pid) => (await client.processes()).find((entry) => entry.pid === pid)?.node,
    terminal: (command, more = {}) => new TestTerminal(command, { columns: 110, rows: 30 }, { ...environment, TERM: 'screen', ...more }),
  };
}
