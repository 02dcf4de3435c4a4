/** What the object manager costs with so many nodes. */
import { type NodeId } from '../../src/kddm/index.ts';
import { Random } from '../random.ts';
import { ObjectNetwork } from './object-network.ts';

const SET = 40;

export interface ObjectCosts {
  readonly nodes: number;
  readonly objects: number;
  /** Per operation. `read`: from another node, of an object that was just written; `write`: of one that two other nodes can read. */
  readonly read: Cost;
  readonly write: Cost;
  /** When a node has died, in all. */
  readonly reconfiguration: Cost & { readonly milliseconds: number; readonly processorMilliseconds: number };
}

export interface Cost {
  readonly messages: number;
  readonly bytes: number;
}

/** @param operations of each kind that are counted */
export function measureObjects(nodes: number, objects: number, operations: number): ObjectCosts {
  const network = new ObjectNetwork(nodes);
  const random = new Random(1, 'scale', nodes);
  const members = [...network.nodes.keys()];
  network.reconfigure(1, members, []);
  network.run();
  const record = {
    namespace: 0,
    set: SET,
    linker: 'bytes',
    policy: { kind: 'round-robin' as const },
    isExclusive: false,
    isFirstTouchLinked: false,
    replicas: 0,
    unknownAfterCrash: 'lost' as const,
  };
  network.operate(1, { kind: 'create-set', record });
  network.run();
  const write = (node: NodeId, object: number): void => {
    const content = new Uint8Array(4);
    network.operate(node, { kind: 'grab', set: SET, object }, () =>
      network.operate(node, { kind: 'put', set: SET, object, hold: 'grab', content }),
    );
  };
  const read = (node: NodeId, object: number): void => {
    network.operate(node, { kind: 'get', set: SET, object }, () => network.operate(node, { kind: 'put', set: SET, object, hold: 'get' }));
  };
  // Each object is made by some node.
  for (let object = 1; object <= objects; object++) {
    write(random.pick(members), object);
    if (object % 1000 === 0) network.run();
  }
  network.run();
  /** Nodes that share an object: always the same few, as many as there are. */
  const sharers = (object: number): NodeId[] => [1, 2, 3, 4].map((n) => members[(object * 7919 + n * 3) % nodes] ?? 1);
  const costOf = (count: number, run: () => void): Cost => {
    const before = { messages: network.messages, bytes: network.bytes };
    run();
    return { messages: (network.messages - before.messages) / count, bytes: (network.bytes - before.bytes) / count };
  };
  let reads: Cost = { messages: 0, bytes: 0 };
  let writes: Cost = { messages: 0, bytes: 0 };
  for (let n = 0; n < operations; n++) {
    const object = random.between(1, objects);
    const [writer = 1, ...readers] = sharers(object).toSorted(() => random.next() - 0.5);
    const wrote = costOf(operations, () => {
      write(writer, object);
      network.run();
    });
    const [first = 1, second = 1] = readers;
    const hasRead = costOf(2 * operations, () => {
      for (const reader of [first, second]) {
        read(reader, object);
        network.run();
      }
    });
    writes = { messages: writes.messages + wrote.messages, bytes: writes.bytes + wrote.bytes };
    reads = { messages: reads.messages + hasRead.messages, bytes: reads.bytes + hasRead.bytes };
  }
  const survivors = members.slice(0, -1);
  const [startedMs, startedCpu] = [network.nowMs, process.cpuUsage()];
  network.nodes.delete(nodes);
  const reconfiguration = costOf(1, () => {
    network.reconfigure(2, survivors, [nodes]);
    network.run();
  });
  const milliseconds = Math.max(...survivors.map((node) => network.resumedMs.get(node) ?? Infinity)) - startedMs;
  return {
    nodes,
    objects,
    read: reads,
    write: writes,
    reconfiguration: { ...reconfiguration, milliseconds, processorMilliseconds: process.cpuUsage(startedCpu).user / 1000 },
  };
}
