/**
 * Programs that are blocked in a system call move twenty times among three nodes while they wait. None of them sees an EINTR or wakes up
 * early, and each is woken in the end by what it waits for.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { eventually, startTestCluster, type AttachedProgram, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const MOVES = 20;
const SIGUSR1 = 10;
const NODES = [2, 3, 1];

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('waits');
});
after(() => cluster[Symbol.asyncDispose]());

interface Case {
  readonly call: string;
  /** Its child moves along. */
  readonly tree?: boolean;
  readonly wake: (program: AttachedProgram, goFile: string) => void | Promise<void>;
}

const writeByte = ({ stdin }: AttachedProgram): void => void stdin.write('x');
const makeFile = (_program: AttachedProgram, goFile: string): void => writeFileSync(goFile, '');

const CASES: readonly Case[] = [
  { call: 'read', wake: writeByte },
  { call: 'poll', wake: writeByte },
  { call: 'epoll_wait', wake: writeByte },
  { call: 'futex', wake: makeFile },
  { call: 'wait4', tree: true, wake: makeFile },
  { call: 'sigsuspend', wake: ({ pid }) => cluster.client.kill(pid, SIGUSR1) },
  { call: 'nanosleep', wake: () => undefined },
];

describe('programs that wait', { concurrency: 2 }, () => {
  for (const { call, tree = false, wake } of CASES) {
    test(`in ${call}`, async () => {
      const goFile = join(cluster.directory, `${call}.go`);
      const program = await cluster.attach([await buildProgram('blocked'), call], { KRG_GO: goFile });
      let printed = '';
      program.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      const errors = textOf(program.stderr);
      await eventually(`"ready" of ${call}`, () => printed.includes('ready\n'));
      for (let move = 0; move < MOVES; move++) {
        await cluster.move(program.pid, NODES[move % NODES.length] ?? 1, tree);
        assert.equal(printed, 'ready\n', `after move ${move + 1}`);
      }
      await wake(program, goFile);
      const status = await program.exited;
      assert.deepEqual([printed, await errors, status], ['ready\npass\n', '', { kind: 'exited', code: 0 }]);
    });
  }
});
