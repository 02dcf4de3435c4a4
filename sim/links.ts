/**
 * Links between daemons as `src/rpc` has them: one for each pair, over TCP, made when it is first needed. Each direction keeps its order. What is sent while the
 * wire is cut comes when it is healed, unless the link was given up before: heartbeats tell, and whoever waits for an answer over it gets an error.
 */
import type { NodeId } from '../src/kddm/index.ts';
import type { Daemon, Machines } from './machines.ts';
import { Random } from './random.ts';

/** Silence after which both ends give a link up: four heartbeats of rpc, and up to one more. Milliseconds. */
const SILENCE_MS = [2000, 2500] as const;
/** How long what needs a link waits for it. */
const CONNECT_MS = 3000;
/** Between two attempts to connect, at most. */
const RECONNECT_MS = 500;

interface Parcel {
  readonly from: Daemon;
  readonly to: NodeId;
  readonly arrive: (receiver: Daemon) => void;
  readonly onLost: (() => void) | undefined;
}

interface Link {
  readonly nodes: readonly [NodeId, NodeId];
  readonly random: Random;
  /** Those that have it; none: it is closed. */
  ends: readonly Daemon[];
  cuts: number;
  /** Counts what may have ended a silence. */
  changes: number;
  readonly lastArrivalMs: Map<NodeId, number>;
  /** While it is open and cut. */
  stalled: Parcel[];
  /** While it is closed. */
  waiting: Parcel[];
  /** Until when each end tries to connect. */
  readonly attempts: Map<Daemon, number>;
  /** Calls that wait for an answer over it. */
  readonly onLost: Map<object, { readonly daemon: Daemon; readonly run: () => void }>;
}

export class Links {
  readonly #machines: Machines;
  readonly #seed: number;
  readonly #links = new Map<number, Link>();
  lost = 0;

  constructor(machines: Machines, seed: number) {
    this.#machines = machines;
    this.#seed = seed;
  }

  #link(a: NodeId, b: NodeId): Link {
    const nodes = a < b ? ([a, b] as const) : ([b, a] as const);
    const key = nodes[0] * 65_536 + nodes[1];
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link: Link = {
      nodes,
      random: new Random(this.#seed, 'link', ...nodes),
      ends: [],
      cuts: 0,
      changes: 0,
      lastArrivalMs: new Map(),
      stalled: [],
      waiting: [],
      attempts: new Map(),
      onLost: new Map(),
    };
    this.#links.set(key, link);
    return link;
  }

  #of(node: NodeId): Link[] {
    return [...this.#links.values()].filter(({ nodes }) => nodes.includes(node));
  }

  /** @param onLost when it is given up before it has arrived */
  send(parcel: Parcel): void {
    const link = this.#link(parcel.from.id, parcel.to);
    if (link.ends.includes(parcel.from)) this.#post(link, parcel);
    else this.#wait(link, parcel);
  }

