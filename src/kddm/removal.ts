/**
 * Removal: the owner names who may have an entry, all of those drop it and tell the remover, and the remover tells the home, which lets nobody
 * create the object again before. Who was the owner remembers that it was until then, too.
 */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, becomeAbsent, type Context, defer, dropContent, forget, handOver, isHeld } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import type { Term } from './identity.ts';
import { isOnItsWay } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { DONE, type ObjectOperation } from './operations.ts';
import { isDoubtful, type KddmSet } from './sets.ts';

/** A removal by a node that is not the owner. */
export function askRemoval(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation): void {
  const serial = context.nextSerial();
  entry.isDisowned = false;
  entry.removal = { remover: context.self, serial, operation: operation.id, awaited: new Set(), early: new Set(), informed: new Set() };
  become(context, set, entry, 'WAIT_OBJ_RM_DONE');
  context.send(entry.probOwner, {
    kind: 'REQ_OBJECT_REMOVE_TO_MGR',
    ...addressOf(set, entry),
    remover: context.self,
    serial,
    asOf: entry.hintTerm,
  });
}

/** A removal by the owner. */
export function removeAsOwner(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation): void {
  const serial = context.nextSerial();
  const awaited = new Set(holdersOf(context, set, entry, context.self));
  orderRemoval(context, set, entry, awaited, context.self, serial, entry.term + 1);
  destroy(set, entry);
  const informed = new Set([context.home(set, entry.object)]);
  entry.removal = { remover: context.self, serial, operation: operation.id, awaited, early: new Set(), informed };
  entry.copyset.clear();
  entry.rmset.clear();
  become(context, set, entry, 'WAIT_OBJ_RM_ACK');
  finishWhenAcknowledged(context, set, entry);
}

function destroy(set: KddmSet, entry: Entry): void {
  if (entry.content !== undefined) set.linker.removeObject?.(entry.object, entry.content);
  entry.content = undefined;
  entry.copySerial = 0;
  entry.backup = undefined;
  entry.handedOver = undefined;
}

/** Everybody else who may have an entry; the home always. */
function holdersOf(context: Context, set: KddmSet, entry: Entry, remover: NodeId): NodeId[] {
  const all = new Set([...entry.rmset, ...entry.copyset.keys(), context.home(set, entry.object)]);
  return [...all].filter((node) => node !== context.self && node !== remover);
}

function orderRemoval(
  context: Context,
  set: KddmSet,
  entry: Entry,
  nodes: Iterable<NodeId>,
  remover: NodeId,
  serial: number,
  term: Term,
): void {
  for (const node of nodes) {
    const copy = entry.copyset.get(node) ?? 0;
    context.send(node, { kind: 'REQ_OBJECT_REMOVE', ...addressOf(set, entry), remover, serial, copy, term });
  }
}

/** At whoever it comes to on its way to the owner. */
export function onRemoveToManager(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'REQ_OBJECT_REMOVE_TO_MGR'>,
): void {
  const { remover, serial, asOf } = message;
  const home = context.home(set, message.object);
  const nothing: MessageOf<'REMOVE_DONE'> = {
    kind: 'REMOVE_DONE',
    ...addressOf(set, message),
    serial,
    term: 0,
    awaited: [],
    existed: false,
    isAsked: true,
  };
  if (remover === context.self) {
    if (entry?.state !== 'WAIT_OBJ_RM_DONE' || entry.removal?.serial !== serial) return;
    context.statistics.loopBacks++;
    return context.send(home === context.self ? entry.probOwner : home, message);
  }
  if (entry === undefined) {
    if (home !== context.self) return forward(context, home, message);
    // What counted as lost because nothing was known of it, is known not to exist from now on.
    if (isDoubtful(set, message.object, context.doubts)) makeEntry().isLost = false;
    return context.send(remover, nothing);
  }
  switch (entry.state) {
    case 'INV_COPY':
    case 'READ_COPY':
    case 'WAIT_OBJ_READ':
      return forward(context, entry.probOwner, message);
    case 'INV_OWNER':
      entry.isLost = false;
      return context.send(remover, nothing);
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (asOf < entry.born) return context.send(remover, { ...nothing, term: entry.term, isAsked: false });
      if (isHeld(context, entry, 'write')) return defer(entry, from, message);
      return giveRemoval(context, set, entry, message);
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_OBJ_RM_DONE':
      if (entry.isDisowned) return forward(context, home, message);
      return defer(entry, from, message);
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
    case 'INV_FILLING':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return defer(entry, from, message);
  }
}

function forward(context: Context, to: NodeId, message: MessageOf<'REQ_OBJECT_REMOVE_TO_MGR'>): void {
  context.statistics.forwarded++;
  context.send(to, message);
}

