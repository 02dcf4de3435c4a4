/**
 * Removal: the owner names who may have an entry, all of those drop it and tell the remover, and the remover tells the home, which lets nobody
 * create the object again before. Who was the owner remembers that it was until then, too.
 */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, becomeAbsent, type Context, defer, dropContent, forget, handOver, isHeld } from './context.ts';
import { type Entry, isGivenUp, pointTo, type Removal, tombstone } from './entry.ts';
import type { Term } from './identity.ts';
import { isOnItsWay } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { DONE, type ObjectOperation } from './operations.ts';
import { isDoubtful, type KddmSet } from './sets.ts';

/** A removal by a node that is not the owner. */
export function askRemoval(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation & { readonly kind: 'remove' }): void {
  const serial = context.nextSerial();
  entry.isDisowned = false;
  entry.removal = { remover: context.self, serial, operation: operation.id, awaited: new Set(), early: new Set(), informed: new Set() };
  become(context, set, entry, 'WAIT_OBJ_RM_DONE');
  context.send(entry.probOwner, {
    kind: 'REQ_OBJECT_REMOVE_TO_MGR',
    ...addressOf(set, entry),
    remover: context.self,
    serial,
    since: operation.since ?? context.epoch,
    ...(context.home(set, entry.object) === context.self && { asOf: entry.hintTerm }),
  });
}

/**
 * Was the object created after the removal began? Then there was none in between, and the removal is complete. It may have been carried out, and its answer lost with its
 * epoch: asked again it must not remove a later object. Within its epoch nobody creates the object before the remover has confirmed.
 */
export function isLater(context: Context, entry: Entry, since: number | undefined): boolean {
  return since !== undefined && !context.has('removal-repeated') && entry.born.epoch > since;
}

/** A removal by the owner; without an operation, because its time is over. */
export function removeAsOwner(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation | undefined): void {
  const serial = context.nextSerial();
  const awaited = new Set(holdersOf(context, set, entry, context.self));
  orderRemoval(context, set, entry, awaited, context.self, serial, entry.term + 1);
  destroy(set, entry);
  const informed = new Set([context.home(set, entry.object), ...(set.record.replicas > 0 ? awaited : [])]);
  entry.removal = { remover: context.self, serial, operation: operation?.id, awaited, early: new Set(), informed };
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
  known: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'REQ_OBJECT_REMOVE_TO_MGR'>,
): void {
  const { remover, serial, since, asOf } = message;
  const home = context.home(set, message.object);
  if (remover === context.self) {
    if (known?.state !== 'WAIT_OBJ_RM_DONE' || known.removal?.serial !== serial) return;
    context.statistics.loopBacks++;
    return context.send(home === context.self ? known.probOwner : home, message);
  }
  if (known === undefined && home !== context.self) return forward(context, home, message);
  const entry = known ?? makeEntry();
  switch (entry.state) {
    case 'INV_COPY':
    case 'READ_COPY':
    case 'WAIT_OBJ_READ':
      return forward(context, entry.probOwner, message);
    case 'INV_OWNER':
      if (isGivenUp(context, entry, asOf)) return;
      // Nobody creates it before the remover has confirmed: a removal whose answer is lost must not be asked again then.
      return giveRemoval(context, set, entry, message);
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (isGivenUp(context, entry, asOf)) return;
      if (isLater(context, entry, since)) {
        const { term } = entry;
        return context.send(remover, { kind: 'REMOVE_DONE', ...addressOf(set, entry), serial, term, awaited: [], isLater: true });
      }
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
  entry.isLost = false;
  handOver(context, set, entry, remover, 'removed');
  entry.removal = { remover, serial, operation: undefined, awaited: new Set(), early: new Set(), informed: new Set() };
  if (context.home(set, entry.object) === context.self && !context.has('removal-home-not-held')) {
    become(context, set, entry, 'WAIT_OBJ_RM_ACK2');
  }
  context.send(remover, { kind: 'REMOVE_DONE', ...addressOf(set, entry), serial, term, awaited, isLater: false });
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
    } else {
      const isQuiet = entry.state === 'INV_COPY' || entry.state === 'READ_COPY';
      if (set.record.replicas > 0) {
        // An older backup must not bring the object back when its remover dies before the removal is complete.
        entry.handedOver = tombstone(remover, term, serial);
        if (isQuiet) become(context, set, entry, 'INV_COPY');
        context.touch(set, entry);
      } else if (isQuiet) {
        forget(context, set, entry);
      }
      if (!isQuiet) entry.isDisowned = true;
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
  if (message.isLater) {
    pointTo(entry, from, message.term);
    become(context, set, entry, entry.content === undefined ? 'INV_COPY' : 'READ_COPY');
    completeRemoval(context, entry, removal);
    return context.touch(set, entry);
  }
  destroy(set, entry);
  for (const node of message.awaited) if (!removal.early.has(node)) removal.awaited.add(node);
  entry.term = message.term;
  for (const node of [from, context.home(set, entry.object), ...(set.record.replicas > 0 ? message.awaited : [])])
    removal.informed.add(node);
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
  context.changed(set, entry.object);
  completeRemoval(context, entry, removal);
  endRemoval(context, set, entry);
}

function completeRemoval(context: Context, entry: Entry, removal: Removal): void {
  entry.removal = undefined;
  const index = entry.waiters.findIndex(({ id }) => id === removal.operation);
  const [operation] = index < 0 ? [] : entry.waiters.splice(index, 1);
  if (operation !== undefined) context.complete(operation, DONE);
}

/** The remover is done: the home may let the object be created again, all others forget it. */
export function onRemoveAck2(context: Context, set: KddmSet, entry: Entry | undefined, from: NodeId, serial: number): void {
  if (entry === undefined) return;
  const { removal, handedOver } = entry;
  const isMeant = removal?.remover === from && removal.serial === serial;
  if (isMeant && entry.state === 'WAIT_OBJ_RM_ACK2') return endRemoval(context, set, entry);
  if (!isMeant && !(handedOver?.to === from && handedOver.serial === serial)) return;
  if (handedOver?.kind === 'removed') entry.handedOver = undefined;
  // A backup of a later object may have come before.
  if (entry.state === 'INV_COPY' && entry.backup === undefined) forget(context, set, entry);
}

function endRemoval(context: Context, set: KddmSet, entry: Entry): void {
  dropContent(set, entry);
  const isHome = context.home(set, entry.object) === context.self;
  becomeAbsent(context, set, entry, isHome && isDoubtful(set, entry.object, context.doubts));
}
