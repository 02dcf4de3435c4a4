/** What a node knows of the past of the membership, as far as it matters to the next reconfiguration. */
import type { NodeId } from '../rpc/index.ts';
import type { Change } from './events.ts';
import type { Past } from './messages.ts';
import type { Doubt } from './sets.ts';

/** Or a departure: backups went with it as well. */
interface Death {
  readonly node: NodeId;
  /** The one that began with it. */
  readonly epoch: number;
}

/** Under these members, the homes of some objects died. */
interface DeadHomes {
  readonly members: readonly NodeId[];
  readonly dead: readonly NodeId[];
  readonly epoch: number;
}

export interface History {
  /** The members of the last reconfiguration in which this node took part to the end, and of those since in which it has carried out all decisions: somebody may have gone on with that. */
  decided: (readonly NodeId[])[];
  /** Those under which homes may have answered: of that one, and of those that were broken off since. */
  views: (readonly NodeId[])[];
  /** Of which not all members are known to have recovered: their backups are not all made. */
  deaths: Death[];
  deadHomes: DeadHomes[];
  /** The last epoch whose decisions are known to have been carried out everywhere. */
  completed: number;
  /** The last epoch in which all are known to have recovered. */
  settled: number;
}

/** What follows from what all members know. */
export interface Conclusions {
  /** Deaths from which the replicas may not have recovered. */
  readonly deaths: number;
  /** Homes that died, and others have not yet taken their place. */
  readonly deadHomes: readonly DeadHomes[];
  readonly doubts: readonly Doubt[];
}

/** Doubts that are kept; beyond that the oldest become one that doubts everything. */
const MOST_DOUBTS = 256;

export function createHistory(): History {
  return { decided: [], views: [], deaths: [], deadHomes: [], completed: 0, settled: 0 };
}

/** An epoch begins. */
export function noteDeaths(history: History, { dead, leaving, epoch }: Change): void {
  history.deaths.push(...[...dead, ...leaving].map((node) => ({ node, epoch })));
  for (const members of history.views) {
    const those = dead.filter((node) => members.includes(node));
    if (those.length > 0) history.deadHomes.push({ members, dead: those, epoch });
  }
}

/** All have recovered from what happened up to this epoch. */
export function settle(history: History, epoch: number): void {
  history.settled = Math.max(history.settled, epoch);
  history.deaths = history.deaths.filter((death) => death.epoch > history.settled);
  history.deadHomes = history.deadHomes.filter((homes) => homes.epoch > history.settled);
}

/** All have carried out the decisions of this epoch. */
export function complete(history: History, epoch: number, members: readonly NodeId[]): void {
  history.completed = epoch;
  history.decided = [members];
  history.views = [members];
}

/** As it is reported. */
export function pastOf(history: History, doubts: readonly Doubt[]): Past {
  const { deaths, deadHomes, completed, settled } = history;
  return {
    completed,
    settled,
    deaths: deaths.map((death) => ({ ...death })),
    deadHomes: deadHomes.map(({ members, dead, epoch }) => ({ members: [...members], dead: [...dead], epoch })),
    doubts: doubts.map(({ members, dead, ...doubt }) => ({ members: [...members], dead: [...dead], ...doubt })),
  };
}

/** @param leaving who leaves, and has reported its backups */
export function conclude(pasts: readonly Past[], leaving: readonly NodeId[]): Conclusions {
  const settled = Math.max(...pasts.map((past) => past.settled));
  const completed = Math.max(...pasts.map((past) => past.completed));
  const isUnsettled = ({ epoch }: { readonly epoch: number }): boolean => epoch > settled;
  const deaths = new Set(
    pasts.flatMap((past) => past.deaths.filter(isUnsettled).map(({ node }) => node)).filter((node) => !leaving.includes(node)),
  ).size;
  // Of what a completed reconfiguration has found nothing, there was nothing.
  const deadHomes = pasts.flatMap((past) => past.deadHomes.filter(({ epoch }) => epoch > Math.max(settled, completed)));
  const all: Doubt[] = [
    ...pasts.flatMap((past) => past.doubts),
    ...deadHomes.map(({ members, dead, epoch }) => ({ members, dead, deaths, epoch })),
  ];
  // Of those that differ in their epochs alone the latest says it all.
  const inOrder = all.toSorted((one, other) => one.epoch - other.epoch);
  const distinct = [...new Map(inOrder.map((doubt) => [JSON.stringify({ ...doubt, epoch: 0 }), doubt])).values()];
  return { deaths, deadHomes, doubts: limit(distinct) };
}

function limit(doubts: Doubt[]): Doubt[] {
  if (doubts.length <= MOST_DOUBTS) return doubts;
  const dead = [...new Set(doubts.flatMap((doubt) => doubt.dead))];
  const epoch = Math.max(...doubts.map((doubt) => doubt.epoch));
  return [{ members: [], dead, deaths: dead.length, epoch }, ...doubts.slice(1 - MOST_DOUBTS)];
}
