/** An interactive shell that was started with `krg run` moves, and its user's real terminal stays with it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestTerminal } from './support/terminal.ts';

const KRG = fileURLToPath(new URL('../krg', import.meta.url));
const cluster = `moves-${process.pid}`;
const krg = (...words: string[]): string => execFileSync(KRG, words, { env: { ...process.env, KRG_CLUSTER: cluster }, encoding: 'utf8' });

before(() => void krg('up', '--nodes', '2'));
after(() => void krg('down'));

test('bash is used on the other node as before: commands, ^C, the size of the window', async () => {
  using terminal = new TestTerminal(
    [KRG, 'run', '--node', 'node1', 'bash', '--norc', '-i'],
    { columns: 100, rows: 30 },
    { KRG_CLUSTER: cluster, PS1: '$ ' },
  );
  await terminal.shows(/\$$/);
  terminal.type('echo pid $$\n');
  const [, pid = ''] = await terminal.shows(/pid (\d+)\n/);
  for (const node of ['node2', 'node1', 'node2']) {
    krg('migrate', pid, node);
    terminal.type(`clear; echo now on ${node}; stty size\n`);
    await terminal.shows(new RegExp(`^now on ${node}\n30 100\n\\$$`, 'm'));
    terminal.type('sleep 1001\n');
    for (const deadline = Date.now() + 20_000; !krg('ps').includes('sleep 1001'); ) assert.ok(Date.now() < deadline, 'no sleep');
    terminal.press('C-c');
    await terminal.shows(/\^C/);
    terminal.type('echo interrupted $?\n');
    await terminal.shows(/interrupted 130/);
  }
  terminal.resize(120, 40);
  await terminal.shows(/./);
  terminal.type('clear; until [ "$(stty size)" = "40 120" ]; do sleep 0.1; done; echo resized\n');
  await terminal.shows(/^resized$/m);
});
