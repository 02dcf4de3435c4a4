/** The node's side of a reconfiguration: what is on its way ends, what is here is reported, what is decided is carried out. */
import type { NodeId } from '../rpc/index.ts';
import { become, becomeAbsent, type Context, dropContent, entryOf, forget, noteUse } from './context.ts';
import { type Entry, pointTo, tombstone } from './entry.ts';
import type { Decision, Report } from './messages.ts';
import type { ObjectOperation } from './operations.ts';
import { backUp } from './replicas.ts';
import { homeOf, isDoubtful, type KddmSet } from './sets.ts';
import { isOwner } from './states.ts';

/** Messages of the old epoch will not come: a state that waits for one becomes what it holds. */
export function quiesce(context: Context, set: KddmSet, entry: Entry, dead: readonly NodeId[]): void {
  if (entry.handedOver !== undefined && dead.includes(entry.handedOver.to)) entry.handedOver.isTargetDead = true;
  const kept = entry.content === undefined ? 'INV_COPY' : 'READ_COPY';
  switch (entry.state) {
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_OBJ_RM_DONE':
      become(context, set, entry, kept);
      break;
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
      become(context, set, entry, 'READ_OWNER');
      break;
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2': {
      const to = entry.removal?.remover ?? context.self;
      entry.handedOver = tombstone(to, Math.max(entry.term, entry.hintTerm), 0);
      become(context, set, entry, 'INV_COPY');
      break;
    }
    case 'INV_COPY':
    case 'READ_COPY':
    case 'INV_OWNER':
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
    case 'INV_FILLING':
      break;
  }
  entry.request = undefined;
  entry.earlyAcks = [];
  entry.deferred = [];
  entry.removal = undefined;
}

/** @returns what this node says of an entry that is quiet; `undefined` when it is of no concern */
export function reportOf(
  context: Context,
  set: KddmSet,
  entry: Entry,
  decided: readonly (readonly NodeId[])[],
  isLeaving: boolean,
): Report | undefined {
  const isHome = decided.some((members) => homeOf(set, entry.object, members) === context.self);
  const holds = isOwner(entry.state) ? 'owner' : entry.state === 'READ_COPY' ? 'copy' : 'none';
  const { handedOver, backup } = entry;
  if (holds === 'none' && entry.term === 0 && handedOver === undefined && backup === undefined && !isHome && !entry.waiters.some(isRemoval))
    return undefined;
  const content = entry.content ?? handedOver?.content;
  return {
    object: entry.object,
    holds,
    // What a node that leaves was just creating it will not bring to its end: who wants it asks the next home.
    exists: entry.content !== undefined || (entry.state === 'INV_FILLING' && !isLeaving),
    isLost: entry.isLost,
    term: entry.term,
    version: entry.version,
    copy: entry.copySerial,
    isHome,
    born: entry.born,
    ...(handedOver && {
      handedOver: {
        to: handedOver.to,
        term: handedOver.term,
        kind: handedOver.kind,
        isDelivered: handedOver.isDelivered,
        isTargetDead: handedOver.isTargetDead,
      },
    }),
    ...(backup && {
      backup: {
        isLost: backup.isLost,
        term: backup.term,
        version: backup.version,
        born: backup.born,
        ...(isLeaving && { bytes: backup.bytes }),
      },
    }),
    ...(isLeaving && content !== undefined && { content: set.linker.exportObject(content, entry.object) }),
  };
}

function isRemoval({ kind }: ObjectOperation): boolean {
  return kind === 'remove';
}

/** What the home has decided of an object. */
export function carryOut(context: Context, set: KddmSet, decision: Decision): Entry | undefined {
  const isHome = context.home(set, decision.object) === context.self;
  const isMine = decision.owner === context.self;
  const known = set.entries.get(decision.object);
  if (decision.fate !== 'lives') {
    if (known === undefined && !isHome && !isLossKept(set, decision)) return undefined;
    return goAway(context, set, known ?? entryOf(context, set, decision.object, false), decision, isHome);
  }
  if (known === undefined && !isHome && !isMine) return undefined;
  const entry = known ?? entryOf(context, set, decision.object, false);
  if (isMine) takeOver(context, set, entry, decision);
  else follow(context, set, entry, decision);
  entry.handedOver = undefined;
  entry.hintTerm = decision.term;
  entry.probOwner = decision.owner;
  return entry;
}

