/** Local operations that may have to wait: each is attempted until it has a result, whenever its entry changes. */
import { addressOf, become, type Context } from './context.ts';
import type { Entry } from './entry.ts';
import { attemptFlush } from './eviction.ts';
import { fill } from './first-touch.ts';
import { invalidate } from './invalidation.ts';
import { ABSENT, DONE, failed, type ObjectOperation, type Result } from './operations.ts';
import { askRemoval, isLater, removeAsOwner } from './removal.ts';
import type { KddmSet } from './sets.ts';

type Removal = ObjectOperation & { readonly kind: 'remove' };
type Use = ObjectOperation & { readonly kind: 'get' | 'grab' };

/** What became of an attempt: a result, or `undefined`: it goes on waiting among the waiters of its entry, or has been completed from there. */
export type Attempt = Result | undefined;

export function attempt(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation): Attempt {
  switch (operation.kind) {
    case 'get':
    case 'grab':
      return attemptUse(context, set, entry, operation);
    case 'remove':
      return attemptRemoval(context, set, entry, operation);
    case 'flush':
      return attemptFlush(context, set, entry, operation);
    case 'sync-frozen':
      return undefined;
    case 'find':
    case 'put':
    case 'set-object':
    case 'remove-frozen':
      return failed('not-supported');
  }
}

function attemptUse(context: Context, set: KddmSet, entry: Entry, operation: Use): Attempt {
  if (isExcluded(context, set, entry, operation)) return wait(operation);
  return operation.kind === 'get' ? attemptGet(context, set, entry, operation) : attemptGrab(context, set, entry, operation);
}

/** LOCAL_EXCLUSIVE: another local user holds the object. */
export function isExcluded(context: Context, set: KddmSet, entry: Entry, operation: { readonly noLock?: boolean }): boolean {
  return set.record.isExclusive && entry.frozen > 0 && operation.noLock !== true && !context.has('exclusive-not-honoured');
}

/** Does an asynchronous operation or one that only tries, wait? */
function wait(operation: Use): Result | undefined {
  if (operation.async === true) return DONE;
  return operation.tryGrab === true ? failed('busy') : undefined;
}

function attemptGet(context: Context, set: KddmSet, entry: Entry, operation: Use): Attempt {
  switch (entry.state) {
    case 'READ_COPY':
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
      if (entry.state === 'WRITE_GHOST') become(context, set, entry, 'WRITE_OWNER');
      return use(set, entry, operation);
    case 'INV_OWNER':
      return touchFirst(context, set, entry, operation, 'READ_OWNER');
    case 'INV_COPY':
      return request(context, set, entry, operation);
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_WRITE':
    case 'INV_FILLING':
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return wait(operation);
  }
}

function attemptGrab(context: Context, set: KddmSet, entry: Entry, operation: Use): Attempt {
  switch (entry.state) {
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      become(context, set, entry, 'WRITE_OWNER');
      return use(set, entry, operation);
    case 'READ_OWNER':
      if (entry.copyset.size === 0 || context.has('upgrade-ack-not-awaited')) {
        invalidate(context, set, entry, [...entry.copyset], context.self, entry.term);
        entry.copyset.clear();
        become(context, set, entry, 'WRITE_OWNER');
        return use(set, entry, operation);
      }
      invalidate(context, set, entry, [...entry.copyset], context.self, entry.term);
      become(context, set, entry, 'WAIT_ACK_WRITE');
      return waitOnce(operation);
    case 'INV_OWNER':
      return touchFirst(context, set, entry, operation, 'WRITE_OWNER');
    case 'READ_COPY':
      return entry.frozen > 0 ? wait(operation) : request(context, set, entry, operation);
    case 'INV_COPY':
      return request(context, set, entry, operation);
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_WRITE':
    case 'INV_FILLING':
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return entry.request?.operation === operation.id ? waitOnce(operation) : wait(operation);
  }
}

/** Waits for the one round trip that it has started itself. */
function waitOnce(operation: Use): Result | undefined {
  return operation.async === true ? DONE : undefined;
}

function use(set: KddmSet, entry: Entry, operation: Use): Result {
  if (operation.async === true) return DONE;
  if (operation.noLock !== true) {
    entry.frozen++;
    if (operation.kind === 'grab') entry.grabbed++;
  }
  if (operation.copyOnWrite !== true && operation.copyOnRead !== true) return { kind: 'done', content: entry.content };
  return { kind: 'done', content: set.linker.importObject(set.linker.exportObject(entry.content, entry.object), entry.object) };
}

function touchFirst(context: Context, set: KddmSet, entry: Entry, operation: Use, state: 'READ_OWNER' | 'WRITE_OWNER'): Attempt {
  if (entry.isLost) return failed('lost');
  if (operation.manualFirstTouch === true) {
    entry.isFilledByHand = true;
    entry.frozen++;
    entry.grabbed++;
    become(context, set, entry, 'INV_FILLING');
    return ABSENT;
  }
  if (operation.noFirstTouch === true) return ABSENT;
  fill(context, set, entry, state);
  // Touched when it is filled; a content that was there at once is used at once.
  return entry.content === undefined ? waitOnce(operation) : use(set, entry, operation);
}

function request(context: Context, set: KddmSet, entry: Entry, operation: Use): Result | undefined {
  const write = operation.kind === 'grab';
  const serial = context.nextSerial();
  entry.isDisowned = false;
  entry.request = { serial, write, operation: operation.async === true ? undefined : operation.id };
  become(context, set, entry, write ? 'WAIT_OBJ_WRITE' : 'WAIT_OBJ_READ');
  context.send(entry.probOwner, {
    kind: 'REQ_OBJECT_COPY',
    ...addressOf(set, entry),
    requester: context.self,
    serial,
    ...(context.home(set, entry.object) === context.self && { asOf: entry.hintTerm }),
    write,
    copy: entry.content === undefined ? 0 : entry.copySerial,
    noFirstTouch: operation.noFirstTouch === true || operation.manualFirstTouch === true,
    tryGrab: operation.tryGrab === true,
    sendOwnership: operation.manualFirstTouch === true,
  });
  return waitOnce(operation);
}

function attemptRemoval(context: Context, set: KddmSet, entry: Entry, operation: Removal): Attempt {
  switch (entry.state) {
    case 'INV_OWNER':
      if (!entry.isLost) return DONE;
      entry.isLost = false;
      removeAsOwner(context, set, entry, operation);
      return undefined;
    case 'INV_COPY':
    case 'READ_COPY':
      if (entry.frozen === 0) askRemoval(context, set, entry, operation);
      return undefined;
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (isLater(context, entry, operation.since)) return DONE;
      if (entry.frozen > 0 || entry.pendingBackups.length > 0) return undefined;
      removeAsOwner(context, set, entry, operation);
      return undefined;
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return entry.removal?.operation === operation.id ? undefined : failed('already');
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'WAIT_CHG_OWN_ACK':
    case 'INV_FILLING':
      return undefined;
  }
}