function giveRemoval(context: Context, set: KddmSet, entry: Entry, message: MessageOf<'REQ_OBJECT_REMOVE_TO_MGR'>): void {
  const { remover, serial } = message;
  const awaited = holdersOf(context, set, entry, remover);
  const term = entry.term + 1;
  orderRemoval(context, set, entry, awaited, remover, serial, term);
  destroy(set, entry);
  handOver(context, set, entry, remover, 'removed');
  entry.backup = undefined;
  entry.removal = { remover, serial, operation: undefined, awaited: new Set(), early: new Set(), informed: new Set() };
  if (context.home(set, entry.object) === context.self && !context.has('removal-home-not-held')) {
    become(context, set, entry, 'WAIT_OBJ_RM_ACK2');
  }
  context.send(remover, { kind: 'REMOVE_DONE', ...addressOf(set, entry), serial, term, awaited, existed: true, isAsked: true });
}

/** At everybody who may have an entry. */
export function onRemove(
  context: Context,
  set: KddmSet,
  known: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'REQ_OBJECT_REMOVE'>,
): void {
  const { remover, serial, copy, term } = message;
  const isHome = context.home(set, message.object) === context.self;
  const entry = known ?? (isHome ? makeEntry() : undefined);
  if (entry !== undefined) {
    if (isOnItsWay(context, entry, copy)) return defer(entry, from, message);
    if (entry.content !== undefined && isHeld(context, entry, 'write')) return defer(entry, from, message);
    destroy(set, entry);
    entry.earlyAcks = [];
    entry.hintTerm = Math.max(entry.hintTerm, term);
    entry.probOwner = context.home(set, message.object);
    if (isHome) {
      // What is asked from here is asked again when the object is gone; what was asked comes back and is ignored.
      entry.request = undefined;
      entry.removal = { remover, serial, operation: undefined, awaited: new Set(), early: new Set(), informed: new Set() };
      become(context, set, entry, 'WAIT_OBJ_RM_ACK2');
      context.touch(set, entry);
    } else if (entry.state === 'INV_COPY' || entry.state === 'READ_COPY') {
      forget(context, set, entry);
    } else {
      entry.isDisowned = true;
      for (const waiting of entry.deferred.splice(0)) context.redeliver(waiting.from, waiting.message);
    }
  }
  context.send(remover, { kind: 'REMOVE_ACK', ...addressOf(set, message), serial });
  if (entry !== undefined && isHome && context.has('removal-home-not-held')) becomeAbsent(context, set, entry, false);
}

export function onRemoveAck(context: Context, set: KddmSet, entry: Entry | undefined, from: NodeId, serial: number): void {
  const removal = entry?.removal;
  if (entry === undefined || removal?.serial !== serial || removal.remover !== context.self) return;
  if (entry.state === 'WAIT_OBJ_RM_DONE') removal.early.add(from);
  removal.awaited.delete(from);
  if (entry.state === 'WAIT_OBJ_RM_ACK') finishWhenAcknowledged(context, set, entry);
}

/** The owner has given the object up; `from` was the owner. */
export function onRemoveDone(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'REMOVE_DONE'>,
): void {
  const removal = entry?.removal;
  if (entry?.state !== 'WAIT_OBJ_RM_DONE' || removal === undefined || removal.serial !== message.serial) return;
  if (!message.isAsked) {
    entry.removal = undefined;
    pointTo(entry, from, message.term);
    become(context, set, entry, entry.content === undefined ? 'INV_COPY' : 'READ_COPY');
    return context.touch(set, entry);
  }
  destroy(set, entry);
  for (const node of message.awaited) if (!removal.early.has(node)) removal.awaited.add(node);
  if (message.existed) {
    entry.term = message.term;
    for (const node of [from, context.home(set, entry.object)]) removal.informed.add(node);
  }
  become(context, set, entry, 'WAIT_OBJ_RM_ACK');
  finishWhenAcknowledged(context, set, entry);
}

function finishWhenAcknowledged(context: Context, set: KddmSet, entry: Entry): void {
  const { removal } = entry;
  if (removal === undefined) return;
  if (removal.awaited.size > 0 && !context.has('removal-acks-not-awaited')) return;
  if (!context.has('removal-second-ack-skipped')) {
    for (const node of removal.informed) {
      if (node !== context.self) context.send(node, { kind: 'REMOVE_ACK2', ...addressOf(set, entry), serial: removal.serial });
    }
  }
  const index = entry.waiters.findIndex(({ id }) => id === removal.operation);
  const operation = entry.waiters[index];
  if (operation !== undefined) {
    entry.waiters.splice(index, 1);
    context.complete(operation, DONE);
  }
  endRemoval(context, set, entry);
}

/** The remover is done: the home may let the object be created again, the former owner forgets it. */
export function onRemoveAck2(context: Context, set: KddmSet, entry: Entry | undefined, from: NodeId, serial: number): void {
  if (entry?.removal?.remover !== from || entry.removal.serial !== serial) return;
  if (entry.state === 'WAIT_OBJ_RM_ACK2') endRemoval(context, set, entry);
  else if (entry.state === 'INV_COPY') forget(context, set, entry);
}

function endRemoval(context: Context, set: KddmSet, entry: Entry): void {
  dropContent(set, entry);
  const isHome = context.home(set, entry.object) === context.self;
  becomeAbsent(context, set, entry, isHome && isDoubtful(set, entry.object, context.doubts));
}
