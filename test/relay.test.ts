/**
 * Streams whose other end stays: programs move between two nodes while they talk through pipes to this test, which holds the staying
 * ends as a daemon does for a user.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, mkdtempSync, readdirSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { until } from './support/engine.ts';
import { type JoinedNode, startJoinedNodes } from './support/joined-node.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-relay-'));
chmodSync(directory, 0o755);

let nodes: readonly JoinedNode[] = [];
let atFirst: string[][] = [];

before(async () => {
  nodes = await startJoinedNodes(`test-relay-${process.pid}`, 2);
  atFirst = [1, 2].map(descriptorsOfInit);
});

after(async () => {
  for (const joined of nodes) await joined[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function node(id: number): JoinedNode {
  const found = nodes[id - 1];
  assert.ok(found);
  return found;
}

interface Started {
  pid: number;
  stdin: Socket;
  stdout: Socket;
}

/** Starts a program on node 1 with two pipes, whose ends pid 1 and this test hold. */
async function startProgram(...command: string[]): Promise<Started> {
  const { container } = node(1);
  const [input, output] = [container.openPipe(), container.openPipe()];
  const errors = container.lane.call('openat', -100, join(directory, 'errors'), 0o2101, 0o644);
  const { pid } = await container.launch({
    arguments: command,
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'descriptors', fds: [input.readEnd, output.writeEnd, errors] },
    cgroup: container.newApplication(),
  });
  const stdin = new Socket({ fd: container.takeDescriptor(input.writeEnd), readable: false, writable: true });
  const stdout = new Socket({ fd: container.takeDescriptor(output.readEnd), readable: true, writable: false });
  for (const fd of [input.readEnd, input.writeEnd, output.readEnd, output.writeEnd, errors]) container.closeDescriptor(fd);
  return { pid, stdin, stdout };
}

/** Descriptors of pid 1 of a node, as a measure of what is left behind. */
function descriptorsOfInit(id: number): string[] {
  const folder = `/proc/${node(id).container.initPid}/fd`;
  return readdirSync(folder).toSorted();
}

async function moveBackAndForth(pid: number, hops: number, between: () => Promise<unknown>): Promise<void> {
  for (let hop = 0; hop < hops; hop++) {
    const [from, to] = hop % 2 === 0 ? [1, 2] : [2, 1];
    await between();
    await node(from).epm.migrate(pid, to, false);
  }
}

function pattern(length: number, start: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let n = 0; n + 4 <= length; n += 4) bytes.writeUInt32LE((start + n) >>> 2, n);
  return bytes;
}

/** Takes bytes only when it is told to, so that who writes them waits for it again and again. */
class SlowReader {
  private readonly stream: Readable;
  private readonly hash = createHash('sha256');
  private readonly ended: Promise<unknown>;
  private received = 0;
  private wanted = 0;

  constructor(stream: Readable) {
    this.stream = stream;
    this.ended = once(stream, 'end');
    stream.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      this.hash.update(chunk);
      if (this.received >= this.wanted) stream.pause();
    });
  }

  take(bytes: number): Promise<unknown> {
    this.wanted += bytes;
    this.stream.resume();
    return until(() => this.received >= this.wanted, 'more bytes');
  }

  /** @returns what came in all, to the end */
  async takeAll(): Promise<{ bytes: number; digest: string }> {
    this.wanted = Number.POSITIVE_INFINITY;
    this.stream.resume();
    await this.ended;
    return { bytes: this.received, digest: this.hash.digest('hex') };
  }
}

const TOTAL = 50 * 1024 * 1024;
const CHUNK = 64 * 1024;

