/**
 * Unmodified programs, moved twenty times among three nodes while they work; what they compute is checked to the last line.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const MOVES = 20;
const SIGTERM = 15;
let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('programs');
});
after(() => cluster[Symbol.asyncDispose]());

const has = (command: string): string | false => {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`]);
    return false;
  } catch {
    return `${command} is not installed`;
  }
};

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}

/** Moves a program on each time it has made progress. @returns its output so far */
async function moveWhileWorking(command: string, output: string, tree = false): Promise<{ pid: number; seen: string[] }> {
  const pid = await cluster.start(command, output);
  await eventually(`the first lines of ${command}`, () => lines(output).length > 2);
  for (let hop = 1; hop <= MOVES; hop++) {
    await cluster.move(pid, (hop % 3) + 1, tree);
    const count = lines(output).length;
    await eventually(`progress after move ${hop} (last: ${lines(output).at(-1)})`, () => lines(output).length > count + 1);
  }
  return { pid, seen: lines(output) };
}

/** A chain of hashes: one lost, doubled or changed line breaks it. */
function assertChain(seen: readonly string[]): void {
  let state = 'start';
  seen.forEach((line, n) => {
    state = createHash('sha256').update(`${state}${n}`).digest('hex');
    assert.equal(line, `${n} ${state}`);
  });
}

describe('programs that move while they work', () => {
  test('a counter in C', async () => {
    const output = join(cluster.directory, 'counter.out');
    const { pid } = await moveWhileWorking(`${await buildProgram('counter')} 3`, output);
    await cluster.client.kill(pid, SIGTERM);
    await eventually('its verdict', () => lines(output).at(-1)?.startsWith('pass'));
    const numbers = lines(output).slice(0, -1).map(Number);
    assert.deepEqual(
      numbers,
      numbers.map((_, n) => n),
    );
    assert.equal(lines(output).at(-1), `pass ${numbers.length} lines`);
  });

  test('threads in C, with mutexes, condition variables and thread-local data', async () => {
    const output = join(cluster.directory, 'threads.out');
    const pid = await cluster.start(`${await buildProgram('threads')} 16`, output);
    for (let hop = 1; hop <= MOVES; hop++) {
      const count = lines(output).length;
      await cluster.move(pid, (hop % 3) + 1);
      await eventually(`progress after move ${hop}`, () => lines(output).length > count);
    }
    await cluster.client.kill(pid, SIGTERM);
    await eventually('its verdict', () => /^(pass|FAIL)/.test(lines(output).at(-1) ?? ''));
    assert.match(lines(output).at(-1) ?? '', /^pass/);
  });

  test('python3', { skip: has('/usr/bin/python3') }, async () => {
    const script = join(cluster.directory, 'chain.py');
    writeFileSync(
      script,
      `import hashlib, time
state, n = 'start', 0
while True:
    state = hashlib.sha256((state + str(n)).encode()).hexdigest()
    print(n, state, flush=True)
    n += 1
    time.sleep(0.005)
`,
    );
    const { pid, seen } = await moveWhileWorking(`/usr/bin/python3 ${script}`, join(cluster.directory, 'python.out'));
    await cluster.client.kill(pid, 9);
    assertChain(seen);
  });

  test('perl', async () => {
    const script = join(cluster.directory, 'chain.pl');
    writeFileSync(
      script,
      `use Digest::SHA qw(sha256_hex); $| = 1; my $s = 'start';
for (my $n = 0; ; $n++) { $s = sha256_hex($s . $n); print "$n $s\\n"; select(undef, undef, undef, 0.005); }
`,
    );
    const { pid, seen } = await moveWhileWorking(`perl ${script}`, join(cluster.directory, 'perl.out'));
    await cluster.client.kill(pid, 9);
    assertChain(seen);
  });

  // Newer versions than Debian's open an io_uring at their start, which is refused by name.
  test('node, with its threads', { skip: has('/usr/bin/node') }, async () => {
    const script = join(cluster.directory, 'chain.cjs');
    writeFileSync(
      script,
      `const { createHash, pbkdf2 } = require('node:crypto'); const { writeSync } = require('node:fs');
let state = 'start', n = 0;
function next() {
  state = createHash('sha256').update(state + n).digest('hex'); writeSync(1, n + ' ' + state + '\\n'); n++;
  pbkdf2('a', 'b', 100, 16, 'sha256', () => setTimeout(next, 5));
}
next();
`,
    );
    const { pid, seen } = await moveWhileWorking(`/usr/bin/node ${script}`, join(cluster.directory, 'node.out'));
    await cluster.client.kill(pid, 9);
    assertChain(seen);
  });

  test('java', { skip: has('java') }, async () => {
    const script = join(cluster.directory, 'Chain.java');
    writeFileSync(
      script,
      `public class Chain { public static void main(String[] a) throws Exception {
  String s = "start"; java.security.MessageDigest d = java.security.MessageDigest.getInstance("SHA-256");
  for (int n = 0; ; n++) { s = String.format("%064x", new java.math.BigInteger(1, d.digest((s + n).getBytes()))); System.out.println(n + " " + s); Thread.sleep(5); } } }
`,
    );
    const { pid, seen } = await moveWhileWorking(`java -XX:-UsePerfData ${script}`, join(cluster.directory, 'java.out'));
    await cluster.client.kill(pid, 9);
    assertChain(seen);
  });

  test('sqlite3 writing', { skip: has('sqlite3') }, async () => {
    const database = join(cluster.directory, 'rows.db');
    const sqlite = await cluster.attach(['sqlite3', database]);
    let printed = '';
    sqlite.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    sqlite.stdin.write('CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT);\n');
    let rows = 0;
    for (let hop = 1; hop <= MOVES; hop++) {
      // A transaction each, which are under way while it moves.
      for (let n = 0; n < 50; n++, rows++) sqlite.stdin.write(`INSERT INTO rows VALUES (${rows}, 'row ${rows}');\n`);
      sqlite.stdin.write(`SELECT 'move ${hop}';\n`);
      await cluster.move(sqlite.pid, (hop % 3) + 1);
      await eventually(`the rows of move ${hop}`, () => printed.endsWith(`move ${hop}\n`));
    }
    sqlite.stdin.end();
    assert.deepEqual(await sqlite.exited, { kind: 'exited', code: 0 });
    const answer = execFileSync('sqlite3', [database, 'PRAGMA integrity_check; SELECT count(*), sum(n) FROM rows;'], { encoding: 'utf8' });
    assert.equal(answer, `ok\n${rows}|${((rows - 1) * rows) / 2}\n`);
  });
});
