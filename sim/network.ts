/** Links between nodes: FIFO each way, with random delays. A cut link loses what is on its way and all that is sent until it heals. */
import type { Envelope, NodeId } from '../src/kddm/index.ts';
import { Random } from './random.ts';

interface Link {
  readonly random: Random;
  /** No later message arrives before. */
  lastArrivalMs: number;
  /** Counts cuts: what was sent before the last one is lost. */
  generation: number;
  /** A link that has lost something carries nothing more of that epoch. */
  afterEpoch: number;
}

/** What it carries belongs to an epoch. */
interface Sent {
  readonly epoch: number;
}

export interface NetworkHost<Carried extends Sent = Envelope> {
  readonly nowMs: number;
  schedule(timeMs: number, run: () => void): void;
  arrive(from: NodeId, to: NodeId, envelope: Carried): void;
}

export class Network<Carried extends Sent = Envelope> {
  readonly #host: NetworkHost<Carried>;
  readonly #seed: number;
  readonly #links = new Map<string, Link>();
  readonly #cuts = new Map<string, number>();
  lost = 0;

  constructor(host: NetworkHost<Carried>, seed: number) {
    this.#host = host;
    this.#seed = seed;
  }

  #link(from: NodeId, to: NodeId): Link {
    const key = `${from}>${to}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = { random: new Random(this.#seed, 'link', from, to), lastArrivalMs: 0, generation: 0, afterEpoch: 0 };
    this.#links.set(key, link);
    return link;
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return (this.#cuts.get(pair(a, b)) ?? 0) > 0;
  }

  cut(a: NodeId, b: NodeId): void {
    this.#cuts.set(pair(a, b), (this.#cuts.get(pair(a, b)) ?? 0) + 1);
    this.#link(a, b).generation++;
    this.#link(b, a).generation++;
  }

  /** @param epoch the one that ends with this */
  heal(a: NodeId, b: NodeId, epoch: number): void {
    for (const link of [this.#link(a, b), this.#link(b, a)]) link.afterEpoch = epoch;
    this.#cuts.set(pair(a, b), (this.#cuts.get(pair(a, b)) ?? 1) - 1);
  }

  send(from: NodeId, to: NodeId, envelope: Carried): void {
    const link = this.#link(from, to);
    const { random } = link;
    const delayMs = random.chance(0.05) ? random.next() * 60 : 0.1 + random.next() * 3;
    if (this.isCut(from, to) || envelope.epoch <= link.afterEpoch) {
      this.lost++;
      return;
    }
    link.lastArrivalMs = Math.max(link.lastArrivalMs, this.#host.nowMs + delayMs);
    const { generation } = link;
    this.#host.schedule(link.lastArrivalMs, () => {
      if (generation === link.generation) this.#host.arrive(from, to, envelope);
      else this.lost++;
    });
  }
}

function pair(a: NodeId, b: NodeId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
