/** `krg lock`, `krg barrier` and `krg locks` before a real API server; what its locks do is this file's. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KorriganError } from '../linux/errors.ts';
import { clusterDirectory } from '../node/api/index.ts';
import { startApiServer } from '../node/api/server.ts';
import type { ApiServer } from '../node/api/server.ts';
import type { NodeServices } from '../node/api/services.ts';
import { describeCluster, krgOf } from './test-krg.ts';

const cluster = `test-locks-${process.pid}`;
const directory = clusterDirectory(cluster);
const socket = join(directory, 'node1.sock');
const krg = krgOf(cluster);
let server: ApiServer;
let loseLock: () => void = () => undefined;
let lockIsLost = Promise.resolve();
const syncRequests: unknown[] = [];

const services: Pick<NodeServices, 'sync'> = {
  sync: {
    lease: async function* (_caller, { session }, abort) {
      const gone = new Promise((resolve) => abort.addEventListener('abort', resolve));
      yield { lease: 'lease', session: `${session}/1`, node: 'node1' };
      await Promise.race([lockIsLost, gone]);
      if (!abort.aborted) yield { lost: 7 };
      await gone;
    },
    ask: async function* (_caller, { request }) {
      syncRequests.push(request);
      if ('name' in request && request.name === 'taken') throw new KorriganError('KRG_LOCK_BUSY', 'taken: somebody has it');
      if (request.kind === 'arrive') yield await Promise.resolve({ answer: { kind: 'passed', isSerial: true } });
      else if (request.kind !== 'acquire') yield await Promise.resolve({ answer: { kind: 'done' } });
      else {
        const links = [{ thing: 'build', waiter: { node: 'node1', label: 'this' }, keeper: { node: 'node2', label: 'that' }, has: true }];
        if (request.name === 'circle') yield { deadlock: links };
        yield { answer: { kind: 'granted', claim: 7, token: 3, ownerDied: request.name === 'died' } };
      }
    },
    list: () =>
      Promise.resolve({
        things: [
          {
            kind: 'lock',
            uid: 0,
            name: 'build',
            condition: 'consistent',
            holders: [{ node: 'node2', label: 'make (pid 7, uid 0)', since: 0, mode: 'exclusive', token: 3 }],
            waiters: [{ node: 'node1', label: 'test (pid 8, uid 0)', since: 0, mode: 'shared' }],
          },
        ],
        deadlocks: [],
      }),
  },
};

before(async () => {
  describeCluster(cluster, socket);
  // Nothing else is asked of it.
  server = await startApiServer({ socketPath: socket, services: services as NodeServices, onFault: (error) => assert.fail(String(error)) });
});
after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

test('lock holds while the command runs, and ends as it ended', async () => {
  lockIsLost = new Promise(() => undefined);
  syncRequests.length = 0;
  const held = await krg([
    'lock',
    'build',
    '--shared',
    '--timeout',
    '1.5s',
    '--',
    'sh',
    '-c',
    'echo $KRG_LOCK_TOKEN $KRG_LOCK_SESSION; exit 7',
  ]);
  assert.deepEqual(held, { status: 7, stdout: '3 /1\n', stderr: '' });
  assert.deepEqual(syncRequests, [
    { kind: 'acquire', name: 'build', mode: 'shared', timeoutMs: 1500 },
    { kind: 'release', claim: 7 },
  ]);
  assert.equal((await krg(['lock', 'build', '--', 'sh', '-c', 'kill -TERM $$'])).status, 143);
  assert.equal((await krg(['lock', 'build', '--', 'no-such-program'])).status, 127);
  const nested = await krg(['lock', 'build', '--', 'printenv', 'KRG_LOCK_SESSION'], { environment: { KRG_LOCK_SESSION: 'outer' } });
  assert.equal(nested.stdout, 'outer/1\n');
});

test('lock that cannot be had runs nothing, and says so', async () => {
  const busy = await krg(['lock', 'taken', '--try', '-E', '75', '--', 'echo', 'no']);
  assert.deepEqual([busy.status, busy.stdout], [75, '']);
  assert.match(busy.stderr, /taken: somebody has it \(KRG_LOCK_BUSY\)/);
  const json = await krg(['lock', 'taken', '--json', '--', 'echo', 'no']);
  assert.equal((JSON.parse(json.stderr) as { error: { code: string } }).error.code, 'KRG_LOCK_BUSY');
  assert.equal(json.status, 1);
  for (const words of [
    ['lock', 'build'],
    ['lock', 'build', '--timeout', 'soon', '--', 'true'],
    ['lock', 'build', '-E', '256', '--', 'true'],
  ])
    assert.equal((await krg(words)).status, 2);
});

test('lock tells of an owner that died and of deadlocks, and repairs', async () => {
  lockIsLost = new Promise(() => undefined);
  syncRequests.length = 0;
  const died = await krg(['lock', 'died', '--', 'printenv', 'KRG_LOCK_OWNER_DIED']);
  assert.deepEqual([died.status, died.stdout], [0, '1\n']);
  assert.match(died.stderr, /the last owner of died died while it had the lock/);
  assert.deepEqual(syncRequests.slice(1), [
    { kind: 'repair', claim: 7 },
    { kind: 'release', claim: 7 },
  ]);
  const circle = await krg(['lock', 'circle', '--', 'true']);
  assert.match(circle.stderr, /a deadlock.*\n {2}this on node1 waits for build, which is held by that on node2/);
});

test('a command whose lock is lost is ended, unless it is to go on', async () => {
  for (const [words, status, output] of [
    [[], 255, 'begun\n'],
    [['--keep-going'], 0, 'begun\nended\n'],
  ] as const) {
    lockIsLost = new Promise((resolve) => (loseLock = resolve));
    const lost = await krg(['lock', 'build', ...words, '--', 'sh', '-c', 'echo begun; read line; echo ended'], {
      onOutput: () => loseLock(),
      onError: (stderr, endInput) => {
        if (stderr.includes('KRG_LOCK_LOST') && words.length > 0) endInput();
      },
    });
    assert.match(lost.stderr, /KRG_LOCK_LOST/);
    assert.deepEqual([lost.status, lost.stdout], [status, output]);
  }
});

test('barrier and locks', async () => {
  lockIsLost = new Promise(() => undefined);
  assert.deepEqual(await krg(['barrier', 'all', '3']), { status: 0, stdout: '', stderr: '' });
  assert.deepEqual(JSON.parse((await krg(['barrier', 'all', '3', '--json'])).stdout), { barrier: 'all', parties: 3, serial: true });
  assert.equal((await krg(['barrier', 'all', '0'])).status, 2);
  const { stdout } = await krg(['locks']);
  assert.match(
    stdout,
    /^NAME +KIND +USER +WHAT +NODE +SINCE WHO\nbuild +lock +root +holds exclusive +node2 +1970 +make \(pid 7, uid 0\)\nbuild +lock +root +waits shared +node1/,
  );
  assert.equal((JSON.parse((await krg(['locks', '--json'])).stdout) as { things: unknown[] }).things.length, 1);
});
