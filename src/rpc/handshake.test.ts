import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import { FRAME, type Frame, NO_BYTES } from './frame.ts';
import { advance, greet, type Handshake, type Identity, type Step } from './handshake.ts';

const SECRET = Buffer.alloc(32, 1);
const node = (id: number, change: Partial<Identity> = {}): Identity => ({
  id,
  cluster: 'blue',
  life: `life-${id}`,
  secret: SECRET,
  ...change,
});

function acceptor(own: Identity, refusal?: KorriganError): Handshake {
  return { kind: 'acceptor-waits', own, admit: () => refusal, lastLinkWith: () => '' };
}

/** Runs a handshake between two ends; `tamper` sees each frame on its way. Returns the last step of each end. */
function shake(
  opener: Identity,
  to: number,
  other: Handshake,
  tamper = (frame: Frame): Frame => frame,
): { opener: Step | undefined; acceptor: Step | undefined } {
  const first = greet(opener, to, '');
  const ends = { opener: first.next, acceptor: other };
  const last: { opener: Step | undefined; acceptor: Step | undefined } = { opener: undefined, acceptor: undefined };
  let onTheWay: Frame | undefined = first.send;
  let receiver: 'opener' | 'acceptor' = 'acceptor';
  while (onTheWay !== undefined) {
    const step = advance(ends[receiver], tamper(onTheWay));
    last[receiver] = step;
    if (step.kind === 'go-on') ends[receiver] = step.next;
    onTheWay = step.send;
    receiver = receiver === 'opener' ? 'acceptor' : 'opener';
  }
  return last;
}

function code(step: Step | undefined): string {
  return step?.kind === 'refused' ? step.error.code : (step?.kind ?? 'nothing');
}

test('two nodes of a cluster agree on the link', () => {
  const { opener, acceptor: accepted } = shake(node(1), 2, acceptor(node(2)));
  assert.equal(opener?.kind, 'open');
  assert.equal(accepted?.kind, 'open');
  if (opener?.kind !== 'open' || accepted?.kind !== 'open') return;
  assert.deepEqual({ ...opener.link, id: '' }, { id: '', peer: 2, peerLife: 'life-2', opener: true });
  assert.deepEqual({ ...accepted.link, id: '' }, { id: '', peer: 1, peerLife: 'life-1', opener: false });
  assert.equal(opener.link.id, accepted.link.id);
});

test('another cluster, another node, a refusal of the node: both ends learn the same code', () => {
  const cases: [string, ReturnType<typeof shake>][] = [
    ['KRG_PEER_CLUSTER', shake(node(1), 2, acceptor(node(2, { cluster: 'red' })))],
    ['KRG_PEER_IDENTITY', shake(node(1), 3, acceptor(node(2)))],
    ['KRG_NO_SUCH_NODE', shake(node(1), 2, acceptor(node(2), new KorriganError('KRG_NO_SUCH_NODE', 'unknown')))],
    ['KRG_PEER_UNAUTHENTICATED', shake(node(1, { secret: Buffer.alloc(32, 2) }), 2, acceptor(node(2)))],
  ];
  for (const [expected, { opener, acceptor: accepted }] of cases) {
    assert.equal(code(opener), expected);
    assert.equal(code(accepted), expected);
  }
});

test('another version is refused by name, whatever else its hello holds', () => {
  const body = Buffer.from(JSON.stringify({ version: 99, anything: 'else' }));
  const step = advance(acceptor(node(2)), { type: FRAME.hello, id: 0, body, trailer: NO_BYTES });
  assert.equal(code(step), 'KRG_PEER_VERSION');
  assert.match(step.kind === 'refused' ? step.error.message : '', /version 1 .* version 99/);
});

test('the acceptor proves nothing to an opener without the secret', () => {
  const types: number[] = [];
  shake(node(1, { secret: Buffer.alloc(32, 2) }), 2, acceptor(node(2)), (frame) => {
    types.push(frame.type);
    return frame;
  });
  assert.deepEqual(types, [FRAME.hello, FRAME.hello, FRAME.proof, FRAME.refuse]);
});

test('an acceptor without the secret is refused by the opener', () => {
  // It accepts whatever is proven: a false node 2 that has its own secret.
  const first = greet(node(1), 2, '');
  const hello = advance(acceptor(node(2)), first.send);
  assert.ok(hello.kind === 'go-on');
  const proved = advance(first.next, hello.send);
  assert.ok(proved.kind === 'go-on');
  const body = Buffer.from(JSON.stringify({ proof: '00'.repeat(32) }));
  assert.equal(code(advance(proved.next, { type: FRAME.proof, id: 0, body, trailer: NO_BYTES })), 'KRG_PEER_UNAUTHENTICATED');
});

test('a proof cannot be played back at the other end or in another handshake', () => {
  const first = greet(node(1), 2, '');
  const hello = advance(acceptor(node(2)), first.send);
  assert.ok(hello.kind === 'go-on');
  const proved = advance(first.next, hello.send);
  assert.ok(proved.kind === 'go-on');
  assert.equal(code(advance(proved.next, proved.send)), 'KRG_PEER_UNAUTHENTICATED');
  const again = advance(acceptor(node(2)), first.send);
  assert.ok(again.kind === 'go-on');
  assert.equal(code(advance(again.next, proved.send)), 'KRG_PEER_UNAUTHENTICATED');
});

test('any change on the way ends in a refusal or KRG_PEER_PROTOCOL, never in a link', () => {
  fc.assert(
    fc.property(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 }), (victim, position, change) => {
      let number = 0;
      const tamper = (frame: Frame): Frame => {
        if (number++ !== victim) return frame;
        const body = Buffer.from(frame.body);
        const at = position % body.length;
        body[at] = (body[at] ?? 0) ^ change;
        return { ...frame, body };
      };
      try {
        const { opener } = shake(node(1), 2, acceptor(node(2)), tamper);
        assert.notEqual(opener?.kind, 'open');
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_PEER_PROTOCOL'), String(error));
      }
    }),
  );
});

test('a frame out of place or without sense throws KRG_PEER_PROTOCOL', () => {
  const wrong: Frame[] = [
    { type: FRAME.proof, id: 0, body: Buffer.from('{}'), trailer: NO_BYTES },
    { type: FRAME.call, id: 0, body: NO_BYTES, trailer: NO_BYTES },
    { type: FRAME.hello, id: 0, body: Buffer.from('{'), trailer: NO_BYTES },
    { type: FRAME.hello, id: 0, body: Buffer.from('{"version":1}'), trailer: NO_BYTES },
  ];
  for (const frame of wrong) assert.throws(() => advance(acceptor(node(2)), frame), { code: 'KRG_PEER_PROTOCOL' });
});
