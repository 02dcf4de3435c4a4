/** No secret of a live cluster is on a command line, in an environment, in a log, in an event, or in a file that others can read. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { NodeClient, restartDaemon } from '../src/node/index.ts';
import { enrol, readCredentials } from '../src/rpc/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';

const KRG = join(import.meta.dirname, '../src/cli/main.ts');
const TOKEN = /krg_join_[A-Za-z0-9_-]{70}/;
/** A line of a key in PEM, or a secret in hexadecimal, as tickets of moves are. */
const KEY_LINE = /^[A-Za-z0-9+/]{64}$/gm;
const TICKET = /\b[0-9a-f]{64}\b/;

let cluster: TestCluster;
/** What must not be seen: the texts themselves. */
const secrets = new Set<string>();
/** Command lines and environments that were ever seen. */
const seen = new Map<string, string>();
let watch: NodeJS.Timeout;

before(async () => {
  watch = setInterval(lookAtProcesses, 20);
  cluster = await startTestCluster('secrets');
});
after(async () => {
  clearInterval(watch);
  await cluster[Symbol.asyncDispose]();
});

const directory = (): string => dirname(dirname(cluster.description.nodes[0]?.socket ?? ''));
const client = (id: number): NodeClient => new NodeClient(cluster.description.nodes[id - 1]?.socket ?? '');

function lookAtProcesses(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    for (const file of ['cmdline', 'environ']) {
      try {
        const content = readFileSync(`/proc/${pid}/${file}`, 'latin1');
        if (content !== '') seen.set(content, `/proc/${pid}/${file} of ${content.slice(0, 60)}`);
      } catch {
        // It has ended.
      }
    }
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function noteKeys(): void {
  for (const file of filesBelow(directory()).filter((name) => name.endsWith('.pem'))) {
    const content = readFileSync(file, 'latin1');
    for (const [key] of content.matchAll(/-----BEGIN PRIVATE KEY-----[^-]+/g))
      for (const [line] of key.matchAll(KEY_LINE)) secrets.add(line);
  }
}

async function krg(words: readonly string[], input = '', status = 0): Promise<string> {
  const child = spawn(process.execPath, [KRG, ...words, '--cluster', cluster.description.cluster]);
  child.stdin.end(input);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  assert.equal(child.exitCode, status, errors);
  return status === 0 ? output : errors;
}

/** All that happens to secrets in a cluster: they are made, given out, used, used again, and taken away. */
async function live(): Promise<void> {
  noteKeys();
  const token = (await krg(['token'])).trim();
  assert.match(token, TOKEN);
  const address = { host: cluster.description.nodes[0]?.address ?? '', port: 7420 };
  const identity = join(cluster.directory, 'identity.pem');
  const enrolling = ['enrol', `${address.host}:${address.port}`, '--output', identity, '--token'];
  await krg([...enrolling, '-'], `${token}\n`);
  assert.equal(statSync(identity).mode & 0o777, 0o600);
  const credentials = readCredentials(identity);
  // Nothing is written over a key; a file of tokens is as good as stdin; a token itself is not taken.
  assert.match(await krg([...enrolling, '-'], token, 2), /nothing is written over keys/);
  const file = join(cluster.directory, 'token');
  writeFileSync(file, token, { mode: 0o600 });
  assert.match(
    await krg(['enrol', `${address.host}:${address.port}`, '--output', `${identity}.2`, '--token', file], '', 4),
    /KRG_TOKEN_USED/,
  );
  assert.match(await krg([...enrolling, 'krg_join_on_the_command_line'], '', 2), /everybody on this machine can see it/);
  await assert.rejects(enrol(address, token), { code: 'KRG_TOKEN_USED' });
  await assert.rejects(enrol(address, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`), { code: /^KRG_/ });
  secrets.add(token);
  secrets.add(token.slice('krg_join_'.length));
  for (const [line] of credentials.key.matchAll(KEY_LINE)) secrets.add(line);
  const pid = await cluster.start('sleep 1000', join(cluster.directory, 'sleep.out'));
  await cluster.move(pid, 2);
  await cluster.move(pid, 3);
  await client(1).kill(pid, 9);
  await client(1).revoke('4');
  await restartDaemon(cluster.description.cluster, 2);
  await eventually('all nodes', async () => (await client(1).status()).nodes.every(({ state }) => state === 'online'));
  noteKeys();
  lookAtProcesses();
}

const leaks = (content: string): string | undefined => [...secrets].find((secret) => content.includes(secret));

test('command lines, environments, logs and files that others can read hold no key and no token', async () => {
  await live();
  assert.ok(secrets.size >= 2 * 3 + 2, 'keys of an authority and three nodes, a token');
  const isWatched = [...seen.keys()].some((content) => content.includes('krgd'));
  assert.ok(isWatched && seen.size > 10, 'the daemons were seen');
  for (const [content, where] of seen) {
    assert.equal(leaks(content), undefined, where);
    assert.ok(!TOKEN.test(content) && !content.includes('PRIVATE KEY'), where);
  }

  const files = filesBelow(directory());
  const logs = files.filter((file) => file.endsWith('krgd.log'));
  assert.equal(logs.length, 3);
  for (const log of logs) {
    const content = readFileSync(log, 'latin1');
    assert.ok(content.includes('KRG_TOKEN_USED') || !log.includes('node1'), 'what happened is in the log');
    assert.equal(leaks(content), undefined, log);
    assert.doesNotMatch(content, TICKET, log);
    assert.ok(!TOKEN.test(content) && !content.includes('PRIVATE KEY'), log);
  }
  // What holds a secret is its owner's alone. Of a token nobody keeps more than a digest.
  let holders = 0;
  for (const file of files) {
    const leak = leaks(readFileSync(file, 'latin1'));
    if (leak === undefined) continue;
    holders++;
    assert.equal(statSync(file).mode & 0o077, 0, file);
    assert.doesNotMatch(leak, TOKEN, file);
  }
  assert.ok(holders >= 4, 'the search finds keys where they are');
});
