/**
 * Garbage on the sockets of a daemon, from somebody who may connect: the HTTP API and the port of the links between nodes. It costs its sender
 * the connection; the daemon, its memory, the links and the processes are as before.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTLS } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonPid } from '../src/node/index.ts';
import { daemonResources } from './support/census.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const SIGTERM = 15;
const RPC_PORT = 7420;
/** More than a connection may make a daemon keep, times the connections that a test holds at a time. */
const MEMORY_SLACK = 128 << 20;

let cluster: TestCluster;
let victim: number;
let daemons: number[];
const output = (): string => join(cluster.directory, 'victim');
const numbers = (): string[] => readFileSync(output(), 'utf8').split('\n').slice(0, -1);
const daemonPids = (): number[] => [1, 2, 3].map((id) => daemonPid(cluster.description.cluster, id));

before(async () => {
  cluster = await startTestCluster('sockets');
  victim = await cluster.start(`${await buildProgram('counter')} 5`, output());
  await eventually('the first numbers', () => numbers().length > 2);
  daemons = daemonPids();
});

after(async () => {
  try {
    await cluster.client.kill(victim, SIGTERM);
    await eventually('the verdict of the counter', () => numbers().at(-1)?.startsWith('pass'));
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
});

/** The daemons are the same, answer, and move the victim to another node and home again. */
async function assertUnharmed(): Promise<void> {
  assert.deepEqual(daemonPids(), daemons);
  for (const node of [2, 1]) {
    const count = numbers().length;
    await cluster.move(victim, node);
    await eventually(`progress on node ${node}`, () => numbers().length > count + 1);
  }
}

/** A connection that survives whatever the other side does to it. */
class Stranger {
  readonly socket: Socket;
  received = Buffer.alloc(0);

  /** @param protocol speaks TLS, without a certificate, and names this application protocol */
  constructor(address: { path: string } | { host: string; port: number }, protocol?: string) {
    this.socket =
      protocol === undefined ? connect(address) : connectTLS({ ...address, rejectUnauthorized: false, ALPNProtocols: [protocol] });
    this.socket.on('error', () => undefined); // a reset is an answer, too
    this.socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk]).subarray(0, 1 << 20)));
  }

  /** Sends as fast as the other side takes it, until all is sent or the connection is gone. */
  async send(bytes: Uint8Array | string): Promise<void> {
    if (this.socket.connecting) await this.event('connect');
    if (this.socket.writable && !this.socket.write(bytes)) await this.event('drain');
  }

  /** Until it is closed, or something else has happened. */
  event(name: 'close' | 'connect' | 'drain' = 'close'): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.socket.closed) resolve();
    this.socket.once('close', () => resolve());
    this.socket.once(name, () => resolve());
    return promise;
  }
}

const api = (): Stranger => new Stranger({ path: cluster.description.nodes[0]?.socket ?? '' });
const link = (protocol?: string): Stranger => new Stranger({ host: cluster.description.nodes[0]?.address ?? '', port: RPC_PORT }, protocol);

