/**
 * RPC between two processes of this machine, beside what it is made of: a ping-pong in C, sockets of Node without and with TLS. Part of `npm run bench`; alone:
 * `node bench/rpc.ts`.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { CertificateAuthority, RpcNode, Trust } from '../src/rpc/index.ts';
import { CLUSTER, echoCall, HOST, type Ports, sinkStream, SMALL } from './rpc-definitions.ts';
import { summarize } from './statistics.ts';
import { align } from './table.ts';

const WARM_UP = 2000;
const CALLS = 10_000;
const PIPELINED = 200_000;
const IN_FLIGHT = 256;
const BULK = 1 << 30;
const PIECE = 256 << 10;
const PEER = 2;

/** Microseconds, calls per second, MB per second. */
export interface RpcMeasurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, by name. */
  readonly floor?: string;
  readonly bar?: { readonly isHeld: (value: number, floor: number) => boolean; readonly text: string };
}

async function roundTrips(ask: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < WARM_UP; n++) await ask();
  const samples: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const started = performance.now();
    await ask();
    samples.push((performance.now() - started) * 1000);
  }
  return summarize(samples).median;
}

/** Each answer has the size of a request: what has come back tells how many have. */
function pingPong(socket: Socket): () => Promise<unknown> {
  socket.setNoDelay(true);
  const message = Buffer.alloc(SMALL, 1);
  let missing = 0;
  let answered: () => void = () => undefined;
  socket.on('data', (bytes) => {
    missing -= bytes.length;
    if (missing === 0) answered();
  });
  return () =>
    new Promise<void>((resolve) => {
      missing = SMALL;
      answered = resolve;
      socket.write(message);
    });
}

async function pipelined(call: () => Promise<unknown>): Promise<number> {
  const run = async (count: number): Promise<void> => {
    let begun = 0;
    const caller = async (): Promise<void> => {
      while (begun++ < count) await call();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  };
  await run(PIPELINED / 10);
  const started = performance.now();
  await run(PIPELINED);
  return PIPELINED / ((performance.now() - started) / 1000);
}

const megabytesPerSecond = (started: number): number => BULK / 1e6 / ((performance.now() - started) / 1000);

async function sendAll(socket: Socket): Promise<number> {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(BULK));
  const piece = Buffer.alloc(PIECE, 1);
  const answered = once(socket, 'data');
  const started = performance.now();
  socket.write(count);
  for (let sent = 0; sent < BULK; sent += PIECE) if (!socket.write(piece)) await once(socket, 'drain');
  await answered;
  return megabytesPerSecond(started);
}

async function streamAll(node: RpcNode): Promise<number> {
  const piece = new Uint8Array(PIECE).fill(1);
  const started = performance.now();
  await using stream = await node.openStream(PEER, sinkStream, {});
  for (let sent = 0; sent < BULK; sent += PIECE) await stream.write(piece);
  await stream.end();
  await stream.read();
  return megabytesPerSecond(started);
}

async function open(port: number, trust?: Trust): Promise<Socket> {
  if (trust === undefined) {
    const socket = connect({ host: HOST, port });
    await once(socket, 'connect');
    return socket;
  }
  const socket = connectSecurely({ host: HOST, port, secureContext: trust.context, checkServerIdentity: () => undefined });
  await once(socket, 'secureConnect');
  return socket;
}

function measureInC(directory: string): number {
  const program = join(directory, 'ping_pong');
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, '../test/programs/bench/ping_pong.c')]);
  return Number(execFileSync(program, { encoding: 'utf8' })) / 1000;
}

export async function measureRpc(): Promise<RpcMeasurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-bench-rpc-'));
  const peer = fork(fileURLToPath(new URL('rpc-peer.ts', import.meta.url)), { serialization: 'advanced' });
  try {
    const authority = await CertificateAuthority.create(join(directory, 'authority'), CLUSTER);
    const trust = new Trust(await authority.credentialsFor(1));
    peer.send(await authority.credentialsFor(PEER));
    const [ports] = (await once(peer, 'message')) as [Ports];
    await using node = new RpcNode({ trust });
    node.addPeer(PEER, HOST, ports.rpc);
    const message = new Uint8Array(SMALL).fill(1);
    const call = (): Promise<unknown> => node.call(PEER, echoCall, message);
    const sockets = await Promise.all([open(ports.echo), open(ports.secureEcho, trust), open(ports.sink), open(ports.secureSink, trust)]);
    const [echo, secureEcho, sink, secureSink] = sockets;
    using stack = new DisposableStack();
    stack.defer(() => {
      for (const socket of sockets) socket.destroy();
    });
    return [
      { name: 'C', value: measureInC(directory), unit: 'us' },
      { name: 'Node, TCP', value: await roundTrips(pingPong(echo)), unit: 'us', floor: 'C' },
      { name: 'Node, TLS', value: await roundTrips(pingPong(secureEcho)), unit: 'us', floor: 'Node, TCP' },
      {
        name: 'call',
        value: await roundTrips(call),
        unit: 'us',
        floor: 'Node, TCP',
        bar: { isHeld: (value, floor) => value <= 1.5 * floor, text: '<= 1.5x' },
      },
      {
        name: `calls, ${IN_FLIGHT} in flight`,
        value: await pipelined(call),
        unit: '/s',
        bar: { isHeld: (value) => value >= 100_000, text: '>= 100000' },
      },
      { name: 'bulk, TCP', value: await sendAll(sink), unit: 'MB/s' },
      { name: 'bulk, TLS', value: await sendAll(secureSink), unit: 'MB/s', floor: 'bulk, TCP' },
      {
        name: 'stream',
        value: await streamAll(node),
        unit: 'MB/s',
        floor: 'bulk, TCP',
        bar: { isHeld: (value, floor) => value >= 0.8 * floor, text: '>= 0.8x' },
      },
    ];
  } finally {
    peer.disconnect();
    rmSync(directory, { recursive: true });
  }
}

export function formatRpc(measurements: readonly RpcMeasurement[]): string {
  const rows = measurements.map(({ name, value, unit, floor, bar }) => {
    const against = measurements.find((other) => other.name === floor);
    const ratio = against === undefined ? '' : `${(value / against.value).toFixed(2)}x ${against.name}`;
    const verdict = bar === undefined ? '' : `${bar.text} ${bar.isHeld(value, against?.value ?? 0) ? 'held' : 'missed'}`;
    return [name, value < 100 ? value.toFixed(1) : value.toFixed(0), unit, ratio, verdict];
  });
  return align([['', 'seen', '', 'against', 'bar'], ...rows]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(formatRpc(await measureRpc()));
