/** The API over a real unix socket, with the client of `krg` and with raw bytes; the services behind it are this file's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { KorriganError } from '../../linux/errors.ts';
import { NodeClient } from './client.ts';
import { startApiServer } from './server.ts';
import type { ApiServer } from './server.ts';
import { serveScriptedRun, type ScriptedRun } from './scripted-run.ts';
import type { NodeServices } from './services.ts';
import type { Caller, ExitStatus } from './types.ts';

const directory = mkdtempSync(join(tmpdir(), 'krg-api-'));
const socketPath = join(directory, 'krgd.sock');
const client = new NodeClient(socketPath);
const faults: unknown[] = [];
const requests: unknown[] = [];
let program: (session: ScriptedRun) => Promise<ExitStatus>;
let migrationAbort: AbortSignal | undefined;
let server: ApiServer;

const services: NodeServices = {
  capabilities: () => Promise.reject(new KorriganError('KRG_NO_SUCH_PROCESS', 'there is none')),
  changeCapabilities: () => Promise.reject(new KorriganError('KRG_NO_SUCH_PROCESS', 'there is none')),
  objects: async (_, user) => user.end(),
  status: (caller) => Promise.resolve({ cluster: `of ${caller.uid}`, version: '1', node: 'node1', nodes: [] }),
  processes: (_caller, request) => Promise.reject(new KorriganError('KRG_NOT_YOUR_PROCESS', `husks ${request.husks}`)),
  run: (_caller, user) =>
    serveScriptedRun(
      user,
      (asked) => ({ pid: 7, node: asked.node ?? 'node1' }),
      (run) => {
        requests.push(run.request);
        return program(run);
      },
    ),
  runDetached: (caller, request) => Promise.resolve({ pid: caller.pid, node: request.arguments.join(' ') }),
  kill: (_caller, request) => {
    requests.push(request);
    return Promise.resolve();
  },
  usage: () => Promise.resolve({ cluster: 'c', node: 'node1', nodes: [], processes: [] }),
  renice: (_caller, { pid, nice = 0 }) => Promise.resolve({ pid, node: 'node1', before: 0, after: nice }),
  wait: async function* (_caller, { pids }) {
    for (const pid of pids) yield { pid, node: 'node1', status: { kind: 'exited', code: pid }, isLost: false };
    await turn();
  },
  migrate: async (_caller, request, onProgress, abort) => {
    migrationAbort = abort;
    const [pid = 0] = request.pids;
    onProgress({ pid, phase: 'pre-copy', round: 1, bytes: 4096 });
    await turn();
    if (request.node === 'nowhere') throw new KorriganError('KRG_NO_SUCH_NODE', 'no node "nowhere"');
    if (request.node === 'never') await new Promise((resolve) => abort.addEventListener('abort', resolve));
    return [{ outcome: 'already-there', pid, to: request.node }];
  },
  explain: () => Promise.reject(new TypeError('a fault of ours')),
  addNodes: (_caller, request) => {
    requests.push(request);
    return Promise.resolve();
  },
  removeNodes: async (_caller, { nodes, kill }, onProgress) => {
    for (const pid of [7, 8]) onProgress({ kind: 'moved', node: 'node2', pid, pids: [pid], to: 'node1' });
    await turn();
    onProgress({ kind: 'killed', node: 'node2', pid: 9, command: 'x' });
    if (kill) throw new KorriganError('KRG_LAST_NODE', 'the last one');
    return nodes.map((node) => ({ node, outcome: 'removed', moved: [], immovable: [] }));
  },
  power: (_caller, { action, nodes = [] }) => Promise.resolve({ nodes: [action, ...nodes], silent: [] }),
  token: (_caller, { seconds }) => Promise.resolve({ token: 'krg_join_x', id: 4, address: '10.0.0.1:7420', expires: seconds * 1000 }),
  revoke: (_caller, { node }) =>
    node === 'node2' ? Promise.resolve({ id: 2, list: 1 }) : Promise.reject(new KorriganError('KRG_NO_SUCH_NODE', `no ${node}`)),
  doctor: () => Promise.resolve([]),
  logs: async function* (_caller, request) {
    for (let line = 0; line < request.lines; line += 1) yield `line ${line}`;
    await turn();
  },
  events: async function* () {
    yield { time: 1, node: 'node1', kind: 'test', message: 'one' };
    await turn();
    throw new KorriganError('KRG_NODE_DEAD', 'gone in the middle');
  },
  sync: {
    lease: async function* (_caller, { label, session }, abort) {
      yield { lease: label, session: `${session}/1`, node: 'node1' };
      await new Promise((resolve) => abort.addEventListener('abort', resolve));
      requests.push(`the lease of ${label} has ended`);
    },
    ask: async function* (_caller, { lease, request: asked }) {
      requests.push({ lease, asked });
      await turn();
      if ('name' in asked && asked.name === 'taken') throw new KorriganError('KRG_LOCK_BUSY', 'somebody has it');
      yield { waitsFor: [{ node: 'node2', label: 'another' }] };
      yield { answer: { kind: 'granted', claim: 7, token: 3, ownerDied: false } };
    },
    list: () => Promise.resolve({ things: [], deadlocks: [] }),
  },
};

before(async () => {
  server = await startApiServer({ socketPath, services, onFault: (error) => faults.push(error) });
});
after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const request = { arguments: ['cat'], environment: {}, workingDirectory: '/', umask: 0o022 };

/** Sends raw bytes and reads until the server closes. */
function raw(bytes: string | Uint8Array): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(socketPath, () => socket.end(bytes));
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.on('close', () => resolve(answer));
  socket.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE' || error.code === 'ECONNRESET' ? resolve(answer) : reject(error),
  );
  return promise;
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a service is told who asks, as the kernel knows it', async () => {
  assert.equal((await client.status()).cluster, `of ${process.getuid?.()}`);
  const body = JSON.stringify({ ...request, arguments: ['a', 'b'] });
  const answer = await raw(
    `POST /v1/run HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  assert.match(answer, new RegExp(`"pid":${process.pid},"node":"a b"`));
  assert.deepEqual(await client.runDetached({ ...request, node: 'node2' }), { pid: 7, node: 'node2' });
});

test('everybody may connect; the services decide', () => {
  assert.equal(statSync(socketPath).mode & 0o777, 0o666);
});

test('an error keeps its code and its message', async () => {
  await assert.rejects(client.processes({ husks: true }), { name: 'KorriganError', code: 'KRG_NOT_YOUR_PROCESS', message: 'husks true' });
});

test('a fault of the daemon is shown as one and reported', async () => {
  faults.length = 0;
  await assert.rejects(client.explain(1), { code: 'KRG_INTERNAL', message: 'a fault of ours' });
  assert.equal(faults.length, 1);
});

test('a request that is not understood reaches no service', async () => {
  requests.length = 0;
  await assert.rejects(client.kill(-1, 9), { code: 'KRG_BAD_REQUEST' });
  assert.deepEqual(requests, []);
  await client.kill(-12, 15);
  assert.deepEqual(requests, [{ pid: -12, signal: 15 }]);
});

test('who waits is told of each end; who gives up ends the exchange', async () => {
  const ended: number[] = [];
  for await (const line of client.wait([3, 4])) ended.push(line.pid);
  assert.deepEqual(ended, [3, 4]);
  assert.deepEqual(await client.usage(), { cluster: 'c', node: 'node1', nodes: [], processes: [] });
  await assert.rejects(client.usage(AbortSignal.abort()), { code: 'KRG_STREAM_BROKEN' });
});

test('a migration tells its progress, then its results', async () => {
  const progress: unknown[] = [];
  const results = await client.migrate({ pids: [3], node: 'node2' }, (one) => progress.push(one));
  assert.deepEqual(results, [{ outcome: 'already-there', pid: 3, to: 'node2' }]);
  assert.deepEqual(progress, [{ pid: 3, phase: 'pre-copy', round: 1, bytes: 4096 }]);
});

test('a migration that fails after it has begun to answer still ends in its error', async () => {
  await assert.rejects(client.migrate({ pids: [3], node: 'nowhere' }), { code: 'KRG_NO_SUCH_NODE' });
});

test('a caller that goes away aborts its migration', async () => {
  migrationAbort = undefined;
  const body = JSON.stringify({ pids: [3], node: 'never' });
  const socket = connect(socketPath, () => {
    socket.write(`POST /v1/migrate HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  await new Promise((resolve) => socket.once('data', resolve));
  const signal = migrationAbort as AbortSignal | undefined;
  assert.equal(signal?.aborted, false);
  const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve));
  socket.destroy();
  await aborted;
});

