/** Requests for a copy, at whoever they come to on their way to the owner. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context, copiesWithout, defer, handOver, isHeld } from './context.ts';
import { type Entry, isGivenUp } from './entry.ts';
import { fill } from './first-touch.ts';
import { invalidate } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import type { KddmSet } from './sets.ts';

type Request = MessageOf<'REQ_OBJECT_COPY'>;

/** `makeEntry` makes the entry of an object that its home has none of. */
export function onCopyRequest(
  context: Context,
  set: KddmSet,
  known: Entry | undefined,
  makeEntry: () => Entry,
  from: NodeId,
  message: Request,
): void {
  const home = context.home(set, message.object);
  if (message.requester === context.self) return onLoopBack(context, known, home, message);
  if (known === undefined && home !== context.self) return forward(context, home, message);
  const entry = known ?? makeEntry();
  switch (entry.state) {
    case 'INV_COPY':
    case 'READ_COPY':
    case 'WAIT_OBJ_READ':
      return forward(context, entry.probOwner, message);
    case 'INV_OWNER':
      return isGivenUp(context, entry, message.asOf) ? undefined : serveAbsent(context, set, entry, from, message);
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (isGivenUp(context, entry, message.asOf)) return;
      if (entry.deferred.length > 0 || isHeld(context, entry, message.write ? 'write' : 'read'))
        return deferOrRefuse(context, set, entry, from, message);
      return message.write ? serveWrite(context, set, entry, message) : serveRead(context, set, entry, message);
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_OBJ_RM_DONE':
      if (entry.isDisowned) return forward(context, home, message);
      return deferOrRefuse(context, set, entry, from, message);
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
    case 'INV_FILLING':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return deferOrRefuse(context, set, entry, from, message);
  }
}

function forward(context: Context, to: NodeId, message: Request): void {
  context.statistics.forwarded++;
  context.send(to, message);
}

function deferOrRefuse(context: Context, set: KddmSet, entry: Entry, from: NodeId, message: Request): void {
  if (!message.tryGrab) return defer(entry, from, message);
  context.send(message.requester, { kind: 'NO_OBJECT_SEND', ...addressOf(set, entry), serial: message.serial, reason: 'busy' });
}

/**
 * A request came back to who made it: nobody on its way was the owner. It goes round again until it meets the owner, or until the order to remove the object
 * has come to the home, which others on the way may have had before.
 */
function onLoopBack(context: Context, entry: Entry | undefined, home: NodeId, message: Request): void {
  if (entry === undefined || entry.request?.serial !== message.serial) return;
  context.statistics.loopBacks++;
  context.send(home === context.self ? entry.probOwner : home, message);
}

function serveAbsent(context: Context, set: KddmSet, entry: Entry, from: NodeId, message: Request): void {
  const { requester, serial } = message;
  const address = addressOf(set, entry);
  if (entry.isLost || (message.noFirstTouch && !message.sendOwnership)) {
    return context.send(requester, { kind: 'NO_OBJECT_SEND', ...address, serial, reason: entry.isLost ? 'lost' : 'absent' });
  }
  if (set.record.isFirstTouchLinked && !message.sendOwnership) {
    defer(entry, from, message);
    return fill(context, set, entry, 'WRITE_OWNER');
  }
  const rmset = [...entry.rmset, context.self].filter((node) => node !== requester);
  const byHand = message.sendOwnership;
  const term = entry.term + 1;
  const born = { epoch: 0, term: entry.born.term || term };
  context.send(requester, { kind: 'SEND_BACK_FIRST_TOUCH', ...address, serial, term, born, rmset, byHand });
  handOver(context, set, entry, requester, 'first-touch');
}

function serveRead(context: Context, set: KddmSet, entry: Entry, { requester, serial }: Request): void {
  become(context, set, entry, 'READ_OWNER');
  if (!context.has('requester-not-in-copyset')) entry.copyset.set(requester, serial);
  entry.rmset.add(requester);
  context.send(requester, {
    kind: 'OBJECT_SEND',
    ...addressOf(set, entry),
    serial,
    term: entry.term,
    version: entry.version,
    born: entry.born,
    content: set.linker.exportObject(entry.content, entry.object),
  });
}

function serveWrite(context: Context, set: KddmSet, entry: Entry, { requester, serial, copy }: Request): void {
  const { version, born } = entry;
  const term = entry.term + 1;
  const copies = copiesWithout(entry.copyset, requester);
  const hasCopy = copy !== 0 && entry.copyset.get(requester) === copy;
  const copyset = context.has('copyset-not-sent') ? [] : copies;
  const rmset = [...entry.rmset, context.self].filter((node) => node !== requester);
  const address = addressOf(set, entry);
  invalidate(context, set, entry, copies, requester, term);
  if (hasCopy) context.send(requester, { kind: 'SEND_WRITE_ACCESS', ...address, serial, term, version, copyset, rmset, born });
  else {
    const content = set.linker.exportObject(entry.content, entry.object);
    context.send(requester, {
      kind: 'OBJECT_SEND',
      ...address,
      serial,
      term,
      version,
      born,
      content,
      ownership: { copyset, rmset, isInjected: false },
    });
  }
  handOver(context, set, entry, requester, 'content');
}
