/** Copies that must go so that one node can write, and their acknowledgements. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context, defer, dropContent, isHeld, noteUse } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import { type Birth, NEVER, type Serial, type Term } from './identity.ts';
import type { MessageOf } from './messages.ts';
import type { KddmSet } from './sets.ts';

/** Tells the holders of copies that `reply` will write in term `term`. */
export function invalidate(
  context: Context,
  set: KddmSet,
  entry: Entry,
  copies: readonly (readonly [NodeId, Serial])[],
  reply: NodeId,
  term: Term,
): void {
  const told = context.has('invalidation-not-sent') ? copies.slice(1) : copies;
  for (const [holder, copy] of told) context.send(holder, { kind: 'REQ_OBJECT_INVALID', ...addressOf(set, entry), copy, reply, term });
}

/**
 * A copy must go. It is acknowledged even where it has gone already: its eviction may have been told to somebody else. A copy that is on its
 * way is awaited first.
 */
export function onInvalid(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'REQ_OBJECT_INVALID'>,
): void {
  const { copy, reply, term } = message;
  if (entry !== undefined) {
    if (isOnItsWay(context, entry, copy)) return defer(entry, from, message);
    if (entry.copySerial === copy) {
      if (isHeld(context, entry, 'write')) return defer(entry, from, message);
      if (!context.has('invalidation-ignored')) {
        dropContent(set, entry);
        if (entry.state === 'READ_COPY') become(context, set, entry, 'INV_COPY');
      }
      context.touch(set, entry);
    }
    pointTo(entry, reply, term);
  }
  context.send(reply, { kind: 'INVALIDATION_ACK', ...addressOf(set, message), holder: context.self, copy });
}

/** Has the copy of this name been sent and not come yet, or is it not yet known here to be no more than a copy? */
export function isOnItsWay(context: Context, entry: Entry, copy: Serial): boolean {
  if (entry.state === 'WAIT_CHG_OWN_ACK') return entry.copySerial === copy;
  return entry.state === 'WAIT_OBJ_READ' && entry.request?.serial === copy && !context.has('copy-in-flight-ignored');
}

/** A copy is gone. Told to who waits for that, or by an eviction to who seems to be the owner. */
export function onInvalidationAck(context: Context, set: KddmSet, entry: Entry | undefined, message: MessageOf<'INVALIDATION_ACK'>): void {
  const { holder, copy } = message;
  const home = context.home(set, message.object);
  if (entry === undefined) {
    if (home !== context.self) forward(context, home, message);
    return;
  }
  switch (entry.state) {
    case 'WAIT_OBJ_WRITE':
      entry.earlyAcks.push({ node: holder, serial: copy });
      return;
    case 'INV_COPY':
    case 'READ_COPY':
    case 'WAIT_OBJ_READ':
      if (entry.probOwner !== context.self) forward(context, entry.probOwner, message);
      return;
    case 'READ_OWNER':
    case 'WAIT_CHG_OWN_ACK':
      removeCopy(context, entry, holder, copy);
      return;
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
      removeCopy(context, entry, holder, copy);
      becomeWriterWhenAlone(context, set, entry);
      return;
    case 'INV_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
    case 'INV_FILLING':
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return;
  }
}

function removeCopy(context: Context, entry: Entry, holder: NodeId, copy: Serial): void {
  if (entry.copyset.get(holder) === copy || context.has('copy-serial-ignored')) entry.copyset.delete(holder);
}

/** The ownership has come, from whoever had it. What this node itself had asked for is of no concern any more. */
export function becomeOwner(
  context: Context,
  set: KddmSet,
  entry: Entry,
  state: 'WAIT_ACK_INV' | 'WAIT_ACK_WRITE' | 'READ_OWNER' | 'INV_OWNER',
  term: Term,
  version: number,
  ownership:
    | { readonly copyset: readonly (readonly [NodeId, Serial])[]; readonly rmset: readonly NodeId[]; readonly born: Birth }
    | undefined,
): void {
  entry.request = undefined;
  entry.removal = undefined;
  entry.handedOver = undefined;
  entry.isLost = false;
  entry.isDisowned = false;
  entry.copySerial = 0;
  entry.term = term;
  entry.version = version;
  noteUse(context, set, entry.object);
  pointTo(entry, context.self, term);
  entry.copyset = new Map(ownership?.copyset);
  entry.rmset = new Set(ownership?.rmset);
  entry.born = ownership?.born ?? NEVER;
  // Acknowledgements that came before.
  if (!context.has('early-acks-forgotten')) for (const { node, serial } of entry.earlyAcks) removeCopy(context, entry, node, serial);
  entry.earlyAcks = [];
  become(context, set, entry, state);
  if (state !== 'WAIT_ACK_INV' && state !== 'WAIT_ACK_WRITE') return;
  if (context.has('invalidation-ack-not-awaited')) entry.copyset.clear();
  becomeWriterWhenAlone(context, set, entry);
}

/** In WAIT_ACK_INV and WAIT_ACK_WRITE: all other copies are gone. */
function becomeWriterWhenAlone(context: Context, set: KddmSet, entry: Entry): void {
  if (entry.copyset.size > 0) return;
  become(context, set, entry, entry.isGhost && entry.frozen === 0 ? 'WRITE_GHOST' : 'WRITE_OWNER');
  entry.isGhost = false;
  context.touch(set, entry);
}

function forward(context: Context, to: NodeId, message: MessageOf<'INVALIDATION_ACK'>): void {
  context.statistics.forwarded++;
  context.send(to, message);
}