test('lines are delivered in order, whatever their number', async () => {
  const lines: string[] = [];
  for await (const line of client.logs({ lines: 20_000 })) lines.push(line);
  assert.equal(lines.length, 20_000);
  assert.equal(lines.at(-1), 'line 19999');
});

test('an error in the middle of a stream of lines is thrown after the lines before it', async () => {
  const kinds: string[] = [];
  const events = (async () => {
    for await (const event of client.events()) kinds.push(event.kind);
  })();
  await assert.rejects(events, { code: 'KRG_NODE_DEAD' });
  assert.deepEqual(kinds, ['test']);
});

test('an attached program reads, writes and ends', async () => {
  program = async (session) => {
    for await (const chunk of session.stdin) await session.writeStdout(chunk);
    await session.writeStderr(Buffer.from('done'));
    return { kind: 'signalled', signal: 15, coreDumped: false };
  };
  const attached = await client.run({ ...request, node: 'node3' });
  assert.deepEqual(await attached.started, { pid: 7, node: 'node3' });
  attached.stdin.write('one ');
  attached.stdin.end('two');
  assert.deepEqual(await Promise.all([collect(attached.stdout), collect(attached.stderr)]), ['one two', 'done']);
  assert.deepEqual(await attached.exited, { kind: 'signalled', signal: 15, coreDumped: false });
});

