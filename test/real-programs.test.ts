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

const MOVES = 20;
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

  // A family that changes in the moment of its move is asked again a few times; now and then that is not enough.
  test('a shell that waits for its children', { todo: 'families that change while they are prepared' }, async () => {
    const script = join(cluster.directory, 'counter.sh');
    writeFileSync(script, 'n=0\nwhile :; do echo $n; n=$((n + 1)); sleep 0.2; done\n');
    const { pid, seen } = await moveWhileWorking(`sh ${script}`, join(cluster.directory, 'shell.out'), true);
    await cluster.client.kill(pid, 9);
    assert.deepEqual(
      seen.map(Number),
      seen.map((_, n) => n),
    );
  });

  test('a pipeline: a writer, gzip, gunzip and a reader, as one tree', async () => {
    const output = join(cluster.directory, 'pipeline.out');
    const command = `bash -c 'for ((n = 0; n < 200000; n++)); do echo line $n; done | gzip | gunzip | sha256sum; echo done'`;
    const pid = await cluster.start(command, output);
    for (let hop = 1; hop <= 5 && lines(output).length === 0; hop++) await cluster.move(pid, (hop % 3) + 1, true);
    await eventually('the end of the pipeline', () => lines(output).includes('done'));
    const expected = createHash('sha256')
      .update(Array.from({ length: 200_000 }, (_, n) => `line ${n}\n`).join(''))
      .digest('hex');
    assert.equal(lines(output)[0], `${expected}  -`);
  });

  test('sqlite3 writing', { skip: has('sqlite3') }, async () => {
    const [database, script] = ['rows.db', 'rows.sql'].map((name) => join(cluster.directory, name));
    assert.ok(database && script);
    writeFileSync(
      script,
      `CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT);\n${Array.from({ length: 3000 }, (_, n) => `INSERT INTO rows VALUES (${n}, 'row ${n}');\n${n % 50 === 0 ? `SELECT ${n};\n` : ''}`).join('')}SELECT 'done';\n`,
    );
    const output = join(cluster.directory, 'sqlite.out');
    const pid = await cluster.start(`sqlite3 ${database} '.read ${script}'`, output);
    await eventually('the first rows', () => lines(output).length > 1);
    for (let hop = 1; hop <= MOVES && !lines(output).includes('done'); hop++) await cluster.move(pid, (hop % 3) + 1).catch(() => undefined);
    await eventually('the last row', () => lines(output).includes('done'));
    const answer = execFileSync('sqlite3', [database, 'PRAGMA integrity_check; SELECT count(*), sum(n) FROM rows;'], { encoding: 'utf8' });
    assert.equal(answer, `ok\n3000|${(2999 * 3000) / 2}\n`);
  });
});
