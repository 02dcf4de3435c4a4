import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import { FRAME, type Frame, NO_BYTES } from './frame.ts';
import type { CertifiedNode } from './certificates/identity.ts';
import { advance, greet, type Handshake, type Identity, type Step } from './handshake.ts';

const node = (id: number, change: Partial<Identity> = {}): Identity => ({
  id,
  cluster: 'blue',
  life: `life-${id}`,
  versions: { oldest: 3, newest: 3 },
  ...change,
});

const certified = (id: number): CertifiedNode => ({ cluster: 'blue', id, serial: `A${id}` });

/** An acceptor whose peer has shown the certificate of node 1. */
function acceptor(own: Identity, refusal?: KorriganError): Handshake {
  return { kind: 'acceptor-waits', own, certified: certified(1), admit: () => refusal, lastLinkWith: () => '' };
}

/** Runs a handshake between two ends; `tamper` sees each frame on its way, `shown` is the acceptor's certificate. Returns the last step of each end. */
function shake(
  opener: Identity,
  to: number,
  other: Handshake,
  tamper = (frame: Frame): Frame => frame,
  shown = to,
): { opener: Step | undefined; acceptor: Step | undefined } {
  const first = greet(opener, to, '', certified(shown));
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
  assert.deepEqual({ ...opener.link, id: '' }, { id: '', peer: 2, peerLife: 'life-2', opener: true, serial: 'A2', version: 3 });
  assert.deepEqual({ ...accepted.link, id: '' }, { id: '', peer: 1, peerLife: 'life-1', opener: false, serial: 'A1', version: 3 });
  assert.equal(opener.link.id, accepted.link.id);
});

test('another cluster, another node, a refusal of the node: both ends learn the same code', () => {
  const cases: [string, ReturnType<typeof shake>][] = [
    ['KRG_PEER_CLUSTER', shake(node(1), 2, acceptor(node(2, { cluster: 'red' })))],
    ['KRG_PEER_IDENTITY', shake(node(1), 3, acceptor(node(2)))],
    ['KRG_NO_SUCH_NODE', shake(node(1), 2, acceptor(node(2), new KorriganError('KRG_NO_SUCH_NODE', 'unknown')))],
    ['KRG_PEER_IDENTITY', shake(node(3), 2, acceptor(node(2)))],
    ['KRG_PEER_IDENTITY', shake(node(1), 2, acceptor(node(2)), undefined, 3)],
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
  assert.match(step.kind === 'refused' ? step.error.message : '', /version 3 .* version 99/);
});

test('neighbouring versions speak the newest one that both know; others are refused by name, with both ranges', () => {
  const versions = (oldest: number, newest: number): Partial<Identity> => ({ versions: { oldest, newest } });
  const cases: [Partial<Identity>, Partial<Identity>, number | RegExp][] = [
    [versions(3, 4), versions(3, 4), 4],
    [versions(3, 4), versions(4, 5), 4],
    [versions(4, 5), versions(3, 4), 4],
    [versions(2, 5), versions(3, 3), 3],
    [versions(3, 4), versions(5, 6), /versions (3 to 4|5 to 6) .* versions (5 to 6|3 to 4)/],
    [versions(5, 6), versions(4, 4), /versions 5 to 6 .* version 4|version 4 .* versions 5 to 6/],
  ];
  for (const [one, two, expected] of cases) {
    const { opener, acceptor: accepted } = shake(node(1, one), 2, acceptor(node(2, two)));
    for (const end of [opener, accepted]) {
      if (typeof expected === 'number') assert.equal(end?.kind === 'open' ? end.link.version : code(end), expected);
      else {
        assert.equal(code(end), 'KRG_PEER_VERSION');
        assert.match(end?.kind === 'refused' ? end.error.message : '', expected);
      }
    }
  }
});

test('an agreement cannot be played back at the other end or in another handshake', () => {
  const first = greet(node(1), 2, '', certified(2));
  const hello = advance(acceptor(node(2)), first.send);
  assert.ok(hello.kind === 'go-on');
  const agreed = advance(first.next, hello.send);
  assert.ok(agreed.kind === 'go-on');
  assert.throws(() => advance(agreed.next, agreed.send), { code: 'KRG_PEER_PROTOCOL' });
  const again = advance(acceptor(node(2)), first.send);
  assert.ok(again.kind === 'go-on');
  assert.throws(() => advance(again.next, agreed.send), { code: 'KRG_PEER_PROTOCOL' });
});

test('whatever a peer sends, a link is with the node that its certificate names, or there is none', () => {
  fc.assert(
    fc.property(fc.nat(3), fc.nat(), fc.integer({ min: 1, max: 255 }), (victim, position, change) => {
      let number = 0;
      const tamper = (frame: Frame): Frame => {
        if (number++ !== victim) return frame;
        const body = Buffer.from(frame.body);
        const at = position % body.length;
        body[at] = (body[at] ?? 0) ^ change;
        return { ...frame, body };
      };
      try {
        const { opener, acceptor: accepted } = shake(node(1), 2, acceptor(node(2)), tamper);
        if (opener?.kind === 'open') assert.equal(opener.link.peer, 2);
        if (accepted?.kind === 'open') assert.equal(accepted.link.peer, 1);
        if (opener?.kind === 'open' && accepted?.kind === 'open') assert.equal(opener.link.id, accepted.link.id);
      } catch (error) {
        assert.ok(isKorriganError(error, 'KRG_PEER_PROTOCOL'), String(error));
      }
    }),
  );
});

test('a frame out of place or without sense throws KRG_PEER_PROTOCOL', () => {
  const wrong: Frame[] = [
    { type: FRAME.agree, id: 0, body: Buffer.from('{}'), trailer: NO_BYTES },
    { type: FRAME.enrol, id: 0, body: Buffer.from('{}'), trailer: NO_BYTES },
    { type: FRAME.call, id: 0, body: NO_BYTES, trailer: NO_BYTES },
    { type: FRAME.hello, id: 0, body: Buffer.from('{'), trailer: NO_BYTES },
    { type: FRAME.hello, id: 0, body: Buffer.from('{"version":3}'), trailer: NO_BYTES },
  ];
  for (const frame of wrong) assert.throws(() => advance(acceptor(node(2)), frame), { code: 'KRG_PEER_PROTOCOL' });
});