test('16 MiB go in and come out unchanged, with neither side holding them all', async () => {
  let most = 0;
  let held = 0;
  program = async (session) => {
    for await (const chunk of session.stdin) await session.writeStdout(chunk);
    return { kind: 'exited', code: 0 };
  };
  const attached = await client.run(request);
  const total = 16 * 1024 * 1024;
  const written = (async () => {
    for (let offset = 0; offset < total; offset += 65_536) {
      const chunk = Buffer.alloc(65_536, offset / 65_536);
      held += chunk.length;
      most = Math.max(most, held);
      if (!attached.stdin.write(chunk)) await new Promise((resolve) => attached.stdin.once('drain', resolve));
    }
    attached.stdin.end();
  })();
  let received = 0;
  for await (const chunk of attached.stdout as AsyncIterable<Buffer>) {
    for (const [index, byte] of chunk.entries())
      if (byte !== (((received + index) / 65_536) & 0xff)) assert.fail(`byte ${received + index}`);
    received += chunk.length;
    held -= chunk.length;
  }
  await written;
  assert.equal(received, total);
  assert.ok(most < 4 * 1024 * 1024, `${most} bytes were on their way at once`);
  assert.deepEqual(await attached.exited, { kind: 'exited', code: 0 });
});

test('signals and sizes overtake input that nobody reads', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const sizes: unknown[] = [];
  program = async (session) => {
    session.onResize((size) => sizes.push(size));
    session.onSignal(resolve);
    return { kind: 'exited', code: await promise };
  };
  const attached = await client.run(request);
  attached.stdin.write(Buffer.alloc(4 * 1024 * 1024));
  attached.resize(132, 43);
  attached.signal(2);
  assert.deepEqual(await attached.exited, { kind: 'exited', code: 2 });
  assert.deepEqual(sizes, [{ columns: 132, rows: 43 }]);
});

test('output is held back while the user does not read', async () => {
  let written = 0;
  const stalled = Promise.withResolvers<void>();
  program = async (session) => {
    for (; written < 32; written += 1) {
      const write = session.writeStdout(Buffer.alloc(1024 * 1024));
      const settled = await Promise.race([
        write.then(() => true),
        turn(false),
        turn(false)
          .then(() => turn(false))
          .then(() => turn(false)),
      ]);
      if (!settled) stalled.resolve();
      await write;
    }
    return { kind: 'exited', code: 0 };
  };
  const attached = await client.run(request);
  await stalled.promise;
  assert.ok(written < 32);
  assert.equal((await collect(attached.stdout)).length, 32 * 1024 * 1024);
});

