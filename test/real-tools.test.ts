/**
 * Tools as people use them, moved among three nodes while they work: a compiler with its children, a server with its data, shells and
 * pipelines, gzip between two pipes. Families change under these moves, and streams have ends that stay.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { createGunzip } from 'node:zlib';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const MOVES = 20;
const SIGTERM = 15;
const SIGKILL = 9;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('tools');
});
after(() => cluster[Symbol.asyncDispose]());

const nodeOf = (move: number): number => [2, 3, 1][move % 3] ?? 1;
const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const lives = async (pid: number): Promise<boolean> => (await cluster.client.processes()).some((process) => process.pid === pid);

/** Runs a program on a node, to its end. @returns what it printed */
async function ask(node: number, ...words: string[]): Promise<string> {
  const program = await cluster.client.run({
    arguments: words,
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    umask: 0o22,
    node: `node${node}`,
  });
  program.stdin.end();
  const [printed, errors, status] = await Promise.all([textOf(program.stdout), textOf(program.stderr), program.exited]);
  assert.deepEqual([errors, status], ['', { kind: 'exited', code: 0 }], words.join(' '));
  return printed;
}

/** @returns false when the process has ended before or in the moment of its move */
async function moveUnlessEnded(pid: number, node: number): Promise<boolean> {
  try {
    await cluster.move(pid, node, true);
    return true;
  } catch (error) {
    if (await lives(pid)) throw error;
    return false;
  }
}

/** A script that prints lines into a pipeline until the file STOP exists, then how many they were, and what came out at the other end. */
function writePipeline(name: string, filters: string): { script: string; stopFile: string } {
  const [script, stopFile] = ['sh', 'stop'].map((ending) => join(cluster.directory, `${name}.${ending}`));
  assert.ok(script && stopFile);
  writeFileSync(
    script,
    `{ for ((n = 0; ; n++)); do [[ -e ${stopFile} ]] && break; echo line $n; done; echo count $n >&2; } | ${filters}\necho done\n`,
  );
  return { script, stopFile };
}

/** Stops a pipeline, and compares what it printed with what it had to. */
async function assertPipeline(output: string, stopFile: string): Promise<void> {
  writeFileSync(stopFile, '');
  await eventually('the end of the pipeline', () => lines(output).includes('done'));
  const [, count] = /^count (\d+)$/m.exec(readFileSync(output, 'utf8')) ?? assert.fail(readFileSync(output, 'utf8'));
  const text = Array.from({ length: Number(count) }, (_, n) => `line ${n}\n`).join('');
  assert.deepEqual(lines(output), [`count ${count}`, `${createHash('sha256').update(text).digest('hex')}  -`, 'done']);
}

/** C files that take seconds to compile, and the program that they make. */
function writeSources(folder: string, files: number, functions: number): string[] {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  const part = (file: number): string =>
    [
      '#include <math.h>',
      ...numbers(functions).map(
        (
          n,
        ) => `static double work${n}(double x) { double s = ${n}.5; for (int i = 0; i < ${n + 3}; i++) { if (i % 3 == ${n % 3}) s += sqrt(x + i) * ${file};
  else switch (i % 7) { case 1: s -= x / (i + 1); break; case 2: s *= 1.0001; break; default: s += (int)s % (i + ${n + 1}); } } return s; }`,
      ),
      `double part${file}(double x) { double s = 0; ${numbers(functions)
        .map((n) => `s += work${n}(x);`)
        .join(' ')} return s; }`,
      '',
    ].join('\n');
  const main = `#include <stdio.h>
${numbers(files)
  .map((n) => `double part${n}(double);`)
  .join('\n')}
int main(void) { double s = 0; ${numbers(files)
    .map((n) => `s += part${n}(fabs_small(s) + ${n});`)
    .join(' ')} printf("%.17g\\n", s); return 0; }
`.replaceAll('fabs_small(s)', '(s < 0 ? -s : s) / 1e9');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'main.c'), main);
  for (const n of numbers(files)) writeFileSync(join(folder, `part${n}.c`), part(n));
  return ['main.c', ...numbers(files).map((n) => `part${n}.c`)].map((name) => join(folder, name));
}

