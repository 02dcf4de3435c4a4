/** `krg top` in a real terminal, on a real cluster. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { killNode } from './support/nodes.ts';
import { KRG, type User, userOf } from './support/user.ts';

let cluster: TestCluster;
let user: User;
before(async () => {
  cluster = await startTestCluster('top');
  user = userOf(cluster);
});
after(() => cluster[Symbol.asyncDispose]());

test('top: watch, choose, move, renice and kill, and see it happen', async () => {
  const pid = await user.start('--node', 'node1', '--', 'sh', '-c', 'while :; do sleep 0.01; done; : for top');
  using terminal = user.terminal([KRG, 'top', '-d', '300ms', '--filter', 'for top']);
  await terminal.shows(new RegExp(`^ *${pid} root +node1`, 'm'));
  await terminal.shows(/^node3 +online .*GiB of/m);
  terminal.press('Down');
  await terminal.shows(new RegExp(`^> *${pid} root +node1`, 'm'));
  terminal.press('m');
  await terminal.shows(new RegExp(`Move ${pid} sh -c while`));
  terminal.type('3');
  terminal.press('Enter');
  await terminal.shows(new RegExp(`^> *${pid} root +node3`, 'm'));
  await terminal.shows(new RegExp(`node1 process ${pid} moved to node3`));
  terminal.type(']]');
  await terminal.shows(new RegExp(`^> *${pid} root +node3 \\S +2 `, 'm'));
  terminal.resize(60, 12);
  await terminal.shows(/^ *PID .*COMMAND$/m);
  await terminal.shows(new RegExp(`^> *${pid} `, 'm'));
  terminal.resize(110, 30);
  terminal.type('x');
  await terminal.shows(/it would move/);
  terminal.type('q');
  await terminal.shows(/^> /m);
  terminal.type('k9');
  await terminal.shows(/> +9 SIGKILL/);
  terminal.press('Enter');
  await terminal.shows(new RegExp(`SIGKILL was sent to ${pid}`));
  await eventually('its end', async () => (await user.nodeOf(pid)) === undefined);
  await eventually('that it is gone', () => !new RegExp(`^[> ] *${pid} `, 'm').test(terminal.screen));
  terminal.press('Escape');
  terminal.press('q');
  await terminal.shows(/ended with status 0/);
});

test('top: put aside with ^Z and taken up again', async () => {
  using terminal = user.terminal(['bash', '--norc', '--noprofile'], { PS1: '$ ' });
  await terminal.shows(/\$$/);
  terminal.type(`${KRG} top -d 300ms\n`);
  await terminal.shows(/^node3 +online/m);
  terminal.press('C-z');
  await terminal.shows(/Stopped/);
  terminal.type('stty -a | grep -o " icanon"; clear; echo between\n');
  await terminal.shows(/^between$/m);
  terminal.type('fg\n');
  await terminal.shows(/^node3 +online/m);
  terminal.type('q');
  await terminal.shows(/between\n(?:.*\n)*\$$/);
});

test('top: without colours none are drawn', async () => {
  using terminal = user.terminal([KRG, 'top', '-d', '300ms'], { NO_COLOR: '1' });
  await terminal.shows(/^node3 +online/m);
  // oxlint-disable-next-line no-control-regex -- what must not be there
  assert.doesNotMatch(terminal.screenWithStyles, /\u001b\[(?:\d+;)*[34][0-7][;m]/);
  // Where no shell would take it up again it is not put aside.
  terminal.press('C-z');
  await terminal.shows(/^node3 +online/m);
  terminal.press('h');
  await terminal.shows(/^ Processes$/m);
  terminal.press('C-c');
  await terminal.shows(/ended with status 0/);
});

// The last one: a node is gone afterwards.
test('top and wait: the node that is asked is lost, with what ran there', async () => {
  const pid = await user.start('--node', 'node1', '--', 'sleep', '1011');
  using terminal = user.terminal([KRG, 'top', '-d', '300ms']);
  await terminal.shows(/ by node1 /);
  const waited = user.krg(['wait', '-v', String(pid)]);
  await terminal.shows(new RegExp(`^ *${pid} root +node1`, 'm'));
  killNode(cluster, 1);
  await terminal.shows(/ by node[23] /);
  await terminal.shows(/node1 was declared dead/);
  await terminal.shows(/^node1 +dead/m);
  await eventually('that it is gone', () => !new RegExp(`^[> ] *${pid} `, 'm').test(terminal.screen));
  terminal.press('q');
  await terminal.shows(/ended with status 0/);
  const { status, stdout } = await waited;
  // It was asked by way of the node that died: the next one knows only that there is no such process any more.
  if (stdout === '') assert.equal(status, 0);
  else assert.deepEqual([status, stdout], [137, `${pid} was lost with node1\n`]);
});
