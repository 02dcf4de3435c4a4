/** Copies that leave a node: a copy is dropped, the ownership of one goes to the holder of another, the last one is injected into another node. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context, copiesWithout, defer, dropContent, isHeld, keepBackup } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import { becomeOwner, isOnItsWay } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { DONE, failed, type ObjectOperation, type Result } from './operations.ts';
import type { KddmSet } from './sets.ts';

/** @returns the result, or `undefined` while the operation waits */
export function attemptFlush(
  context: Context,
  set: KddmSet,
  entry: Entry,
  operation: ObjectOperation & { readonly kind: 'flush' },
): Result | undefined {
  switch (entry.state) {
    case 'INV_COPY':
    case 'INV_OWNER':
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return failed('no-entry');
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'INV_FILLING':
      return failed('busy');
    case 'WAIT_CHG_OWN_ACK':
      return undefined;
    case 'READ_COPY':
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (isHeld(context, entry, 'write')) return failed('busy');
      if (entry.state === 'READ_COPY') return dropCopy(context, set, entry);
      if (entry.copyset.size > 0) return offerOwnership(context, set, entry);
      return inject(context, set, entry, operation.destination);
  }
}

function dropCopy(context: Context, set: KddmSet, entry: Entry): Result {
  const copy = entry.copySerial;
  set.linker.flushObject?.(entry.object, entry.content);
  dropContent(set, entry);
  become(context, set, entry, 'INV_COPY');
  context.send(entry.probOwner, { kind: 'INVALIDATION_ACK', ...addressOf(set, entry), holder: context.self, copy });
  return DONE;
}

/** In WAIT_CHG_OWN_ACK the giver counts as a holder of a copy, until it has dropped its own. */
function offer(context: Context, set: KddmSet, entry: Entry): [NodeId, number][] {
  entry.copySerial = context.nextSerial();
  become(context, set, entry, 'WAIT_CHG_OWN_ACK');
  return context.has('ownership-ack-not-awaited') ? [] : [[context.self, entry.copySerial]];
}

function offerOwnership(context: Context, set: KddmSet, entry: Entry): undefined {
  const [candidate] = entry.copyset;
  if (candidate === undefined) return undefined;
  const [node, copy] = candidate;
  const own = offer(context, set, entry);
  context.send(node, {
    kind: 'SEND_OWNERSHIP',
    ...addressOf(set, entry),
    copy,
    term: entry.term + 1,
    version: entry.version,
    copyset: [...copiesWithout(entry.copyset, node), ...own],
    rmset: [...entry.rmset, context.self].filter((other) => other !== node),
    born: entry.born,
  });
  return undefined;
}

function inject(context: Context, set: KddmSet, entry: Entry, destination: NodeId | undefined): Result | undefined {
  if (destination === undefined || destination === context.self || !context.members.includes(destination)) return failed('no-space');
  const own = offer(context, set, entry);
  context.send(destination, {
    kind: 'OBJECT_SEND',
    ...addressOf(set, entry),
    serial: 0,
    term: entry.term + 1,
    version: entry.version,
    born: entry.born,
    content: set.linker.exportObject(entry.content, entry.object),
    ownership: {
      copyset: own,
      rmset: [...entry.rmset, context.self].filter((node) => node !== destination),
      isInjected: true,
    },
  });
  return undefined;
}

/** The last copy of another node's is offered to this node. */
export function onInjected(
  context: Context,
  set: KddmSet,
  known: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'OBJECT_SEND'>,
): void {
  const entry = known ?? makeEntry();
  const isAccepted = entry.state === 'INV_COPY';
  if (isAccepted) {
    entry.content = set.linker.importObject(message.content, entry.object);
    entry.isGhost = true;
    becomeOwner(context, set, entry, 'WAIT_ACK_INV', message.term, message.version, {
      copyset: [],
      rmset: [],
      ...message.ownership,
      born: message.born,
    });
    set.linker.insertObject?.(entry.object, entry.content);
    context.touch(set, entry);
  }
  const answer = isAccepted ? 'accepted' : 'busy';
  context.send(from, { kind: 'CHANGE_OWNERSHIP_ACK', ...addressOf(set, message), answer, term: message.term });
}

/** The ownership is offered to this node, which had a copy. */
export function onSendOwnership(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'SEND_OWNERSHIP'>,
): void {
  const { copy, term, version } = message;
  if (entry !== undefined && isOnItsWay(context, entry, copy)) return defer(entry, from, message);
  const hasCopy = entry !== undefined && entry.content !== undefined && entry.copySerial === copy;
  const answer = !hasCopy ? 'gone' : entry.state === 'READ_COPY' ? 'accepted' : 'busy';
  if (answer === 'accepted' && entry !== undefined) {
    becomeOwner(context, set, entry, 'READ_OWNER', term, version, message);
    context.touch(set, entry);
  }
  context.send(from, { kind: 'CHANGE_OWNERSHIP_ACK', ...addressOf(set, message), answer, term });
}

export function onChangeOwnershipAck(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'CHANGE_OWNERSHIP_ACK'>,
): void {
  if (entry?.state !== 'WAIT_CHG_OWN_ACK') return;
  if (message.answer !== 'accepted') {
    if (message.answer === 'gone') entry.copyset.delete(from);
    else endFlush(context, entry, failed('busy'));
    entry.copySerial = 0;
    become(context, set, entry, 'READ_OWNER');
    return context.touch(set, entry);
  }
  if (isHeld(context, entry, 'write')) return defer(entry, from, message);
  const copy = entry.copySerial;
  set.linker.flushObject?.(entry.object, entry.content);
  keepBackup(set, entry);
  dropContent(set, entry);
  entry.copyset.clear();
  entry.rmset.clear();
  become(context, set, entry, 'INV_COPY');
  pointTo(entry, from, message.term);
  context.send(from, { kind: 'INVALIDATION_ACK', ...addressOf(set, entry), holder: context.self, copy });
  endFlush(context, entry, DONE);
  context.touch(set, entry);
}

function endFlush(context: Context, entry: Entry, result: Result): void {
  const index = entry.waiters.findIndex(({ kind }) => kind === 'flush');
  const [operation] = index < 0 ? [] : entry.waiters.splice(index, 1);
  if (operation !== undefined) context.complete(operation, result);
}
