/** What a request for a copy is answered, at the node that made it; and what is injected into it. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import { fill } from './first-touch.ts';
import { becomeWriterWhenAlone, mergeEarlyAcks } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { ABSENT, failed } from './operations.ts';
import type { KddmSet } from './sets.ts';

export function onObject(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: MessageOf<'OBJECT_SEND'>,
): void {
  if (message.ownership?.isInjected === true) return onInjected(context, set, entry ?? makeEntry(), message);
  if (entry === undefined || entry.request?.serial !== message.serial) return;
  const { ownership, term } = message;
  entry.content = set.linker.importObject(message.content, entry.object);
  entry.version = message.version;
  if (ownership === undefined) {
    entry.request = undefined;
    entry.copySerial = message.serial;
    pointTo(entry, from, term);
    become(context, set, entry, 'READ_COPY');
  } else {
    becomeOwner(context, set, entry, 'WAIT_ACK_INV', term, ownership);
  }
  set.linker.insertObject?.(entry.object, entry.content);
  context.touch(set, entry);
}

/** The copy here may be written when all others are gone. */
export function onWriteAccess(context: Context, set: KddmSet, entry: Entry | undefined, message: MessageOf<'SEND_WRITE_ACCESS'>): void {
  if (entry === undefined || entry.request?.serial !== message.serial) return;
  entry.version = message.version;
  becomeOwner(context, set, entry, 'WAIT_ACK_WRITE', message.term, message);
  context.touch(set, entry);
}

function becomeOwner(
  context: Context,
  set: KddmSet,
  entry: Entry,
  state: 'WAIT_ACK_INV' | 'WAIT_ACK_WRITE',
  term: number,
  ownership: { readonly copyset: readonly (readonly [NodeId, number])[]; readonly rmset: readonly NodeId[] },
): void {
  entry.request = undefined;
  entry.handedOver = undefined;
  entry.copySerial = 0;
  entry.term = term;
  pointTo(entry, context.self, term);
  entry.copyset = new Map(ownership.copyset);
  entry.rmset = new Set(ownership.rmset);
  mergeEarlyAcks(context, entry);
  if (context.has('invalidation-ack-not-awaited')) entry.copyset.clear();
  become(context, set, entry, state);
  becomeWriterWhenAlone(context, set, entry);
}

/** The last copy of another node's comes here. What was asked from here for it comes back and is ignored. */
function onInjected(context: Context, set: KddmSet, entry: Entry, message: MessageOf<'OBJECT_SEND'>): void {
  entry.request = undefined;
  entry.removal = undefined;
  entry.handedOver = undefined;
  entry.earlyAcks = [];
  entry.content = set.linker.importObject(message.content, entry.object);
  entry.version = message.version;
  entry.copySerial = 0;
  entry.term = message.term;
  pointTo(entry, context.self, message.term);
  entry.copyset = new Map();
  entry.rmset = new Set(message.ownership?.rmset);
  become(context, set, entry, 'WRITE_GHOST');
  set.linker.insertObject?.(entry.object, entry.content);
  context.touch(set, entry);
}

/** The object does not exist, and this node may create it. */
export function onFirstTouch(context: Context, set: KddmSet, entry: Entry | undefined, message: MessageOf<'SEND_BACK_FIRST_TOUCH'>): void {
  if (entry === undefined || entry.request?.serial !== message.serial) return;
  entry.request = undefined;
  entry.handedOver = undefined;
  entry.earlyAcks = [];
  entry.term = message.term;
  entry.version = 0;
  pointTo(entry, context.self, message.term);
  entry.copyset = new Map();
  entry.rmset = new Set(message.rmset);
  become(context, set, entry, 'INV_OWNER');
  if (!message.byHand) fill(context, set, entry, 'WRITE_OWNER');
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
