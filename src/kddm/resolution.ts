/** What becomes of an object after a change of the membership: a pure function of what all members have reported of it. */
import type { NodeId } from '../rpc/index.ts';
import type { Report } from './messages.ts';
import type { Mutation } from './mutations.ts';

/** A report and who made it. */
export interface Witness extends Report {
  readonly node: NodeId;
}

export interface Circumstances {
  /** Deaths from which the replicas may not have recovered. */
  readonly deaths: number;
  readonly replicas: number;
  /** One of those that died was the home: what it knew is not reported. */
  readonly hasHomeDied: boolean;
  /** Whether an object of which nothing is known counts as lost then. */
  readonly isUnknownLost: boolean;
  readonly has: (mutation: Mutation) => boolean;
}

export type Outcome =
  | { readonly fate: 'lives'; readonly owner: Witness; readonly from: 'held' | 'handed-over' | 'copy' | 'backup' }
  | { readonly fate: 'absent' }
  | { readonly fate: 'lost' };

const ABSENT: Outcome = { fate: 'absent' };
const LOST: Outcome = { fate: 'lost' };

export function resolve(witnesses: readonly Witness[], circumstances: Circumstances): Outcome {
  const { has } = circumstances;
  const lost = has('loss-not-declared') ? ABSENT : LOST;
  const latest = witnesses.reduce((term, witness) => Math.max(term, witness.term), 0);

  const owner = best(
    witnesses.filter(({ holds }) => holds === 'owner'),
    ({ term }) => term,
  );
  if (owner?.exists === true) return { fate: 'lives', owner, from: 'held' };
  if (owner !== undefined) return owner.isLost ? lost : ABSENT;

  const giver = best(
    witnesses.filter((witness) => isRestorable(witness, latest, circumstances)),
    ({ term }) => term,
  );
  if (giver?.handedOver?.kind === 'content') return { fate: 'lives', owner: giver, from: 'handed-over' };
  if (giver?.handedOver?.kind === 'first-touch') return ABSENT;

  const [holder] = has('surviving-copy-ignored') ? [] : witnesses.filter(({ holds }) => holds === 'copy');
  if (holder !== undefined) return { fate: 'lives', owner: holder, from: 'copy' };

  if (witnesses.some((witness) => isRemoved(witness, latest, circumstances))) return ABSENT;

  const existed = witnesses.some(({ isHome }) => isHome);
  if (!existed && !circumstances.hasHomeDied) return ABSENT;
  if (circumstances.replicas > 0 && circumstances.deaths <= circumstances.replicas) {
    const removed = Math.max(0, ...witnesses.map(({ handedOver }) => (handedOver?.kind === 'removed' ? handedOver.term : 0)));
    const backup = latestBackup(witnesses, removed, has('stale-backup-used'));
    // Every write that was complete had its backups: without one there was none.
    if (backup?.backup?.isLost === true) return lost;
    return backup === undefined ? ABSENT : { fate: 'lives', owner: backup, from: 'backup' };
  }
  return existed || circumstances.isUnknownLost ? lost : ABSENT;
}

/**
 * No copy is left, so that a removal may count as complete: for its remover, for the home that waits for its end, and for the former owner, unless the home has died and may
 * have let the object be created again.
 */
function isRemoved({ node, handedOver, term, isHome }: Witness, latest: number, { hasHomeDied }: Circumstances): boolean {
  if (handedOver?.kind !== 'removed') return false;
  return isHome || (term === latest && (!hasHomeDied || handedOver.to === node));
}

/** It gave the object to somebody who lives and has never got it. */
function isRestorable({ handedOver, term }: Witness, latest: number, { has }: Circumstances): boolean {
  if (handedOver === undefined || handedOver.kind === 'removed') return false;
  if (has('stale-handover-restored')) return true;
  return !handedOver.isDelivered && !handedOver.isTargetDead && term === latest;
}

/** @param removed the last term of which an object was removed */
function latestBackup(witnesses: readonly Witness[], removed: number, isOldest: boolean): Witness | undefined {
  const holders = witnesses.filter(({ backup }) => backup !== undefined && backup.term > removed);
  const sorted = holders.toSorted(
    (a, b) => (b.backup?.term ?? 0) - (a.backup?.term ?? 0) || (b.backup?.version ?? 0) - (a.backup?.version ?? 0),
  );
  return sorted.at(isOldest ? -1 : 0);
}

function best(witnesses: readonly Witness[], score: (witness: Witness) => number): Witness | undefined {
  return witnesses.reduce<Witness | undefined>(
    (found, witness) => (found === undefined || score(witness) > score(found) ? witness : found),
    undefined,
  );
}
