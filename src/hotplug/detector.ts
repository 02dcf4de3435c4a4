/**
 * Who is still there: a failure detector with suspicion. Every node says to every other, again and again, that it lives and of whom it has not heard for a
 * while. Who is not heard of by this node and is suspected by a majority is taken for dead: one bad link is no death. Pure: time comes with each event.
 *
 * There are two signs of life: what a daemon says, and that the port of its node is open, which pid 1 of the container holds. A node whose daemon has ended
 * while its container lives gets time to start it again, because its processes go on; one whose container has gone, or that hears and does not answer, gets none. A
 * node that knows that it gets no processor at times says so, and is given more time as well.
 *
 * Rules: a node whose own clock jumped, because it was stopped or had no processor, has heard nobody for that reason alone: the time counts for nobody.
 * Who hears of less than a majority, itself included, may not change anything that is shared.
 */
import type { NodeId } from '../rpc/index.ts';
import { majority } from './register.ts';

/** Milliseconds. */
export const DETECTION = {
  /** Between two signs of life. */
  interval: 200,
  /** Silence after which a node is suspected. */
  suspicion: 600,
  /** Silence after which a node that a majority suspects is dead. */
  death: 1500,
  /** The same for a node whose port is open: its daemon has ended and is being started again, and its processes go on. */
  restart: 20_000,
  /** For so long an open port counts: longer than it takes to give up a connection that nobody answers (RpcLimits.connectMs), and to try again. */
  openPort: 4000,
  /** A tick that comes so much later than it should tells that this node stood still. */
  stall: 150,
  /** Silence after which a node is dead that has said that it is slow, unless its port is closed. */
  deathOfSlow: 6000,
  /** A node that stood still says for so many times as long that it is slow, within these bounds. */
  slow: { times: 10, least: 5000, most: 60_000 },
} as const;

/** What each node says to each other. */
export interface SignOfLife {
  readonly suspects: readonly NodeId[];
  /** It gets no processor at times, as when it has just begun on a machine that is busy. */
  readonly isSlow: boolean;
}

interface Peer {
  readonly heardAt: number;
  /** What the last attempt to connect to it has found since it was heard. */
  readonly port: { readonly isOpen: boolean; readonly at: number } | undefined;
  readonly isSlow: boolean;
  readonly suspects: readonly NodeId[];
}

export interface Detector {
  readonly self: NodeId;
  /** All that take part but this node. */
  readonly peers: ReadonlyMap<NodeId, Peer>;
  readonly tickedAt: number;
  /** Until then this node is slow. */
  readonly slowUntil: number;
  readonly dead: ReadonlySet<NodeId>;
  readonly hasMajority: boolean;
  /** See {@link DETECTION.restart}. */
  readonly restart: number;
}

export type DetectorEvent =
  /** Every {@link DETECTION.interval}. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'heard'; readonly from: NodeId; readonly sign: SignOfLife }
  /** This node has tried to connect to it. */
  | { readonly kind: 'port'; readonly of: NodeId; readonly isOpen: boolean }
  | { readonly kind: 'members'; readonly members: readonly NodeId[] };

export type DetectorEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly sign: SignOfLife }
  | { readonly kind: 'dead'; readonly node: NodeId }
  | { readonly kind: 'majority'; readonly has: boolean };

export interface DetectorStep {
  readonly detector: Detector;
  readonly effects: readonly DetectorEffect[];
}

/** @param now milliseconds of a clock that never goes back */
export function createDetector(self: NodeId, members: readonly NodeId[], now: number, restart: number = DETECTION.restart): Detector {
  const peers = new Map(
    members.filter((node) => node !== self).map((node) => [node, { heardAt: now, port: undefined, isSlow: true, suspects: [] }]),
  );
  return { self, peers, tickedAt: now, slowUntil: now, dead: new Set(), hasMajority: true, restart };
}

