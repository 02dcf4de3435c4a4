/** Faults of machines, daemons and wires: made at their time, and ended. */
import type { NodeId } from '../src/kddm/index.ts';
import type { Machines } from './machines.ts';
import type { Random } from './random.ts';

/** Times in milliseconds. */
export type MachineFault = { readonly atMs: number; readonly node: NodeId; readonly forMs: number } & (
  | {
      readonly kind:
        | /** The daemon is killed, and started again; its machine and its processes live. */ 'kill'
        | /** The machine is off; then it has nothing but its disk. */ 'power-off'
        | /** The daemon stands still. */ 'pause'
        | /** All of them do, as when the machine under all of them sleeps. */ 'pause-all'
        | /** All wires of the machine are cut. */ 'isolate';
    }
  /** One wire. */
  | { readonly kind: 'cut'; readonly other: NodeId }
  /** The nodes up to this one, and all others. */
  | { readonly kind: 'split' }
);

export interface MachineFaultsHost {
  /** A daemon is to start. */
  boot(node: NodeId): void;
  /** Of a daemon that was up. `isMachine`: with all that ran there. */
  ended(node: NodeId, isMachine: boolean): void;
}

export class MachineFaults {
  readonly #machines: Machines;
  readonly #host: MachineFaultsHost;
  /** Of those that have ended, and of those that are under way, when the last one began or ended. */
  lastChangeMs = 0;
  /** Those that are not over. */
  pending = 0;

  constructor(machines: Machines, host: MachineFaultsHost) {
    this.#machines = machines;
    this.#host = host;
  }

  /** Nothing is done to a daemon that is down, or stopped. @returns whether it was done */
  begin(fault: MachineFault): boolean {
    const machines = this.#machines;
    const { node, forMs, kind } = fault;
    if (machines.daemon(node)?.isPaused !== false) return false;
    machines.trace(() => `FAULT ${JSON.stringify(fault)}`);
    this.pending++;
    this.lastChangeMs = machines.nowMs;
    const end = this.#do(fault);
    machines.after(forMs, () => {
      machines.trace(() => `${kind} of ${node} is over`);
      this.pending--;
      this.lastChangeMs = machines.nowMs;
      end();
    });
    return true;
  }

  /** @returns what ends it */
  #do(fault: MachineFault): () => void {
    const machines = this.#machines;
    const { node } = fault;
    const others = [...machines.known].filter((other) => other !== node);
    switch (fault.kind) {
      case 'kill':
        machines.kill(node);
        this.#host.ended(node, false);
        return () => this.#host.boot(node);
      case 'power-off':
        machines.powerOff(node);
        this.#host.ended(node, true);
        return () => this.#host.boot(node);
      case 'pause':
        machines.pause(node);
        return () => machines.resume(node);
      case 'pause-all': {
        const paused = machines.daemons().filter(({ isPaused }) => !isPaused);
        for (const { id } of paused) machines.pause(id);
        return () => {
          for (const { id } of paused) machines.resume(id);
        };
      }
      case 'isolate':
        return this.#cut(others.map((other) => [node, other] as const));
      case 'cut':
        return node === fault.other ? () => undefined : this.#cut([[node, fault.other]]);
      case 'split': {
        const side = [node, ...others].filter((one) => one <= node);
        const rest = others.filter((other) => other > node);
        return this.#cut(side.flatMap((one) => rest.map((other) => [one, other] as const)));
      }
    }
  }

  #cut(wires: readonly (readonly [NodeId, NodeId])[]): () => void {
    for (const [a, b] of wires) this.#machines.links.cut(a, b);
    return () => {
      for (const [a, b] of wires) this.#machines.links.heal(a, b);
    };
  }
}

const KINDS = ['kill', 'power-off', 'power-off', 'pause', 'pause', 'isolate', 'cut', 'cut', 'split', 'pause-all'] as const;

/** Of any length, at any time. */
export function createMachineFault(random: Random, nodes: number, durationMs: number): MachineFault {
  const node = random.between(1, nodes);
  const atMs = random.between(100, durationMs);
  const forMs = random.chance(0.4) ? random.between(5, 800) : random.between(800, random.chance(0.2) ? 12_000 : 4000);
  const kind = random.pick(KINDS);
  return kind === 'cut' ? { kind, atMs, node, other: (node % nodes) + 1, forMs } : { kind, atMs, node, forMs };
}
