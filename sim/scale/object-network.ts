/** Many object managers and nothing else: every message takes the same time, nothing fails, everything is counted. */
import { type Envelope, KddmNode, type KddmEvent, memoryLinker, type NodeId, type Result } from '../../src/kddm/index.ts';
import { pack } from '../../src/rpc/index.ts';
import { EventQueue } from '../event-queue.ts';

/** From a node to another one. Milliseconds. */
export const LATENCY_MS = 0.1;
/** As long as a run. */
const LEASE_MS = 1e9;
/** The bytes of one message in so many are counted. A prime, so that no rhythm is met. */
const SAMPLED = 7;

export type Operation = Extract<KddmEvent, { kind: 'operation' }>['operation'];
type WithoutId<Each> = Each extends Operation ? Omit<Each, 'id' | 'namespace'> : never;

export class ObjectNetwork {
  readonly nodes = new Map<NodeId, KddmNode>();
  readonly #queue = new EventQueue();
  readonly #results = new Map<number, (result: Result) => void>();
  #operations = 0;
  #lastCounted = 0;
  nowMs = 0;
  messages = 0;
  bytes = 0;
  /** When each node went on in the latest epoch. */
  readonly resumedMs = new Map<NodeId, number>();

  constructor(count: number) {
    const linker = memoryLinker(4, 'bytes');
    for (let id = 1; id <= count; id++) this.nodes.set(id, new KddmNode({ self: id, linkers: [linker] }));
  }

  reconfigure(epoch: number, members: readonly NodeId[], dead: readonly NodeId[]): void {
    for (const id of members) {
      this.#step(id, { kind: 'lease', until: LEASE_MS });
      this.#step(id, { kind: 'reconfigure', epoch, members, dead, leaving: [] });
    }
  }

  operate(id: NodeId, operation: WithoutId<Operation>, then: (result: Result) => void = () => undefined): void {
    const numbered = { ...operation, id: ++this.#operations, namespace: 0 } as Operation;
    this.#results.set(numbered.id, then);
    this.#step(id, { kind: 'operation', operation: numbered });
  }

  /** Until nothing is on its way. */
  run(): void {
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      this.nowMs = event.timeMs;
      event.run();
    }
  }

  #step(id: NodeId, event: KddmEvent): void {
    const node = this.nodes.get(id);
    for (const effect of node?.step(event, this.nowMs) ?? []) {
      if (effect.kind === 'send') this.#send(id, effect.to, effect.envelope);
      else if (effect.kind === 'reconfigured') this.resumedMs.set(id, this.nowMs);
      else if (effect.kind === 'complete') {
        const then = this.#results.get(effect.operation);
        this.#results.delete(effect.operation);
        then?.(effect.result);
      }
    }
  }

  #send(from: NodeId, to: NodeId, envelope: Envelope): void {
    this.messages++;
    if (++this.#lastCounted % SAMPLED === 0) this.bytes += SAMPLED * pack(envelope).length;
    this.#queue.push(this.nowMs + LATENCY_MS, () => this.#step(to, { kind: 'message', from, envelope }));
  }
}
