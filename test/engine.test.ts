/**
 * The ghost engine by itself: programs are exported, killed and imported again under their pids in other pid namespaces, while they work.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { endAllNamespaces, moveByEngine, startInNamespace, until } from './support/engine.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-engine-'));
after(() => {
  endAllNamespaces();
  rmSync(directory, { recursive: true });
});

function build(name: string): string {
  const binary = join(directory, name);
  execFileSync('gcc', ['-O1', '-pthread', '-o', binary, join(import.meta.dirname, 'programs', 'engine', `${name}.c`)]);
  return binary;
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

/** What a program has printed after it was moved several times, each time once it had made progress. */
async function outputOver(name: string, hops: number): Promise<string[]> {
  const output = join(directory, `${name}.out`);
  let pid = await startInNamespace(`${build(name)} >>${output} 2>&1`);
  await until(() => lines(output).length > 3);
  for (let hop = 1; hop <= hops; hop++) {
    pid = await moveByEngine(pid, output);
    const before = lines(output).length;
    await until(() => lines(output).length > before + 3, `progress of ${name} after hop ${hop} (last line: ${lines(output).at(-1)})`);
  }
  process.kill(pid, 'SIGKILL');
  return lines(output);
}

test('a counter goes on without a gap', async () => {
  const seen = (await outputOver('counter', 20)).map(Number);
  assert.deepEqual(
    seen,
    seen.map((_, n) => n),
  );
});

test('threads, mutexes, condition variables and thread-local data survive', async () => {
  const seen = await outputOver('ring', 20);
  assert.deepEqual(
    seen.filter((line) => !line.startsWith('round ')),
    [],
  );
  assert.ok(seen.length > 20);
});
