import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KddmEvent, KddmNode, memoryLinker, parseEnvelope, type Result, type SetRecord } from './index.ts';

const RECORD: SetRecord = {
  namespace: 0,
  set: 10,
  linker: 'memory',
  policy: { kind: 'fixed', node: 1 },
  isExclusive: false,
  isFirstTouchLinked: false,
  replicas: 0,
  unknownAfterCrash: 'lost',
};

/** Nodes whose messages arrive at once, in order. */
class Cluster {
  readonly nodes: KddmNode[];
  readonly #queue: { to: number; event: KddmEvent }[] = [];
  readonly #results = new Map<number, Result>();
  readonly sent: string[] = [];
  #id = 0;

  constructor(size: number) {
    const members = Array.from({ length: size }, (_, index) => index + 1);
    this.nodes = members.map((self) => new KddmNode({ self, linkers: [memoryLinker(4)] }));
    for (const to of members) {
      this.#queue.push({ to, event: { kind: 'lease', until: Number.POSITIVE_INFINITY } });
      this.#queue.push({ to, event: { kind: 'reconfigure', epoch: 1, members, dead: [], leaving: [] } });
    }
    this.#run();
    const id = ++this.#id;
    this.#step(1, { kind: 'operation', operation: { id, kind: 'create-set', namespace: 0, record: RECORD } });
    this.sent.length = 0;
  }

  #step(to: number, event: KddmEvent): void {
    this.#queue.push({ to, event });
    this.#run();
  }

  #run(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { to, event } = next;
      for (const effect of this.nodes[to - 1]?.step(event, 0) ?? []) {
        if (effect.kind === 'complete') this.#results.set(effect.operation, effect.result);
        if (effect.kind !== 'send') continue;
        this.sent.push(effect.envelope.message.kind);
        this.#queue.push({ to: effect.to, event: { kind: 'message', from: to, envelope: parseEnvelope(effect.envelope) } });
      }
    }
  }

  get(node: number, object: number): Result | undefined {
    const id = ++this.#id;
    this.#step(node, { kind: 'operation', operation: { id, kind: 'get', namespace: 0, set: 10, object } });
    return this.#results.get(id);
  }
}

test('a first touch at the home needs no message, a copy needs two, a hit none', () => {
  const cluster = new Cluster(3);
  assert.equal(cluster.get(1, 7)?.kind, 'done');
  assert.deepEqual(cluster.sent, []);
  assert.equal(cluster.get(2, 7)?.kind, 'done');
  assert.deepEqual(cluster.sent, ['REQ_OBJECT_COPY', 'OBJECT_SEND']);
  cluster.sent.length = 0;
  assert.equal(cluster.get(2, 7)?.kind, 'done');
  assert.deepEqual(cluster.sent, []);
});

test('the short path of a hit freezes and unfreezes, and refuses where it would have to wait', () => {
  const cluster = new Cluster(2);
  cluster.get(1, 7);
  const [node] = cluster.nodes;
  const set = node?.set(0, 10);
  assert.ok(node && set);
  assert.ok(node.getNow(set, 7, 0) instanceof Uint8Array);
  assert.equal(set.entries.get(7)?.frozen, 2);
  assert.ok(node.putNow(set, 7, 0));
  assert.equal(node.getNow(set, 8, 0), undefined);
  assert.equal(node.getNow(set, 7, Number.POSITIVE_INFINITY), undefined, 'the lease has run out');
});

test('what a peer sends is parsed', () => {
  const message = { kind: 'REMOVE_ACK', namespace: 0, set: 10, object: 7, serial: 1 };
  assert.deepEqual(parseEnvelope({ epoch: 1, received: 0, message }).message, message);
  assert.throws(() => parseEnvelope({ epoch: 1, received: 0, message: { ...message, object: -1 } }), { code: 'KRG_PEER_PROTOCOL' });
  assert.throws(() => parseEnvelope({ epoch: 1, received: 0, message: { ...message, kind: 'REMOVE' } }), { code: 'KRG_PEER_PROTOCOL' });
});