function request(method: string, path: string, body: string, headers: readonly string[] = []): string {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: node', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

describe('the HTTP API', () => {
  const refused: readonly (readonly [what: string, bytes: () => string | Uint8Array, code: RegExp])[] = [
    ['bytes that are no HTTP', () => Buffer.concat([Buffer.from([0xff, 0, 0xfe]), randomBytes(5000)]), /KRG_BAD_REQUEST/],
    ['a link between nodes', () => Uint8Array.of(0, 0, 0, 16, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 13, 10, 13, 10), /KRG_BAD_REQUEST/],
    ['a head without end', () => `GET /v1/status HTTP/1.1\r\nX: ${'x'.repeat(1 << 20)}`, /KRG_BAD_REQUEST/],
    ['two lengths', () => request('POST', '/v1/kill', '{}', ['Content-Length: 7']), /KRG_BAD_REQUEST/],
    ['a path that does not exist', () => request('GET', '/v2/../../etc/passwd', ''), /KRG_BAD_REQUEST/],
    ['a method that does not exist', () => request('DELETE', '/v1/status', ''), /KRG_BAD_REQUEST/],
    ['an address that is none', () => request('GET', 'http://[', ''), /KRG_BAD_REQUEST/],
    ['an answer that nobody may have', () => request('GET', '/v1/processes?husks=perhaps', ''), /KRG_BAD_REQUEST/],
    ['no JSON', () => request('POST', '/v1/kill', '{"pid": '), /KRG_BAD_REQUEST/],
    ['JSON of no object', () => request('POST', '/v1/migrate', 'null'), /KRG_BAD_REQUEST/],
    ['JSON of great depth', () => request('POST', '/v1/migrate', '['.repeat(30_000)), /KRG_BAD_REQUEST/],
    [
      'members that nobody knows',
      () => request('POST', '/v1/kill', '{"pid": 65536, "signal": 9, "__proto__": {"uid": 0}, "uid": 0}'),
      /KRG_BAD_REQUEST/,
    ],
    ['values of other kinds', () => request('POST', '/v1/migrate', '{"pids": ["65536"], "node": {"name": "node2"}}'), /KRG_BAD_REQUEST/],
    ['signal to everybody', () => request('POST', '/v1/kill', '{"pid": -1, "signal": 9}'), /KRG_BAD_REQUEST/],
    ['a body that is too long', () => request('POST', '/v1/kill', ' '.repeat(1 << 20)), /KRG_(BAD_REQUEST|LIMIT)/],
    [
      'the length of a body that nobody can send',
      () => 'POST /v1/kill HTTP/1.1\r\nHost: node\r\nContent-Length: 999999999999\r\n\r\n{',
      /KRG_(BAD_REQUEST|LIMIT)/,
    ],
    [
      'an upgrade to something else',
      () => request('GET', '/v1/status', '', ['Connection: Upgrade', 'Upgrade: websocket']),
      /KRG_BAD_REQUEST/,
    ],
  ];
  for (const [what, bytes, code] of refused) {
    test(`is asked with ${what}`, async () => {
      const stranger = api();
      await stranger.send(bytes());
      await eventually('an answer', () => stranger.received.includes('\r\n\r\n') && code.test(stranger.received.toString()));
      assert.match(stranger.received.toString(), /^HTTP\/1\.1 4\d\d /);
      stranger.socket.destroy();
      await cluster.client.status();
    });
  }

  test('is asked to run a program, and then sent garbage', async () => {
    for (let round = 0; round < 20; round++) {
      const stranger = api();
      await stranger.send('POST /v1/run HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: korrigan-run\r\n\r\n');
      await stranger.send(randomBytes(1 + round * 1000));
      if (round % 2 === 0) stranger.socket.end();
      await eventually('an answer', () => stranger.received.length > 0 || stranger.socket.closed);
      stranger.socket.destroy();
    }
    await assertUnharmed();
  });

  test('is asked by many who never finish', async () => {
    const first = daemonResources(cluster.description)[0];
    const strangers = Array.from({ length: 300 }, api);
    await Promise.all(
      strangers.map((stranger, n) => stranger.send(n % 2 === 0 ? 'POST /v1/kill HTTP/1.1\r\nContent-Length: 10\r\n\r\n{' : 'GET /v1/st')),
    );
    await cluster.client.status();
    await assertUnharmed();
    for (const { socket } of strangers) socket.destroy();
    await eventually('the end of the connections', () => {
      const { descriptors = 0 } = daemonResources(cluster.description)[0] ?? {};
      return descriptors < (first?.descriptors ?? 0) + 30;
    });
  });
});

describe('the port of the links', () => {
  const memory = (): number => daemonResources(cluster.description)[0]?.bytes ?? 0;

  /** A frame as the links know it, whatever it says: u32 length of the body, u32 of the trailer, then the rest. */
  const garbage: readonly (readonly [what: string, bytes: () => Uint8Array])[] = [
    ['random bytes', () => randomBytes(100_000)],
    ['a frame of the largest length', () => Buffer.alloc(64, 0xff)],
    ['a frame of no length', () => Buffer.alloc(4096)],
    ['an HTTP request', () => Buffer.from(request('GET', '/v1/status', ''))],
    ['the beginning of a frame', () => Uint8Array.of(0, 0, 1)],
  ];
  for (const [what, bytes] of garbage) {
    test(`gets ${what}`, async () => {
      for (let round = 0; round < 5; round++) {
        const stranger = link();
        await stranger.send(bytes());
        stranger.socket.end();
        await stranger.event();
        assert.ok(stranger.received.length < 4096, `a stranger was told ${stranger.received.length} bytes`);
      }
      await assertUnharmed();
    });
  }

  for (const protocol of ['korrigan-link', 'korrigan-enrolment']) {
    for (const [what, bytes] of garbage) {
      test(`gets ${what} inside TLS, from somebody without a certificate (${protocol})`, async () => {
        for (let round = 0; round < 5; round++) {
          const stranger = link(protocol);
          await stranger.send(bytes());
          stranger.socket.end();
          await stranger.event();
          assert.ok(stranger.received.length < 4096, `a stranger was told ${stranger.received.length} bytes`);
        }
        await assertUnharmed();
      });
    }
  }

  test('gets more than it takes', async () => {
    const first = memory();
    const strangers = Array.from({ length: 20 }, () => link());
    const noise = randomBytes(1 << 20);
    await Promise.all(
      strangers.map(async (stranger) => {
        for (let round = 0; round < 50 && stranger.socket.writable; round++) await stranger.send(noise);
        stranger.socket.destroy();
      }),
    );
    assert.ok(memory() - first < MEMORY_SLACK, `${memory() - first} bytes more`);
    await assertUnharmed();
  });

  test('gets hundreds of connections that say nothing', async () => {
    const strangers = Array.from({ length: 400 }, (_, n) => link([undefined, 'korrigan-enrolment'][n % 2]));
    await delay(100);
    await assertUnharmed();
    // Nobody is waited for beyond the time of a handshake.
    await Promise.all(strangers.map((stranger) => stranger.event()));
    await assertUnharmed();
  });
});
