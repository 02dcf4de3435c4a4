/** Families that live on several nodes at once: whatever their members do, each relative sees what it would see if all were on one. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Family } from './support/family.ts';
import { buildProgram } from './support/programs.ts';

const EXITED = 1;
const KILLED = 2;
const DUMPED = 3;
const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGSEGV = 11;
const SIGTERM = 15;
const SIGCONT = 18;
const SIGSTOP = 19;
const REALTIME = 40;

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('families');
});
after(() => cluster[Symbol.asyncDispose]());

function family(name: string, story: (family: Family) => Promise<void>): void {
  test(name, async () => {
    const told = await Family.start(cluster, name.replaceAll(/\W+/g, '-'));
    await story(told);
    await told.end();
  });
}

describe('a child moves alone', { concurrency: 2 }, () => {
  family('and exits: its parent sees its status', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 2);
    assert.match(await kin.do('child', 'who'), new RegExp(`^who pid ${kin.pid('child')} parent ${kin.pid('root')} `));
    kin.order('child', 'exit 7');
    await kin.hasSeen('root', kin.ended('child', EXITED, 7, 7 << 8));
  });

  family('and is killed by a signal of its own', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 3);
    kin.order('child', `die ${SIGTERM} 0`);
    await kin.hasSeen('root', kin.ended('child', KILLED, SIGTERM, SIGTERM));
  });

  family('and dumps core', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 2);
    kin.order('child', `die ${SIGSEGV} 1000000`);
    await kin.hasSeen('root', kin.ended('child', DUMPED, SIGSEGV, SIGSEGV | 0x80));
  });

  family('on to a third node, home, and away again', async (kin) => {
    await kin.fork('root', 'child');
    for (const node of [2, 3, 1, 3, 2, 1, 2]) await kin.move('child', node);
    kin.order('child', 'exit 3');
    await kin.hasSeen('root', kin.ended('child', EXITED, 3, 3 << 8));
  });

  family('and is stopped, continued and killed by its parent', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 2);
    const pid = kin.pid('child');
    assert.equal(await kin.do('root', `kill ${pid} ${SIGSTOP}`), 'kill 0');
    await kin.hasSeen('root', kin.stopped('child', SIGSTOP));
    await kin.do('root', `kill ${pid} ${SIGCONT}`);
    await kin.hasSeen('root', [...kin.stopped('child', SIGSTOP), ...kin.continued('child')]);
    await kin.hasSeen('child', [`signal ${SIGCONT} code 0 by ${kin.pid('root')}`]);
    await kin.do('root', `kill ${pid} ${SIGKILL}`);
    await kin.hasSeen('root', [
      ...kin.stopped('child', SIGSTOP),
      ...kin.continued('child'),
      ...kin.ended('child', KILLED, SIGKILL, SIGKILL),
    ]);
  });

  family('signals with what they carry, both ways, in their order', async (kin) => {
    await kin.fork('root', 'child');
    const [root, child] = [kin.pid('root'), kin.pid('child')];
    await kin.move('child', 2);
    for (let value = 0; value < 20; value++) kin.order('root', `queue ${child} ${REALTIME} ${value}`);
    await kin.hasSeen(
      'child',
      Array.from({ length: 20 }, (_, value) => `signal ${REALTIME} queued ${value} by ${root}`),
    );
    for (let value = 0; value < 20; value++) kin.order('child', `queue ${root} ${REALTIME} ${value}`);
    const queued = Array.from({ length: 20 }, (_, value) => `signal ${REALTIME} queued ${value} by ${child}`);
    await kin.hasSeen('root', queued);
    // Not before: a signal of a lower number is taken first (signal(7)).
    await kin.do('child', `kill ${root} ${SIGUSR1}`);
    await kin.hasSeen('root', [...queued, `signal ${SIGUSR1} code 0 by ${child}`]);
  });
});

describe('a parent moves, its children stay', { concurrency: 2 }, () => {
  family('and end: it sees their statuses there', async (kin) => {
    for (const child of ['one', 'two', 'three']) await kin.fork('root', child);
    await kin.move('root', 2);
    kin.order('one', 'exit 1');
    await kin.hasSeen('root', kin.ended('one', EXITED, 1, 1 << 8));
    await kin.move('root', 3);
    kin.order('two', `die ${SIGTERM} 0`);
    await kin.hasSeen('root', [...kin.ended('one', EXITED, 1, 1 << 8), ...kin.ended('two', KILLED, SIGTERM, SIGTERM)]);
    await kin.move('root', 1);
    kin.order('three', 'exit 5');
    await kin.hasSeen('root', [
      ...kin.ended('one', EXITED, 1, 1 << 8),
      ...kin.ended('two', KILLED, SIGTERM, SIGTERM),
      ...kin.ended('three', EXITED, 5, 5 << 8),
    ]);
  });

  family('follow it, and come home before it', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('root', 2);
    await kin.move('child', 2);
    await kin.fork('root', 'late');
    await kin.move('child', 1);
    await kin.move('root', 3);
    await kin.move('late', 1);
    kin.order('child', 'exit 4');
    await kin.hasSeen('root', kin.ended('child', EXITED, 4, 4 << 8));
    await kin.move('root', 1);
    kin.order('late', 'exit 6');
    await kin.hasSeen('root', [...kin.ended('child', EXITED, 4, 4 << 8), ...kin.ended('late', EXITED, 6, 6 << 8)]);
  });

  family('stop and go on', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('root', 2);
    await kin.do('root', `kill ${kin.pid('child')} ${SIGSTOP}`);
    await kin.hasSeen('root', kin.stopped('child', SIGSTOP));
    await kin.do('root', `kill ${kin.pid('child')} ${SIGCONT}`);
    await kin.hasSeen('root', [...kin.stopped('child', SIGSTOP), ...kin.continued('child')]);
  });
});

describe('the middle of a chain moves', { concurrency: 2 }, () => {
  family('each sees its own child end', async (kin) => {
    await kin.fork('root', 'middle');
    await kin.fork('middle', 'last');
    await kin.move('middle', 2);
    kin.order('last', 'exit 2');
    await kin.hasSeen('middle', kin.ended('last', EXITED, 2, 2 << 8));
    kin.order('middle', 'exit 3');
    await kin.hasSeen('root', kin.ended('middle', EXITED, 3, 3 << 8));
  });

  family('everybody on a node of its own', async (kin) => {
    await kin.fork('root', 'middle');
    await kin.fork('middle', 'last');
    await kin.move('middle', 2);
    await kin.move('last', 3);
    await kin.fork('last', 'leaf');
    await kin.move('root', 2);
    await kin.move('middle', 1);
    kin.order('leaf', 'exit 1');
    await kin.hasSeen('last', kin.ended('leaf', EXITED, 1, 1 << 8));
    kin.order('last', 'exit 2');
    await kin.hasSeen('middle', kin.ended('last', EXITED, 2, 2 << 8));
    kin.order('middle', 'exit 3');
    await kin.hasSeen('root', kin.ended('middle', EXITED, 3, 3 << 8));
  });
});

describe('groups and sessions', { concurrency: 2 }, () => {
  const leads = (kin: Family, member: string, leader: string): RegExp =>
    new RegExp(`^who pid ${kin.pid(member)} .* group ${kin.pid(leader)} `);

  family('a signal to the group reaches its members on all nodes once, those born there too', async (kin) => {
    for (const child of ['one', 'two', 'three']) await kin.fork('root', child);
    await kin.move('one', 2);
    await kin.move('two', 3);
    await kin.fork('one', 'born-on-2');
    await kin.fork('two', 'born-on-3');
    const members = ['root', 'one', 'two', 'three', 'born-on-2', 'born-on-3'];
    const senders = ['root', 'one', 'born-on-3'];
    const signal = (sender: string): string => `signal ${REALTIME} code 0 by ${kin.pid(sender)}`;
    for (const sender of senders) {
      assert.equal(await kin.do(sender, `kill -${kin.pid('root')} ${REALTIME}`), 'kill 0');
      for (const member of members) await kin.sees(member, signal(sender));
    }
    for (const member of members) await kin.hasSeen(member, senders.map(signal));
  });

  family('SIGKILL to the group ends all of it, wherever they are', async (kin) => {
    await kin.fork('root', 'leader');
    await kin.do('leader', 'setpgid 0 0');
    await kin.fork('leader', 'child');
    await kin.move('leader', 2);
    await kin.fork('leader', 'born-on-2');
    await kin.move('born-on-2', 3);
    assert.equal(await kin.do('root', `kill -${kin.pid('leader')} ${SIGKILL}`), 'kill 0');
    await kin.hasSeen('root', kin.ended('leader', KILLED, SIGKILL, SIGKILL));
    for (const member of ['leader', 'child', 'born-on-2']) await kin.isGone(member);
  });

  family('a member that is away leads a group of its own, and is reached by its number', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 2);
    assert.equal(await kin.do('child', 'setpgid 0 0'), 'setpgid 0');
    assert.match(await kin.do('child', 'who'), leads(kin, 'child', 'child'));
    assert.equal(await kin.do('root', `kill -${kin.pid('child')} ${SIGUSR1}`), 'kill 0');
    await kin.hasSeen('child', [`signal ${SIGUSR1} code 0 by ${kin.pid('root')}`]);
    await kin.move('child', 1);
    assert.match(await kin.do('child', 'who'), leads(kin, 'child', 'child'));
  });

  family('a parent puts its child that is away into a group', async (kin) => {
    await kin.fork('root', 'child');
    await kin.move('child', 2);
    assert.equal(await kin.do('root', `setpgid ${kin.pid('child')} ${kin.pid('child')}`), 'setpgid 0');
    assert.match(await kin.do('child', 'who'), leads(kin, 'child', 'child'));
    await kin.move('child', 3);
    assert.match(await kin.do('child', 'who'), leads(kin, 'child', 'child'));
  });

  family('a member that is away leads a session of its own', async (kin) => {
    await kin.fork('root', 'child');
    await kin.fork('child', 'grandchild');
    await kin.move('child', 2);
    assert.equal(await kin.do('child', 'setsid'), 'setsid 0');
    await kin.move('child', 3);
    await kin.move('child', 1);
    assert.match(await kin.do('child', 'who'), new RegExp(` group ${kin.pid('child')} session ${kin.pid('child')}$`));
    kin.order('grandchild', 'exit 2');
    await kin.hasSeen('child', kin.ended('grandchild', EXITED, 2, 2 << 8));
    kin.order('child', 'exit 3');
    await kin.hasSeen('root', kin.ended('child', EXITED, 3, 3 << 8));
  });
});

describe('orphans', { concurrency: 2 }, () => {
  for (const mover of ['middle', 'last'] as const) {
    family(`the parent ends first, ${mover} is away`, async (kin) => {
      await kin.fork('root', 'middle');
      await kin.fork('middle', 'last');
      await kin.do('last', `death-signal ${SIGUSR1}`);
      await kin.move(mover, 2);
      kin.order('middle', 'exit 0');
      await kin.hasSeen('root', kin.ended('middle', EXITED, 0, 0));
      await kin.sees('last', new RegExp(`^signal ${SIGUSR1} code 0 by `));
      await kin.do('last', 'who');
      await kin.sees('last', new RegExp(`^who pid ${kin.pid('last')} parent 1 `));
      await kin.move('last', 3);
      await kin.move('last', 1);
    });
  }
});

/** Moves of each of those that change all the time: what one attempt has prepared is outdated at the next, and must not stand in its way. */
const ROUNDS = 8;

describe('families that are born and end while they move', () => {
  test('no move is refused', async () => {
    const program = await buildProgram('process_busy_family');
    const runs = [1, 2, 3].map(async (run) => {
      const [output, go] = ['out', 'go'].map((what) => join(cluster.directory, `busy-${run}.${what}`)) as [string, string];
      writeFileSync(output, '');
      chmodSync(output, 0o666);
      const printed = (): string => readFileSync(output, 'utf8');
      const pid = await cluster.start(program, output, { KRG_GO: go, KRG_SCRATCH: cluster.directory });
      await eventually('the family', () => printed().includes('ready'));
      for (let round = 0; round < ROUNDS; round++) for (const node of [2, 3, 1]) await cluster.move(pid, node, true);
      writeFileSync(go, '');
      await eventually('its verdict', () => /^(pass|FAIL)/m.test(printed()));
      assert.match(printed(), /^ready\npass\n$/);
    });
    await Promise.all(runs);
  });
});
