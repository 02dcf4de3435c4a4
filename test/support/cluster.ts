/** A cluster of real daemons for a test file, and programs on it. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ClusterDescription,
  type ExitStatus,
  NodeClient,
  type RunRequest,
  startCluster,
  type StartClusterOptions,
  stopCluster,
} from '../../src/node/index.ts';
import { storeOfTests } from './stores.ts';

/** A program with its streams attached to this process. */
export interface AttachedProgram {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<ExitStatus>;
}

export interface TestCluster extends AsyncDisposable {
  readonly description: ClusterDescription;
  readonly client: NodeClient;
  /** Shared by all nodes, writable by every user, removed at the end. */
  readonly directory: string;
  /** Starts a shell command, its output appended to a file. @param node @default 1 @returns its pid */
  start(command: string, output: string, environment?: Readonly<Record<string, string>>, node?: number): Promise<number>;
  /** Starts a program on node 1 with its streams attached to this process. */
  attach(words: readonly string[], environment?: Readonly<Record<string, string>>): Promise<AttachedProgram>;
  /** @throws with the refusal's words when it does not move */
  move(pid: number, node: number, tree?: boolean): Promise<void>;
}

export async function startTestCluster(name: string, options: Partial<StartClusterOptions> = {}): Promise<TestCluster> {
  const cluster = `${name}-${process.pid}`;
  // Not below /dev/shm, which every node has for itself.
  const directory = mkdtempSync(join(tmpdir(), `korrigan-${name}-`));
  chmodSync(directory, 0o777);
  const description = await startCluster({ cluster, nodes: 3, ...storeOfTests(), ...options });
  const client = new NodeClient(...description.nodes.map(({ socket }) => socket));
  const request = (words: readonly string[], environment: Readonly<Record<string, string>>, node = 1): RunRequest => ({
    arguments: [...words],
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', ...environment },
    workingDirectory: '/',
    umask: 0o22,
    node: `node${node}`,
  });
  return {
    description,
    client,
    directory,
    start: async (command, output, environment = {}, node = 1) => {
      appendFileSync(output, ''); // so that it can be read before the program has written
      const { pid } = await client.runDetached(request(['sh', '-c', `exec ${command} >>${output} 2>&1`], environment, node));
      return pid;
    },
    attach: async (words, environment = {}) => {
      const program = await client.run(request(words, environment));
      const { pid } = await program.started;
      const { stdin, stdout, stderr, exited } = program;
      return { pid, stdin, stdout, stderr, exited };
    },
    move: async (pid, node, tree = false) => {
      const [result] = await client.migrate({ pids: [pid], node: `node${node}`, tree });
      assert.ok(result);
      if (result.outcome === 'failed') throw new Error(`${result.error.code}: ${result.error.message}`);
    },
    [Symbol.asyncDispose]: async () => {
      await stopCluster(cluster);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Asks until there is an answer. @throws Error that names `what` after 30 s */
export async function eventually<T>(what: string, question: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(5)) {
    const answer = await question();
    if (answer !== undefined && answer !== false) return answer;
  }
  throw new Error(`waited in vain for ${what}`);
}