  /** One of its ends belongs to a daemon that has ended. */
  #isStale({ ends }: Link): boolean {
    return ends.some(({ isUp }) => !isUp);
  }

  /** Runs when the link between the two is lost, unless what it returns is called first. */
  whenLost(daemon: Daemon, peer: NodeId, run: () => void): () => void {
    const { onLost } = this.#link(daemon.id, peer);
    const key = {};
    onLost.set(key, { daemon, run });
    return () => void onLost.delete(key);
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return this.#link(a, b).cuts > 0;
  }

  cut(a: NodeId, b: NodeId): void {
    const link = this.#link(a, b);
    link.cuts++;
    link.changes++;
    this.#giveUpLater(link);
  }

  heal(a: NodeId, b: NodeId): void {
    const link = this.#link(a, b);
    link.cuts--;
    link.changes++;
    if (link.cuts > 0) return;
    if (this.#isStale(link)) this.#close(link);
    for (const parcel of link.stalled.splice(0)) this.#post(link, parcel);
    this.#connectLater(link);
  }

  /** Its machine, or the daemon, does not answer from now on. */
  silent(node: NodeId): void {
    for (const link of this.#of(node)) {
      link.changes++;
      this.#giveUpLater(link);
    }
  }

  reachableAgain(node: NodeId): void {
    for (const link of this.#of(node)) {
      link.changes++;
      this.#connectLater(link);
    }
  }

  /** Its machine closes what it had. */
  daemonEnded(node: NodeId): void {
    for (const link of this.#of(node)) {
      if (link.cuts > 0) this.#giveUpLater(link);
      else this.#close(link);
    }
  }

  /** A machine that knows nothing of the links before. */
  restarted(node: NodeId): void {
    for (const link of this.#of(node)) {
      if (link.cuts === 0) this.#close(link);
      link.changes++;
      this.#giveUpLater(link);
      this.#connectLater(link);
    }
  }

  #giveUpLater(link: Link): void {
    const { changes, ends } = link;
    const [least, most] = SILENCE_MS;
    this.#machines.after(least + link.random.next() * (most - least), () => {
      // Where both stand still nobody notices.
      const isNoticed = ends.some(({ isUp, isPaused }) => isUp && !isPaused);
      if (link.changes === changes && link.ends === ends && isNoticed) this.#close(link);
    });
  }

  #close(link: Link): void {
    const { ends, stalled } = link;
    if (ends.length === 0) return;
    link.ends = [];
    link.stalled = [];
    this.lost += stalled.length;
    link.lastArrivalMs.clear();
    const lost = [
      ...link.onLost.values(),
      ...stalled.flatMap(({ from, onLost }) => (onLost === undefined ? [] : [{ daemon: from, run: onLost }])),
    ];
    link.onLost.clear();
    this.#machines.trace(() => `the link between ${link.nodes.join(' and ')} is lost`);
    for (const daemon of ends) {
      const peer = link.nodes[0] === daemon.id ? link.nodes[1] : link.nodes[0];
      this.#machines.after(link.random.next() * 3, () =>
        daemon.perform(() => {
          for (const { daemon: caller, run } of lost) if (caller === daemon) run();
          daemon.rpc.linkLost(peer);
        }),
      );
    }
  }

  #isReachable({ nodes, cuts }: Link): boolean {
    return cuts === 0 && nodes.every((node) => this.#machines.daemon(node)?.isPaused === false);
  }

  #wait(link: Link, parcel: Parcel): void {
    link.waiting.push(parcel);
    if (this.#isReachable(link)) {
      if (this.#isStale(link)) this.#close(link);
      return this.#connect(link);
    }
    this.#attempt(link, parcel.from);
    this.#machines.after(CONNECT_MS, () => {
      if (!link.waiting.includes(parcel)) return;
      link.waiting = link.waiting.filter((other) => other !== parcel);
      this.lost++;
      if (parcel.onLost !== undefined) parcel.from.perform(parcel.onLost);
    });
  }

  /** Somebody holds the port of a machine that is on, whatever its daemon does. */
  #attempt(link: Link, daemon: Daemon): void {
    if ((link.attempts.get(daemon) ?? 0) > this.#machines.nowMs) return;
    link.attempts.set(daemon, this.#machines.nowMs + CONNECT_MS);
    const peer = link.nodes[0] === daemon.id ? link.nodes[1] : link.nodes[0];
    this.#machines.after(link.random.next() * 3, () => {
      if (link.cuts === 0 && this.#machines.isOn(peer)) daemon.perform(() => daemon.rpc.portAnswers(peer, true));
    });
  }

  isConnected(daemon: Daemon, peer: NodeId): boolean {
    return this.#link(daemon.id, peer).ends.includes(daemon);
  }

  disconnect(a: NodeId, b: NodeId): void {
    this.#close(this.#link(a, b));
  }

  #connectLater(link: Link): void {
    if (link.ends.length > 0 || link.waiting.length === 0) return;
    this.#machines.after(link.random.next() * RECONNECT_MS, () => {
      if (link.ends.length === 0 && this.#isReachable(link)) this.#connect(link);
    });
  }

  #connect(link: Link): void {
    link.ends = link.nodes.flatMap((node) => this.#machines.daemon(node) ?? []);
    link.attempts.clear();
    for (const parcel of link.waiting.splice(0)) if (link.ends.includes(parcel.from)) this.#post(link, parcel);
  }

  #post(link: Link, parcel: Parcel): void {
    const { random, ends } = link;
    if (link.cuts > 0) {
      link.stalled.push(parcel);
      return;
    }
    const delayMs = random.chance(0.05) ? random.next() * 60 : 0.1 + random.next() * 3;
    const arrivalMs = Math.max(link.lastArrivalMs.get(parcel.to) ?? 0, this.#machines.nowMs + delayMs);
    link.lastArrivalMs.set(parcel.to, arrivalMs);
    this.#machines.after(arrivalMs - this.#machines.nowMs, () => {
      const receiver = ends.find(({ id }) => id === parcel.to);
      if (link.ends !== ends || receiver?.isUp !== true) {
        this.lost++;
        if (parcel.onLost !== undefined) parcel.from.perform(parcel.onLost);
      } else if (link.cuts > 0) link.stalled.push(parcel);
      else receiver.perform(() => parcel.arrive(receiver));
    });
  }
}