describe('tools that move while they work', () => {
  test('gcc compiling and linking: cc1, as, collect2 and ld come and go', async () => {
    const folder = join(cluster.directory, 'gcc');
    const sources = writeSources(folder, 12, 60).join(' ');
    const [native, moved, output] = ['native', 'moved', 'gcc.out'].map((name) => join(folder, name));
    assert.ok(native && moved && output);
    execFileSync('sh', ['-c', `gcc ${sources} -O0 -lm -o ${native}`]);
    for (let moves = 0; moves < MOVES; ) {
      const pid = await cluster.start(`gcc ${sources} -O2 -lm -o ${moved}`, output);
      while (moves < MOVES && (await moveUnlessEnded(pid, nodeOf(moves)))) moves++;
      await eventually('the end of gcc', async () => !(await lives(pid)));
      assert.equal(readFileSync(output, 'utf8'), '');
      assert.equal(execFileSync(moved, { encoding: 'utf8' }), execFileSync(native, { encoding: 'utf8' }));
      rmSync(moved);
    }
  });

  test('redis-server with data in it, listening on its port', async () => {
    const output = join(cluster.directory, 'redis.out');
    const options = ['--port 6379', '--bind 127.0.0.1', '--save ""', `--dir ${cluster.directory}`, '--protected-mode no'];
    const pid = await cluster.start(`redis-server ${options.join(' ')}`, output);
    await eventually('the server', () => readFileSync(output, 'utf8').includes('Ready to accept connections'));
    const values = 5000;
    const fill = `for i = 1, ${values} do redis.call('set', 'key:' .. i, string.rep(tostring(i), 100)); redis.call('rpush', 'list', i) end return 'filled'`;
    assert.equal(await ask(1, 'redis-cli', 'eval', fill, '0'), 'filled\n');
    const digest = `return redis.sha1hex(table.concat(redis.call('lrange', 'list', 0, -1), ' ') .. redis.call('get', 'key:' .. ARGV[1])) .. redis.call('incr', 'visits')`;
    const seen: string[] = [];
    for (let move = 0; move < MOVES; move++) {
      await cluster.move(pid, nodeOf(move));
      seen.push(await ask(nodeOf(move), 'redis-cli', 'eval', digest, '0', String(move + 1)));
    }
    const list = Array.from({ length: values }, (_, n) => n + 1).join(' ');
    const expected = seen.map(
      (_, n) =>
        `${createHash('sha1')
          .update(list + String(n + 1).repeat(100))
          .digest('hex')}${n + 1}\n`,
    );
    assert.deepEqual(seen, expected);
    await cluster.client.kill(pid, SIGTERM);
    await eventually('the end of the server', async () => !(await lives(pid)));
    assert.match(readFileSync(output, 'utf8'), /Redis is now ready to exit, bye bye/);
  });

  test('gzip between two pipes whose other ends stay', async () => {
    const gzip = await cluster.attach(['gzip', '-1']);
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    const ended = once(
      gzip.stdout.pipe(createGunzip()).on('data', (chunk: Buffer) => received.update(chunk)),
      'end',
    );
    let line = 0;
    for (let move = 0; move < MOVES; move++) {
      const moving = cluster.move(gzip.pid, nodeOf(move));
      // About half a megabyte between two moves, while they are under way.
      for (let part = 0; part < 10; part++) {
        const text = Array.from({ length: 3000 }, () => `line ${line++}\n`).join('');
        sent.update(text);
        if (!gzip.stdin.write(text)) await once(gzip.stdin, 'drain');
      }
      await moving;
    }
    gzip.stdin.end();
    await ended;
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.deepEqual(await gzip.exited, { kind: 'exited', code: 0 });
  });

  test('gzip alone in the middle of a pipeline of a shell', async () => {
    const output = join(cluster.directory, 'middle.out');
    const { script, stopFile } = writePipeline('middle', 'gzip -1 | { gunzip | sha256sum; }');
    const shell = await cluster.start(`bash ${script}`, output);
    const isGzip = ({ command, ppid }: { command: string; ppid: number }): boolean => command === 'gzip -1' && ppid === shell;
    const gzip = await eventually('gzip', async () => (await cluster.client.processes()).find(isGzip));
    for (let move = 0; move < MOVES; move++) await cluster.move(gzip.pid, nodeOf(move));
    await assertPipeline(output, stopFile);
  });

  test('a pipeline of bash, gzip, gunzip and a reader, as one tree', async () => {
    const output = join(cluster.directory, 'pipeline.out');
    const { script, stopFile } = writePipeline('pipeline', 'gzip -1 | gunzip | sha256sum');
    const pid = await cluster.start(`bash ${script}`, output);
    for (let move = 0; move < MOVES; move++) await cluster.move(pid, nodeOf(move), true);
    await assertPipeline(output, stopFile);
  });

  test('a shell whose children come and go', async () => {
    const output = join(cluster.directory, 'shell.out');
    const script = join(cluster.directory, 'counter.sh');
    writeFileSync(script, 'n=0\nwhile :; do echo $n; n=$((n + 1)); sleep 0.05; done\n');
    const pid = await cluster.start(`sh ${script}`, output);
    await eventually('the first numbers', () => lines(output).length > 2);
    for (let move = 0; move < MOVES; move++) {
      await cluster.move(pid, nodeOf(move), true);
      const count = lines(output).length;
      await eventually(`progress after move ${move + 1}`, () => lines(output).length > count + 1);
    }
    await cluster.client.kill(-pid, SIGKILL);
    const numbers = lines(output).map(Number);
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n),
    );
  });
});
