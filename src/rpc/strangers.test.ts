import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTLS } from 'node:tls';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FRAME, type Frame, FrameDecoder, type FrameType, NO_BYTES } from './frame.ts';
import { Trust } from './certificates/trust.ts';
import { advance, greet, type Handshake } from './handshake.ts';
import { pack } from './message.ts';
import type { Address } from './peer.ts';
import { LINK_PROTOCOL } from './port.ts';
import type { RpcNode } from './rpc-node.ts';
import { bytes, count, credentialsOf, echo, HOST, sums, TestCluster, told, until } from './test-cluster.ts';
import { OWN_VERSIONS } from './versions.ts';

const OPTIONS = { timeout: 60_000 };
const LIMITS = { handshakeMs: 300, bodyBytes: 10_000, trailerBytes: 10_000, streamWindowBytes: 10_000 };

async function open(address: Address): Promise<Socket> {
  const socket = connect(address);
  // What is not read would hide the end of the connection.
  socket.on('error', () => {}).resume();
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** A peer made by hand, that has shaken hands as node 9 and can then send anything. */
async function handMade(address: Address, received: (frame: Frame) => void = () => {}): Promise<Socket> {
  const trust = new Trust(credentialsOf(9));
  const socket = connectTLS({
    ...address,
    secureContext: trust.context,
    ALPNProtocols: [LINK_PROTOCOL],
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => {});
  await new Promise((done) => socket.once('secureConnect', done));
  const own = { id: 9, cluster: 'test', life: randomBytes(8).toString('hex'), versions: OWN_VERSIONS };
  const certified = trust.peerOf(socket);
  if (certified instanceof Error) throw certified;
  const first = greet(own, 1, '', certified);
  let handshake: Handshake | undefined = first.next;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const decoder = new FrameDecoder({ body: 1e6, trailer: 1e6 }, (next) => {
    if (handshake === undefined) {
      received(next);
      return;
    }
    const step = advance(handshake, next);
    if (step.send !== undefined) socket.write(encodeFrame(step.send));
    handshake = step.kind === 'go-on' ? step.next : undefined;
    if (step.kind === 'open') resolve(socket);
    if (step.kind === 'refused') reject(step.error);
  });
  socket.on('data', (piece: Buffer) => decoder.push(piece));
  socket.write(encodeFrame(first.send));
  return promise;
}

/** Node 1, which answers, knows node 2 and expects a node 9. */
async function target(cluster: TestCluster, limits = {}): Promise<{ one: RpcNode; address: Address; isWell: () => Promise<void> }> {
  const [one, two] = await cluster.pair({ ...LIMITS, ...limits });
  one.handle(echo, ({ text }) => ({ text, by: 1 }));
  one.handle(count, (number) => number);
  one.handleNotice(told, () => {});
  one.handleStream(sums, async (_, stream) => {
    for await (const number of stream) await stream.write(number);
  });
  one.handleStream(bytes, async (_, stream) => void (await stream.closed));
  one.addPeer(9, HOST, 1);
  const address = await one.listen({ host: HOST, port: 0 });
  const isWell = async (): Promise<void> => {
    assert.deepEqual(await two.call(1, echo, { text: 'well' }), { text: 'well', by: 1 });
  };
  return { one, address, isWell };
}

const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));

