import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pack, unpack } from '../../rpc/index.ts';
import type { Envelope, Message } from '../messages.ts';
import { bodiesOf, type Body, fromWire, Pieces, toWire, wireSchema } from './packets.ts';

const HEADER = { from: 12, to: 13, sequence: 5, received: 7 };

/** What comes out at the other end. */
function carried(body: Body): Body | undefined {
  const { body: arrived, ...header } = fromWire(unpack(pack(toWire({ ...HEADER, body }))) as unknown[]);
  assert.deepEqual(header, HEADER);
  return arrived;
}

const of = { namespace: 0, set: 40, object: 7 };
const small: readonly Message[] = [
  { kind: 'DELIVERED' },
  { kind: 'REMOVE_ACK', ...of, serial: 4 },
  { kind: 'NO_OBJECT_SEND', ...of, serial: 4, reason: 'lost' },
  { kind: 'INVALIDATION_ACK', ...of, holder: 3, copy: 9 },
  { kind: 'REQ_KDDM_SET_LOOKUP', operation: 4, namespace: 0, name: 'a set' },
];

test('envelopes, what the membership says, and confirmations come as they were sent', () => {
  for (const message of small) {
    const envelope: Envelope = { epoch: 3, received: 2, message };
    const [{ body } = assert.fail(), ...others] = bodiesOf(envelope);
    assert.deepEqual([carried(body), others], [{ kind: 'envelope', envelope }, []]);
  }
  assert.deepEqual(carried({ kind: 'left', epoch: 4 }), { kind: 'left', epoch: 4 });
  assert.deepEqual(fromWire(toWire(HEADER)), { ...HEADER, body: undefined });
});

test('what is too large for a frame comes in pieces', () => {
  const content = Buffer.alloc(3 * 2 ** 20 + 5, 'content');
  const message: Message = { kind: 'OBJECT_SYNC', ...of, operation: 1, content };
  const pieces = new Pieces();
  const bodies = bodiesOf({ epoch: 3, received: 2, message });
  assert.ok(bodies.length > 3 && bodies.every(({ sizeBytes }) => sizeBytes <= 2 ** 20));
  const results = bodies.map(({ body }) => {
    const arrived = carried(body);
    return arrived?.kind === 'piece' ? pieces.add(arrived.bytes, arrived.isLast, 2) : assert.fail();
  });
  assert.deepEqual(results.filter((envelope) => envelope !== undefined).length, 1);
  const { message: whole } = results.at(-1) ?? assert.fail();
  assert.ok(whole.kind === 'OBJECT_SYNC' && Buffer.compare(whole.content, content) === 0);
});

test('what a peer sends is parsed', () => {
  const wrong = [
    [],
    [1, 2, 3],
    [1, 2, 3, -4],
    [1, 2, 3, 4, 'NO_SUCH_KIND', 1, 2],
    [1, 2, 3, 4, 'REMOVE_ACK', 1, 2],
    [1, 2, 3, 4, 'left', 'x'],
  ];
  for (const wire of wrong) assert.throws(() => fromWire(wireSchema.parse(wire)), Error, JSON.stringify(wire));
});