test('a user who goes away is noticed by the program', async () => {
  const lost = Promise.withResolvers<void>();
  program = async (session) => {
    await new Promise((resolve) => session.userGone.addEventListener('abort', resolve));
    lost.resolve();
    return { kind: 'exited', code: 0 };
  };
  const attached = await client.run(request);
  await attached.started;
  attached.close();
  await lost.promise;
  await assert.rejects(attached.exited, { code: 'KRG_STREAM_BROKEN' });
});

test('a program that cannot be started says why', async () => {
  program = () => Promise.reject(new KorriganError('KRG_PERMISSION', 'not executable'));
  const attached = await client.run(request);
  await assert.rejects(attached.exited, { code: 'KRG_PERMISSION', message: 'not executable' });
  const wrong = await client.run({ ...request, workingDirectory: 'relative' });
  await assert.rejects(wrong.started, { code: 'KRG_BAD_REQUEST', message: /workingDirectory/ });
});

test('a question is asked again when the daemon dies over it, a command is not', async () => {
  const path = join(directory, 'dying.sock');
  let asked = 0;
  const dying = createServer((socket) => {
    asked += 1;
    socket.once('data', () => (asked % 3 === 0 ? socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]') : socket.destroy()));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => dying.listen(path, resolve));
  try {
    assert.deepEqual(await new NodeClient(path).processes(), []);
    assert.equal(asked, 3);
    await assert.rejects(new NodeClient(path).kill(7, 9), { code: 'KRG_STREAM_BROKEN' });
    assert.equal(asked, 4);
  } finally {
    dying.close();
  }
});

test('where no daemon listens, that is said', async () => {
  await assert.rejects(new NodeClient(join(directory, 'none.sock')).status(), { code: 'KRG_NO_DAEMON', message: /krg up/ });
});

test('garbage is answered, and the server goes on', async (t) => {
  await t.test('not HTTP', async () => assert.match(await raw('hello\r\n\r\n'), /^HTTP\/1\.1 400 .*KRG_BAD_REQUEST/s));
  await t.test('an unknown path', async () =>
    assert.match(await raw('GET /v2/x HTTP/1.1\r\nHost: x\r\n\r\n'), /400 .*the API has no GET \/v2\/x/s),
  );
  await t.test('no JSON', async () => {
    assert.match(await raw('POST /v1/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{x}'), /400 .*KRG_BAD_REQUEST/s);
  });
  await t.test('a body that is too large', async () => {
    const answer = await raw(`POST /v1/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${' '.repeat(1_000_000)}`);
    assert.match(answer, /400 .*65536 bytes at most/s);
  });
  await t.test('an upgrade to something else', async () => {
    assert.match(await raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'), /400 .*can be upgraded/s);
  });
  await t.test('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await raw(bytes);
      }),
      { numRuns: 100 },
    );
  });
  await t.test('random bytes after the upgrade', async () => {
    program = () => Promise.resolve({ kind: 'exited', code: 0 });
    const head = Buffer.from('POST /v1/run HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: korrigan-run\r\n\r\n');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        assert.match(await raw(Buffer.concat([head, bytes])), /^HTTP\/1\.1 101/);
      }),
      { numRuns: 100 },
    );
  });
  assert.equal((await client.status()).node, 'node1');
  assert.deepEqual(
    faults.filter((fault) => !(fault instanceof TypeError)),
    [],
  );
});

test('a second server takes the place of the first without a gap', async () => {
  const caller: Caller = { pid: 0, uid: 0, gid: 0 };
  assert.equal((await services.status(caller)).node, 'node1');
  const second = await startApiServer({
    socketPath,
    services: { ...services, status: async (who) => ({ ...(await services.status(who)), node: 'second' }) },
    onFault: (error) => faults.push(error),
  });
  assert.equal((await client.status()).node, 'second');
  await second.close();
});
