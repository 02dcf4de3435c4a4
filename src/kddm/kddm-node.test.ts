import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type KddmEvent,
  KddmNode,
  memoryLinker,
  type ObjectOperation,
  parseEnvelope,
  type Result,
  type SetOperation,
  type SetRecord,
} from './index.ts';

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

type WithoutAddress<Each> = Each extends unknown ? Omit<Each, 'id' | 'namespace'> : never;
type Untagged = WithoutAddress<ObjectOperation> | WithoutAddress<SetOperation>;

/** Nodes whose messages arrive at once, in order. */
class Cluster {
  readonly nodes: KddmNode[];
  readonly #queue: { to: number; event: KddmEvent }[] = [];
  readonly #results = new Map<number, Result>();
  readonly sent: string[] = [];
  #id = 0;
  #now = 0;

  constructor(size: number, record: SetRecord = RECORD) {
    const members = Array.from({ length: size }, (_, index) => index + 1);
    this.nodes = members.map((self) => new KddmNode({ self, linkers: [memoryLinker(4)] }));
    for (const to of members) {
      this.#queue.push({ to, event: { kind: 'lease', until: Number.POSITIVE_INFINITY } });
      this.#queue.push({ to, event: { kind: 'reconfigure', epoch: 1, members, dead: [], leaving: [] } });
    }
    this.#run();
    const id = ++this.#id;
    this.#step(1, { kind: 'operation', operation: { id, kind: 'create-set', namespace: 0, record } });
    this.sent.length = 0;
  }

  #step(to: number, event: KddmEvent): void {
    this.#queue.push({ to, event });
    this.#run();
  }

  #run(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { to, event } = next;
      for (const effect of this.nodes[to - 1]?.step(event, this.#now) ?? []) {
        if (effect.kind === 'changed') this.changes.push({ node: to, objects: effect.objects });
        if (effect.kind === 'complete') this.#results.set(effect.operation, effect.result);
        if (effect.kind !== 'send') continue;
        this.sent.push(effect.envelope.message.kind);
        this.#queue.push({ to: effect.to, event: { kind: 'message', from: to, envelope: parseEnvelope(effect.envelope) } });
      }
    }
  }

  /** What nodes were told of changes. */
  readonly changes: { readonly node: number; readonly objects: readonly number[] }[] = [];

  operate(node: number, operation: Untagged): Result | undefined {
    const id = ++this.#id;
    this.#step(node, { kind: 'operation', operation: { ...operation, id, namespace: 0 } as ObjectOperation | SetOperation });
    return this.#results.get(id);
  }

  tick(now: number): void {
    this.#now = now;
    for (const { self } of this.nodes) this.#step(self, { kind: 'tick' });
  }

  /** All go on to another epoch. */
  reconfigure(epoch: number): void {
    const members = this.nodes.map(({ self }) => self);
    for (const to of members) this.#queue.push({ to, event: { kind: 'reconfigure', epoch, members, dead: [], leaving: [] } });
    this.#run();
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

function write(cluster: Cluster, node: number, object: number): void {
  assert.equal(cluster.operate(node, { kind: 'grab', set: 10, object })?.kind, 'done');
  assert.equal(cluster.operate(node, { kind: 'put', set: 10, object, hold: 'grab', content: new Uint8Array(4) })?.kind, 'done');
}

test('who watches hears of writes and removals anywhere, also after a reconfiguration', () => {
  const cluster = new Cluster(3);
  cluster.get(1, 1);
  cluster.get(3, 1);
  assert.equal(cluster.operate(3, { kind: 'watch', set: 10 })?.kind, 'done');
  write(cluster, 2, 7);
  cluster.tick(1);
  assert.deepEqual(new Set(cluster.changes.flatMap(({ objects }) => objects)), new Set([7]));
  cluster.reconfigure(2);
  assert.deepEqual(cluster.changes.at(-1), { node: 3, objects: [] });
  cluster.tick(2);
  cluster.operate(1, { kind: 'remove', set: 10, object: 7 });
  assert.deepEqual(cluster.changes.at(-1), { node: 3, objects: [7] });
});

test('a set is evicted as a whole: copies go, last copies go where they are sent, what is held stays', () => {
  const cluster = new Cluster(3);
  for (const object of [1, 2, 3]) write(cluster, 2, object);
  assert.equal(cluster.operate(2, { kind: 'get', set: 10, object: 3 })?.kind, 'done');
  assert.deepEqual(cluster.operate(2, { kind: 'flush-set', set: 10, destination: () => 3 }), { kind: 'done', content: 1 });
  const states = (node: number): [number, string][] =>
    [...(cluster.nodes[node - 1]?.set(0, 10)?.entries.values() ?? [])].map(({ object, state }) => [object, state]);
  assert.deepEqual(
    states(3).filter(([, state]) => state === 'WRITE_GHOST'),
    [
      [1, 'WRITE_GHOST'],
      [2, 'WRITE_GHOST'],
    ],
  );
});

test('an object lives as long as it is written, or received', () => {
  const cluster = new Cluster(2, { ...RECORD, timeToLive: 100 });
  write(cluster, 2, 7);
  cluster.tick(99);
  write(cluster, 2, 7);
  cluster.tick(198);
  assert.equal(cluster.operate(2, { kind: 'find', set: 10, object: 7, noLock: true })?.kind, 'done');
  cluster.tick(199);
  assert.equal(cluster.operate(2, { kind: 'get', set: 10, object: 7, noFirstTouch: true })?.kind, 'absent');
});

test('a set that was destroyed is not made again', () => {
  const cluster = new Cluster(3);
  cluster.get(2, 1);
  assert.equal(cluster.operate(3, { kind: 'destroy-set', set: 10 })?.kind, 'done');
  assert.deepEqual(cluster.get(2, 1), { kind: 'failed', code: 'no-entry' });
  assert.equal(cluster.operate(2, { kind: 'create-set', record: RECORD })?.kind, 'absent');
  cluster.reconfigure(2);
  assert.equal(cluster.operate(2, { kind: 'find-set', set: 10 })?.kind, 'absent');
});

test('objects that move most are known', () => {
  const cluster = new Cluster(2);
  for (let round = 0; round < 5; round++) for (const node of [1, 2]) write(cluster, node, 7);
  write(cluster, 1, 8);
  write(cluster, 2, 8);
  const [hottest] = cluster.nodes[0]?.statistics.moved.top(1) ?? [];
  assert.equal(hottest?.object, 7);
  assert.ok((hottest?.count ?? 0) >= 4);
});

test('reports of many objects travel in parts', () => {
  const cluster = new Cluster(2);
  for (let object = 0; object < 4500; object++) cluster.get(2, object);
  cluster.sent.length = 0;
  cluster.reconfigure(2);
  assert.equal(cluster.sent.filter((kind) => kind === 'KDDM_COPYSET').length, 4, 'three parts to one node, one to the other');
  assert.equal(cluster.get(1, 4499)?.kind, 'done');
});