/** Where there are replicas, that an object is lost is kept by as many nodes as its content would be. */
function isLossKept({ record }: KddmSet, { fate }: Decision): boolean {
  return fate === 'lost' && record.replicas > 0;
}

function goAway(context: Context, set: KddmSet, entry: Entry, decision: Decision, isHome: boolean): Entry {
  entry.backup = undefined;
  entry.handedOver = undefined;
  entry.version = 0;
  if (!isHome) {
    const { term, born, owner, fate } = decision;
    dropContent(set, entry);
    become(context, set, entry, 'INV_COPY');
    pointTo(entry, owner, term);
    if (isLossKept(set, decision)) entry.backup = { isLost: true, term, version: 0, born, bytes: new Uint8Array() };
    else {
      // Should the epoch end before all have carried this out, then what others have of earlier terms must not count.
      entry.term = term;
      if (fate === 'absent') entry.handedOver = tombstone(owner, term, 0);
    }
    return entry;
  }
  entry.hintTerm = Math.max(entry.hintTerm, decision.term);
  const isLost = decision.fate === 'lost';
  becomeAbsent(context, set, entry, true);
  entry.isLost = isLost;
  entry.rmset = new Set(decision.rmset);
  if (isLost) context.statistics.lost++;
  return entry;
}

function takeOver(context: Context, set: KddmSet, entry: Entry, decision: Decision): void {
  entry.term = decision.term;
  entry.born = decision.born;
  entry.copySerial = 0;
  entry.copyset = new Map(decision.copyset);
  entry.rmset = new Set(decision.rmset);
  entry.isLost = false;
  noteUse(context, set, entry.object);
  if (decision.select === 'held') {
    if (entry.state === 'WRITE_GHOST') become(context, set, entry, 'WRITE_OWNER');
  } else {
    if (decision.select === 'handed-over') entry.content = entry.handedOver?.content;
    else if (decision.select === 'backup' && entry.backup) entry.content = set.linker.importObject(entry.backup.bytes, entry.object);
    else if (decision.select === 'sent' && decision.content) entry.content = set.linker.importObject(decision.content, entry.object);
    if (decision.select !== 'copy') entry.version = decision.version;
    become(context, set, entry, 'READ_OWNER');
  }
}

function follow(context: Context, set: KddmSet, entry: Entry, decision: Decision): void {
  const copy = decision.copyset.find(([holder]) => holder === context.self);
  if (copy === undefined && entry.content !== undefined) dropContent(set, entry);
  entry.copyset.clear();
  entry.rmset.clear();
  become(context, set, entry, entry.content === undefined ? 'INV_COPY' : 'READ_COPY');
}

/** All have carried out the decision: what was only kept to say so again goes. @returns whether nothing is known of the object any more */
export function endDecision(context: Context, set: KddmSet, entry: Entry, fate: Decision['fate']): boolean {
  if (fate === 'lives') {
    if (!isOwner(entry.state)) entry.term = 0;
    return false;
  }
  const isForgotten =
    entry.state === 'INV_COPY' ? entry.backup === undefined : fate === 'absent' && !isDoubtful(set, entry.object, context.doubts);
  if (isForgotten) forget(context, set, entry);
  return isForgotten;
}

/** After a reconfiguration: backups are made anew of what this node owns, with the puts that waited for the old ones. */
export function renewBackups(context: Context, set: KddmSet, entry: Entry): void {
  const waiting = entry.pendingBackups.splice(0);
  if (set.record.replicas === 0 || !isOwner(entry.state) || entry.content === undefined) {
    for (const { operation } of waiting) if (operation !== undefined) context.complete(operation, { kind: 'done' });
    return;
  }
  if (waiting.length === 0) backUp(context, set, entry, undefined);
  for (const { operation } of waiting) backUp(context, set, entry, operation);
}
