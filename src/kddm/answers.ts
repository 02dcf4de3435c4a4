/**
 * What a request for a copy is answered, at the node that made it. A request that the node does not need any more (the object was removed meanwhile) may be
 * answered all the same: an ownership is accepted, for there is no other owner; a copy is acknowledged as gone.
 */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import { fill } from './first-touch.ts';
import { onInjected } from './eviction.ts';
import { becomeOwner } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { ABSENT, failed } from './operations.ts';
import type { KddmSet } from './sets.ts';

export function onObject(
  context: Context,
  set: KddmSet,
  known: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'OBJECT_SEND'>,
): void {
  const { ownership, term, version, serial, born } = message;
  if (ownership?.isInjected === true) return onInjected(context, set, known, makeEntry, from, message);
  if (ownership === undefined && known?.request?.serial !== serial) {
    return context.send(from, { kind: 'INVALIDATION_ACK', ...addressOf(set, message), holder: context.self, copy: serial });
  }
  const entry = known ?? makeEntry();
  bringForward(entry);
  entry.content = set.linker.importObject(message.content, entry.object);
  if (ownership === undefined) {
    entry.version = version;
    entry.born = born;
    entry.request = undefined;
    entry.copySerial = message.serial;
    pointTo(entry, from, term);
    become(context, set, entry, 'READ_COPY');
  } else {
    becomeOwner(context, set, entry, 'WAIT_ACK_INV', term, version, { ...ownership, born });
  }
  set.linker.insertObject?.(entry.object, entry.content);
  context.touch(set, entry);
}

/** The operation for which the object was asked has its turn first: a grab before it would send what has come away again. */
function bringForward({ waiters, request }: Entry): void {
  const index = waiters.findIndex(({ id }) => id === request?.operation);
  if (index > 0) waiters.unshift(...waiters.splice(index, 1));
}

/** The copy here may be written when all others are gone. */
export function onWriteAccess(context: Context, set: KddmSet, entry: Entry | undefined, message: MessageOf<'SEND_WRITE_ACCESS'>): void {
  if (entry?.content === undefined) return;
  becomeOwner(context, set, entry, 'WAIT_ACK_WRITE', message.term, message.version, message);
  context.touch(set, entry);
}

/** The object does not exist, and this node may create it. */
export function onFirstTouch(
  context: Context,
  set: KddmSet,
  known: Entry | undefined,
  makeEntry: () => Entry,
  message: MessageOf<'SEND_BACK_FIRST_TOUCH'>,
): void {
  const entry = known ?? makeEntry();
  const isAsked = entry.request?.serial === message.serial;
  becomeOwner(context, set, entry, 'INV_OWNER', message.term, 0, {
    copyset: [],
    rmset: message.rmset,
    born: message.born,
  });
  if (!message.byHand && isAsked) fill(context, set, entry, 'WRITE_OWNER');
  context.touch(set, entry);
}

/** Nothing came: who asked is told, all others ask for themselves. */
export function onNoObject(context: Context, set: KddmSet, entry: Entry | undefined, message: MessageOf<'NO_OBJECT_SEND'>): void {
  if (entry === undefined || entry.request?.serial !== message.serial) return;
  const { operation } = entry.request;
  const index = entry.waiters.findIndex(({ id }) => id === operation);
  const [waiter] = index < 0 ? [] : entry.waiters.splice(index, 1);
  if (waiter !== undefined) context.complete(waiter, message.reason === 'absent' ? ABSENT : failed(message.reason));
  entry.request = undefined;
  become(context, set, entry, entry.content === undefined ? 'INV_COPY' : 'READ_COPY');
  for (const { node, serial } of entry.earlyAcks.splice(0)) {
    context.send(entry.probOwner, { kind: 'INVALIDATION_ACK', ...addressOf(set, entry), holder: node, copy: serial });
  }
  context.touch(set, entry);
}