describe('strangers and broken peers', OPTIONS, () => {
  test('an address that is taken is named', async () => {
    await using cluster = new TestCluster();
    const address = await cluster.node(1).listen({ host: HOST, port: 0 });
    await assert.rejects(cluster.node(2).listen(address), { code: 'KRG_PORT_IN_USE' });
  });

  test('garbage, other protocols, silence and half a frame cost their connection only', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    const pieces: (string | Buffer)[] = [
      'GET / HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\x02',
      randomBytes(5000),
      '',
      'K',
      encodeFrame(frame(FRAME.hello, Buffer.alloc(4097))),
    ];
    const sockets = await Promise.all(pieces.map(() => open(address)));
    sockets.forEach((socket, index) => socket.write(pieces[index] ?? ''));
    await Promise.all(sockets.map(closed));
    assert.equal(cluster.complaints.length, pieces.length);
    assert.ok(cluster.complaints.every(({ details }) => typeof details['remote'] === 'string'));
    await isWell();
  });

  test('a stranger cannot use up the connections of the others', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster, { strangers: 4, connectMs: 5000 });
    const sockets = await Promise.all(Array.from({ length: 30 }, () => open(address)));
    await isWell();
    await Promise.all(sockets.map(closed));
  });

  test('any frames from a peer that has a certificate: the link may end, the node goes on', async () => {
    await using cluster = new TestCluster();
    const { address, isWell } = await target(cluster);
    const anything = fc.oneof(fc.jsonValue(), fc.uint8Array({ maxLength: 100 }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    const named = fc.tuple(fc.constantFrom(echo.name, count.name, told.name, sums.name, bytes.name, 'none'), anything, anything, anything);
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      anything.map(pack),
      named.map(pack),
      named.map(([name, request]) => pack([name, request])),
    );
    const frames = fc.record({
      type: fc.constantFrom<FrameType>(...Object.values(FRAME)),
      id: fc.constantFrom(0, 1, 2, 3, 4, 2 ** 32 - 1),
      body,
      trailer: fc.uint8Array({ maxLength: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(frames, { maxLength: 20 }), async (sent) => {
        const socket = await handMade(address);
        for (const each of sent) socket.write(encodeFrame(each));
        socket.end();
        await closed(socket);
      }),
      { numRuns: 150 },
    );
    await isWell();
  });

  const breaches: [name: string, send: Frame[], problem: RegExp][] = [
    ['an unknown frame', [frame(99 as FrameType, NO_BYTES)], /unknown type 99/],
    ['too large a message', [frame(FRAME.call, Buffer.alloc(10_001))], /10001 bytes; the limit is 10000/],
    ['a message that is none', [frame(FRAME.call, Buffer.from([0x94, 1]))], /cannot be decoded/],
    ['a call without a name', [frame(FRAME.call, pack([5]))], /wrong form/],
    ['a bomb of nested lists', [frame(FRAME.call, Buffer.alloc(9999, 0x91))], /./],
    ['a list that says it has four billion members', [frame(FRAME.call, Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]))], /./],
    ['a second handshake', [frame(FRAME.hello, Buffer.from('{}'))], /second time/],
    ['one id for two streams', [opening(bytes.name, {}), opening(bytes.name, {})], /two streams at a time/],
    [
      'more than the window of a stream',
      [opening(bytes.name, {}), ...Array.from({ length: 5 }, () => data(9000))],
      /more of a stream than it had credit/,
    ],
    ['credit out of nothing', [opening(bytes.name, {}), frame(FRAME.streamCredit, pack(1))], /more credit/],
    ['more of a stream after its end', [opening(bytes.name, {}), frame(FRAME.streamEnd, NO_BYTES), data(10)], /after its end/],
  ];
  for (const [name, send, problem] of breaches) {
    test(`a breach closes the link and is logged with the peer: ${name}`, async () => {
      await using cluster = new TestCluster();
      const { address, isWell } = await target(cluster);
      const socket = await handMade(address);
      for (const each of send) socket.write(encodeFrame(each));
      await closed(socket);
      assert.equal(cluster.complaints.length, 1);
      const [line] = cluster.complaints;
      assert.equal(line?.details['peer'], 9);
      assert.match(String(line?.details['reason']), problem);
      await isWell();
    });
  }

  test('a peer that does not read is given up when too much waits for it', async () => {
    await using cluster = new TestCluster();
    const { one, address } = await target(cluster, { queuedBytes: 3_000_000, heartbeatMs: 60_000, connectMs: 200 });
    const socket = await handMade(address);
    socket.pause();
    const calls = Array.from({ length: 4000 }, () => one.call(9, echo, { text: 'x'.repeat(9_000) }));
    const outcomes = await Promise.allSettled(calls);
    assert.ok(outcomes.every((outcome) => outcome.status === 'rejected'));
    await until(() => cluster.complaints.some(({ details }) => /does not read/.test(String(details['reason']))));
    socket.destroy();
  });
});

function frame(type: FrameType, body: Uint8Array): Frame {
  return { type, id: 1, body, trailer: NO_BYTES };
}

function opening(name: string, request: unknown): Frame {
  return frame(FRAME.streamOpen, pack([name, request]));
}

function data(size: number): Frame {
  return { type: FRAME.streamData, id: 1, body: NO_BYTES, trailer: Buffer.alloc(size) };
}