export function stepDetector(detector: Detector, event: DetectorEvent, now: number): DetectorStep {
  switch (event.kind) {
    case 'heard': {
      if (!detector.peers.has(event.from)) return { detector, effects: [] };
      const peers = new Map(detector.peers).set(event.from, { heardAt: now, port: undefined, ...event.sign });
      return { detector: { ...detector, peers }, effects: [] };
    }
    case 'port': {
      const peer = detector.peers.get(event.of);
      if (peer === undefined) return { detector, effects: [] };
      const peers = new Map(detector.peers).set(event.of, { ...peer, port: { isOpen: event.isOpen, at: now } });
      return { detector: { ...detector, peers }, effects: [] };
    }
    case 'members': {
      const fresh = createDetector(detector.self, event.members, now, detector.restart);
      const peers = new Map([...fresh.peers].map(([node, peer]) => [node, detector.peers.get(node) ?? peer]));
      const dead = new Set([...detector.dead].filter((node) => peers.has(node)));
      return { detector: { ...detector, peers, dead }, effects: [] };
    }
    case 'tick':
      return tick(afterStall(detector, now), now);
  }
}

/** As if the time in which this node stood still had not been. What was said before it may be untrue by now. */
function afterStall(detector: Detector, now: number): Detector {
  const late = now - detector.tickedAt - DETECTION.interval;
  if (late < DETECTION.stall) return detector;
  const peers = new Map(
    [...detector.peers].map(([node, peer]) => [
      node,
      {
        ...peer,
        heardAt: Math.min(now, peer.heardAt + late),
        suspects: [],
        port: peer.port && { ...peer.port, at: Math.min(now, peer.port.at + late) },
      },
    ]),
  );
  const { times, least, most } = DETECTION.slow;
  return { ...detector, peers, slowUntil: Math.max(detector.slowUntil, now + Math.min(most, Math.max(least, times * late))) };
}

/** How much longer than others a peer may be silent. */
function grace({ port, isSlow }: Peer, restart: number, now: number): number {
  if (port?.isOpen === true && now - port.at < DETECTION.openPort) return restart - DETECTION.death;
  return isSlow && port?.isOpen !== false ? DETECTION.deathOfSlow - DETECTION.death : 0;
}

function tick(detector: Detector, now: number): DetectorStep {
  const { self, peers } = detector;
  const silence = (node: NodeId): number => now - (peers.get(node)?.heardAt ?? now);
  const members = [self, ...peers.keys()];
  const limit = (node: NodeId, usual: number): number => {
    const peer = peers.get(node);
    return peer === undefined ? usual : usual + grace(peer, detector.restart, now);
  };
  // Nor is one suspected that is being started again: who has not seen its port open would take that for a vote.
  const suspects = [...peers.keys()].filter((node) => silence(node) >= limit(node, DETECTION.suspicion));
  // Who is silent has no say: what it said last may be long untrue.
  const voters = members.filter((node) => silence(node) < DETECTION.suspicion);
  const votes = (node: NodeId): number =>
    voters.filter((voter) => (voter === self ? suspects : (peers.get(voter)?.suspects ?? [])).includes(node)).length;
  const needed = majority(members);
  const dead = new Set(suspects.filter((node) => silence(node) >= limit(node, DETECTION.death) && votes(node) >= needed));
  // One that is being started again may have come back on the other side of a cut.
  const hasMajority = members.filter((node) => silence(node) < DETECTION.death).length >= needed;
  return {
    detector: { ...detector, tickedAt: now, dead, hasMajority },
    effects: [
      ...[...peers.keys()].map((to): DetectorEffect => ({ kind: 'send', to, sign: { suspects, isSlow: now < detector.slowUntil } })),
      ...[...dead].filter((node) => !detector.dead.has(node)).map((node): DetectorEffect => ({ kind: 'dead', node })),
      ...(hasMajority === detector.hasMajority ? [] : [{ kind: 'majority', has: hasMajority } as const]),
    ],
  };
}