test('a writer moves 20 times while 50 MB flow: not a byte is missing or doubled, and its end is seen', async () => {
  const { pid, stdout, stdin } = await startProgram(
    'sh',
    '-c',
    `exec python3 -c "
import os, array
n = 0
while n < ${TOTAL}:
    chunk = array.array('I', range(n // 4, (n + ${CHUNK}) // 4)).tobytes()
    while chunk:
        chunk = chunk[os.write(1, chunk):]
    n += ${CHUNK}
"`,
  );
  const expected = createHash('sha256');
  for (let n = 0; n < TOTAL; n += CHUNK) expected.update(pattern(CHUNK, n));
  const reader = new SlowReader(stdout);
  await moveBackAndForth(pid, 20, () => reader.take(TOTAL / 25));
  assert.deepEqual(await reader.takeAll(), { bytes: TOTAL, digest: expected.digest('hex') });
  await until(() => node(1).ended.has(pid), 'the end at home');
  assert.equal(node(1).ended.get(pid), 0);
  stdin.destroy();
});

test('cat moves 20 times while 50 MB flow through it; it sees the end of its input', async () => {
  const { pid, stdin, stdout } = await startProgram('cat');
  const expected = createHash('sha256');
  const reader = new SlowReader(stdout);
  const feeding = (async () => {
    for (let n = 0; n < TOTAL; n += CHUNK) {
      const chunk = pattern(CHUNK, n);
      expected.update(chunk);
      if (!stdin.write(chunk)) await once(stdin, 'drain');
    }
    stdin.end();
  })();
  await moveBackAndForth(pid, 20, () => reader.take(TOTAL / 25));
  const received = reader.takeAll();
  await feeding;
  assert.deepEqual(await received, { bytes: TOTAL, digest: expected.digest('hex') });
  await until(() => node(1).ended.has(pid), 'the end at home');
  assert.equal(node(1).ended.get(pid), 0);
});

test('a writer that has moved dies of SIGPIPE when its reader at home goes away', async () => {
  const { pid, stdin, stdout } = await startProgram('yes');
  let received = 0;
  stdout.on('data', (chunk: Buffer) => (received += chunk.length));
  await until(() => received > 0, 'output');
  await node(1).epm.migrate(pid, 2, false);
  const seen = received;
  await until(() => received > seen + 100_000, 'output after the move');
  stdout.destroy();
  await until(() => node(1).ended.has(pid), 'its end');
  assert.equal(node(1).ended.get(pid), 13);
  stdin.destroy();
});

test('a writer at home gets EPIPE when the reader that has moved ends', async () => {
  const { pid, stdin, stdout } = await startProgram('sh', '-c', 'exec head -c 100000');
  await node(1).epm.migrate(pid, 2, false);
  const failed = once(stdin, 'error') as Promise<[NodeJS.ErrnoException]>;
  let received = 0;
  stdout.on('data', (chunk: Buffer) => (received += chunk.length));
  const feeder = setInterval(() => stdin.writable && stdin.writableLength === 0 && stdin.write(pattern(CHUNK, 0)), 5);
  const [error] = await failed;
  clearInterval(feeder);
  assert.equal(error.code, 'EPIPE');
  await until(() => received === 100_000, 'its output');
});

test('a program that waits in read(2) on a pipe is moved and sees what comes later', async () => {
  const { pid, stdin, stdout } = await startProgram('sh', '-c', 'read line; echo "got $line"; read line; echo "got $line"');
  let text = '';
  stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(stdout, 'end');
  await node(1).epm.migrate(pid, 2, false);
  stdin.write('one\n');
  await until(() => text === 'got one\n', 'the answer from node 2');
  await node(2).epm.migrate(pid, 1, false);
  stdin.end('two\n');
  await until(() => text === 'got one\ngot two\n', 'the answer from node 1');
  await ended;
});

test('at home again a program that waits has its original ends, and no relay is left', async () => {
  const { pid, stdin, stdout } = await startProgram('cat');
  let text = '';
  stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const link = (id: number, fd: number): string => readlinkSync(`/proc/${node(id).container.hostPidOf(pid)}/fd/${fd}`);
  const original = [0, 1].map((fd) => link(1, fd));
  for (let round = 0; round < 5; round++) {
    await node(1).epm.migrate(pid, 2, false);
    assert.notDeepEqual(
      [0, 1].map((fd) => link(2, fd)),
      original,
    );
    stdin.write(`away ${round}\n`);
    await until(() => text.endsWith(`away ${round}\n`), 'the answer from node 2');
    await node(2).epm.migrate(pid, 1, false);
    assert.deepEqual(
      [0, 1].map((fd) => link(1, fd)),
      original,
    );
    await until(() => descriptorsOfInit(1).join() === atFirst[0]?.join(), 'the end of the relays');
    stdin.write(`home ${round}\n`);
    await until(() => text.endsWith(`home ${round}\n`), 'the answer from node 1');
  }
  const ended = once(stdout, 'end');
  stdin.end();
  await ended;
  assert.equal(text, [0, 1, 2, 3, 4].map((round) => `away ${round}\nhome ${round}\n`).join(''));
});

