import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { formatChecks } from './doctor.ts';
import { formatExplanation } from './explain.ts';
import { formatLogLine } from './logs.ts';
import { describeProgress, describeResult } from './migrate.ts';
import { exitStatusOf } from './run.ts';
import { userNames } from '../users.ts';

const plain = stripVTControlCharacters;

test('an explanation names each refused resource and why', () => {
  const text = plain(
    formatExplanation({
      pid: 7,
      node: 'node1',
      command: 'redis-server',
      target: 'node2',
      movable: false,
      resources: [
        { pid: 7, resource: 'memory', verdict: 'moves', detail: '12 MiB', reason: '' },
        { pid: 7, resource: 'fd 6', verdict: 'refused', detail: 'TCP 10.0.0.1:6379', reason: 'connections cannot move yet' },
      ],
    }),
  );
  assert.equal(
    text,
    [
      '7 (redis-server) on node1 cannot move to node2: 1 refused',
      'VERDICT RESOURCE WHAT',
      'moves   memory   12 MiB',
      'refused fd 6     TCP 10.0.0.1:6379: connections cannot move yet',
      '',
    ].join('\n'),
  );
});

test('a result tells who moved, where, how long it stood still and how much went over', () => {
  const moved = {
    outcome: 'moved',
    pid: 7,
    from: 'node1',
    to: 'node2',
    moved: [7],
    downtimeMicroseconds: 1840,
    totalMicroseconds: 9100,
    bytes: 524_288,
    rounds: 0,
  } as const;
  assert.equal(describeResult(moved), '7 moved from node1 to node2: stopped for 1.84 ms of 9.10 ms, 512 KiB');
  assert.match(describeResult({ ...moved, moved: [7, 8, 9], rounds: 3 }), /^7 with 2 more moved .* in 3 rounds$/);
  assert.equal(describeResult({ outcome: 'already-there', pid: 7, to: 'node2' }), '7 is on node2 already');
  assert.equal(
    describeProgress({ pid: 7, phase: 'pre-copy', round: 2, bytes: 1024 }, 'node2'),
    'moving 7 to node2: pre-copy, round 2, 1.0 KiB',
  );
});

test('a check that fails says what that costs, and only an essential one forbids a node', () => {
  const absent = { name: 'FUSE', ok: false, essential: false, detail: 'none', cost: 'no cluster /proc' };
  const text = plain(formatChecks([{ name: 'kernel', ok: true, essential: true, detail: 'Linux 6.18', cost: '' }, absent]));
  assert.match(text, /^ok +kernel +Linux 6\.18\nabsent +FUSE +none\n +no cluster \/proc\na node can run here; 1 of 2/);
  assert.match(plain(formatChecks([{ ...absent, essential: true }])), /^MISSING.*\n.*\na node cannot run here/);
});

test('a log line is time, level, message and the rest; what is no JSON stays', () => {
  const line = JSON.stringify({ level: 40, time: Date.UTC(2026, 0, 1, 10, 11, 12, 13), pid: 1, msg: 'peer lost', node: 'node2', tries: 3 });
  assert.equal(plain(formatLogLine(line)), '10:11:12.013 WARN  peer lost node=node2 tries=3');
  assert.equal(formatLogLine('Error: \u001b[2J'), 'Error: ?[2J');
});

test('the exit status of a program is a shell’s', () => {
  assert.equal(exitStatusOf({ kind: 'exited', code: 3 }), 3);
  assert.equal(exitStatusOf({ kind: 'signalled', signal: 15, coreDumped: false }), 143);
});

test('users have the names of passwd(5), the first where an id has two', () => {
  const nameOf = userNames('root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n');
  assert.deepEqual([0, 1000, 5].map(nameOf), ['root', 'ann', '5']);
});
