/**
 * Machines, the daemons on them and the links between them, for protocols that run as their shells are: with promises, timers and calls. A daemon can be
 * killed (its machine closes its links), stopped for a while (what comes meanwhile waits), or go with its machine (nobody is told). One event at a time, in the
 * order of a seeded queue; after each, all promises have run that can.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { NodeId } from '../src/kddm/index.ts';
import type { Clock } from '../src/hotplug/index.ts';
import { EventQueue } from './event-queue.ts';
import { Links } from './links.ts';
import { Random } from './random.ts';
import { SimulatedRpc } from './simulated-rpc.ts';

export interface MachinesOptions {
  readonly seed: number;
  readonly trace?: ((line: string) => void) | undefined;
  readonly traceFromMs?: number;
  /** Gets every message that leaves a daemon for another one. */
  readonly onMessage?: (name: string, message: unknown) => void;
  /** Gets every notice that is handled. */
  readonly onArrival?: (name: string, from: NodeId, to: NodeId) => void;
}

interface Waiting {
  readonly isTimer: boolean;
  readonly run: () => void;
}

/** One life of a daemon. */
export class Daemon {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly rpc: SimulatedRpc;
  readonly #machines: Machines;
  readonly #offsetMs: number;
  readonly #inbox: Waiting[] = [];
  isUp = true;
  isPaused = false;

  constructor(machines: Machines, id: NodeId, life: number) {
    this.id = id;
    this.#machines = machines;
    this.random = new Random(machines.seed, 'daemon', id, life);
    this.#offsetMs = Math.floor(this.random.next() * 1e6);
    this.rpc = new SimulatedRpc(this, machines);
    this.clock = {
      now: () => machines.nowMs + this.#offsetMs,
      delay: (milliseconds) =>
        new Promise((resolve) => {
          this.after(milliseconds, resolve);
        }),
      every: (milliseconds, run) => this.#every(milliseconds, run),
    };
  }

  /** As soon as it is not stopped; never when it has ended. */
  perform(run: () => void, isTimer = false): void {
    if (!this.isUp) return;
    if (this.isPaused) this.#inbox.push({ isTimer, run });
    else run();
  }

  after(delayMs: number, run: () => void): void {
    this.#machines.after(delayMs, () => this.perform(run, true));
  }

  #every(milliseconds: number, run: () => void): () => void {
    let isOver = false;
    const next = (): void => {
      this.after(milliseconds, () => {
        if (isOver) return;
        run();
        next();
      });
    };
    next();
    return () => {
      isOver = true;
    };
  }

  resume(): void {
    this.isPaused = false;
    const waiting = this.#inbox.splice(0);
    // An event loop may come to its timers first.
    const areTimersFirst = this.random.chance(0.5);
    const ordered = areTimersFirst ? [...waiting.filter(({ isTimer }) => isTimer), ...waiting.filter(({ isTimer }) => !isTimer)] : waiting;
    for (const { run } of ordered) this.perform(run);
  }
}

export class Machines {
  readonly seed: number;
  readonly links: Links;
  readonly random: Random;
  readonly #options: MachinesOptions;
  readonly #queue = new EventQueue();
  readonly #daemons = new Map<NodeId, Daemon>();
  /** All that nodes know of. */
  readonly known = new Set<NodeId>();
  readonly #off = new Set<NodeId>();
  readonly #traceFromMs: number;
  #lives = 0;
  nowMs = 0;

  constructor(options: MachinesOptions) {
    this.seed = options.seed;
    this.#options = options;
    this.#traceFromMs = options.traceFromMs ?? 0;
    this.random = new Random(options.seed, 'machines');
    this.links = new Links(this, options.seed);
  }

  /** Runs until nothing is left to happen, or it is over. */
  async run(isOver: () => boolean): Promise<void> {
    for (let event = this.#queue.pop(); event !== undefined; event = this.#queue.pop()) {
      this.nowMs = event.timeMs;
      event.run();
      await turn();
      if (isOver()) return;
    }
  }

  after(delayMs: number, run: () => void): void {
    this.#queue.push(this.nowMs + delayMs, run);
  }

  trace(line: () => string): void {
    if (this.nowMs >= this.#traceFromMs) this.#options.trace?.(`${this.nowMs.toFixed(1).padStart(8)} ${line()}`);
  }

  noteMessage(name: string, message: unknown): void {
    this.#options.onMessage?.(name, message);
  }

  noteArrival(name: string, from: NodeId, to: NodeId): void {
    this.#options.onArrival?.(name, from, to);
  }

  /** The one that is up there, stopped or not. */
  daemon(id: NodeId): Daemon | undefined {
    return this.#daemons.get(id);
  }

  daemons(): Daemon[] {
    return [...this.#daemons.values()].toSorted((one, other) => one.id - other.id);
  }

  start(id: NodeId): Daemon {
    this.known.add(id);
    this.#off.delete(id);
    const daemon = new Daemon(this, id, ++this.#lives);
    this.#daemons.set(id, daemon);
    this.trace(() => `daemon ${id} starts`);
    this.links.restarted(id);
    return daemon;
  }

  /** The daemon is killed; its machine says so to all. */
  kill(id: NodeId): void {
    this.#end(id);
    this.links.daemonEnded(id);
  }

  /** The machine is off. */
  powerOff(id: NodeId): void {
    this.#end(id);
    this.#off.add(id);
    this.links.silent(id);
  }

  #end(id: NodeId): void {
    const daemon = this.#daemons.get(id);
    if (daemon === undefined) return;
    daemon.isUp = false;
    this.#daemons.delete(id);
  }

  isOn(id: NodeId): boolean {
    return this.known.has(id) && !this.#off.has(id);
  }

  pause(id: NodeId): void {
    const daemon = this.#daemons.get(id);
    if (daemon === undefined) return;
    daemon.isPaused = true;
    this.links.silent(id);
  }

  resume(id: NodeId): void {
    const daemon = this.#daemons.get(id);
    if (daemon?.isPaused !== true) return;
    daemon.resume();
    this.links.reachableAgain(id);
  }
}