test('the link between the nodes is cut 20 times while bytes flow both ways: none is lost', async () => {
  const { pid, stdin, stdout } = await startProgram('cat');
  await node(1).epm.migrate(pid, 2, false);
  const total = 10 * 1024 * 1024;
  const [hash, expected] = [createHash('sha256'), createHash('sha256')];
  let received = 0;
  stdout.on('data', (chunk: Buffer) => {
    received += chunk.length;
    hash.update(chunk);
  });
  const ended = once(stdout, 'end');
  for (let n = 0; n < total; n += CHUNK) {
    const chunk = pattern(CHUNK, n);
    expected.update(chunk);
    if (!stdin.write(chunk)) await once(stdin, 'drain');
    if (n % (total / 20) === 0) node((n / CHUNK) % 2 === 0 ? 1 : 2).rpc.disconnect((n / CHUNK) % 2 === 0 ? 2 : 1);
  }
  stdin.end();
  await ended;
  assert.equal(received, total);
  assert.equal(hash.digest('hex'), expected.digest('hex'));
});

test('a shell keeps its terminal: lines, echo and ^C, away and at home again', async () => {
  const { container } = node(1);
  const terminal = container.openTerminal({ uid: 0 }, { columns: 80, rows: 24 });
  const script = 'trap "echo caught" INT; echo ready; while :; do if read -r line; then echo "got:$line"; fi; done';
  const { pid } = await container.launch({
    arguments: ['bash', '-c', script],
    environment: { PATH: '/usr/bin:/bin' },
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'terminal', number: terminal.number },
    cgroup: container.newApplication(),
  });
  const master = container.takeDescriptor(terminal.master);
  let text = '';
  let hasHungUp = false;
  const reading = setInterval(() => {
    const buffer = Buffer.alloc(4096);
    try {
      text += buffer.subarray(0, readSync(master, buffer)).toString();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EIO') hasHungUp = true;
      else if (code !== 'EAGAIN') throw error;
    }
  }, 2);
  const see = (what: string): Promise<unknown> =>
    until(() => {
      const at = text.indexOf(what);
      if (at >= 0) text = text.slice(at + what.length);
      return at >= 0;
    }, `"${what}" in "${text}"`);
  try {
    await see('ready\r\n');
    for (let round = 0; round < 3; round++) {
      for (const [from, to] of [
        [1, 2],
        [2, 1],
      ] as const) {
        await node(from).epm.migrate(pid, to, false);
        writeSync(master, `line ${round} ${to}\r`);
        await see(`line ${round} ${to}\r\n`); // the echo, once
        await see(`got:line ${round} ${to}\r\n`);
        writeSync(master, '\x03');
        await see('caught\r\n');
      }
    }
    await node(1).epm.migrate(pid, 2, false);
    writeSync(master, 'half');
    await see('half');
    await node(2).epm.migrate(pid, 1, false);
    writeSync(master, ' and half\r');
    await see('got:half and half\r\n');
    await node(1).epm.migrate(pid, 2, false);
    process.kill(node(2).container.hostPidOf(pid) ?? 0, 'SIGKILL');
    await until(() => node(1).ended.has(pid), 'its end');
    await until(() => hasHungUp, 'the hang-up of the terminal');
  } finally {
    clearInterval(reading);
    closeSync(master);
    container.closeDescriptor(terminal.master);
  }
});

test('nothing of all these relays is left in the containers', async () => {
  await until(
    () => [1, 2].every((id, n) => descriptorsOfInit(id).join() === atFirst[n]?.join()),
    'the descriptors of pid 1 to be as at first',
  );
});
