/** Local operations that never wait for another node's object: they concern what is held here. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context, noteUse } from './context.ts';
import { isExcluded } from './client.ts';
import type { Entry } from './entry.ts';
import { LATER } from './linker.ts';
import type { MessageOf } from './messages.ts';
import { DONE, failed, type ObjectOperation, type Result } from './operations.ts';
import { backUp } from './replicas.ts';
import type { KddmSet } from './sets.ts';
import { isReadable, isWritable } from './states.ts';

type Of<Kind extends ObjectOperation['kind']> = ObjectOperation & { readonly kind: Kind };

/** @returns the content, without a request to anybody */
export function find(context: Context, set: KddmSet, entry: Entry | undefined, operation: Of<'find'>): Result {
  if (entry === undefined || !isReadable(entry.state)) return failed('no-entry');
  if (isExcluded(context, set, entry, operation)) return failed('busy');
  if (entry.state === 'WRITE_GHOST') become(context, set, entry, 'WRITE_OWNER');
  if (operation.noLock !== true) entry.frozen++;
  return { kind: 'done', content: entry.content };
}

/** Ends a hold. Completes the operation itself, at once or when the backups of a write are made. */
export function put(context: Context, set: KddmSet, entry: Entry | undefined, operation: Of<'put'>): void {
  const isGrab = operation.hold === 'grab';
  if (entry === undefined || entry.frozen - entry.grabbed < (isGrab ? 0 : 1) || (isGrab && entry.grabbed === 0)) {
    return context.complete(operation, failed('not-held'));
  }
  entry.frozen--;
  if (isGrab) entry.grabbed--;
  if (isGrab && entry.isFilledByHand) giveUpFilling(context, set, entry);
  if (isGrab && isWritable(entry.state)) {
    if (operation.content !== undefined) entry.content = operation.content;
    entry.version++;
    noteUse(context, set, entry.object);
    context.changed(set, entry.object);
    set.linker.putObject?.(entry.object, entry.content);
    backUp(context, set, entry, operation);
  } else {
    if (!isGrab) set.linker.putObject?.(entry.object, entry.content);
    context.complete(operation, DONE);
  }
  if (entry.waiters.length > 0 || entry.deferred.length > 0) context.touch(set, entry);
}

function giveUpFilling(context: Context, set: KddmSet, entry: Entry): void {
  entry.isFilledByHand = false;
  become(context, set, entry, 'INV_OWNER');
}

/** Gives the content after a manual first touch; the object stays held. */
export function setObject(context: Context, set: KddmSet, entry: Entry | undefined, operation: Of<'set-object'>): Result {
  if (entry?.state !== 'INV_FILLING' || !entry.isFilledByHand) return failed('not-held');
  entry.isFilledByHand = false;
  entry.content = operation.content;
  entry.born = { epoch: context.epoch, term: entry.born.term || entry.term };
  entry.version++;
  noteUse(context, set, entry.object);
  context.changed(set, entry.object);
  set.linker.insertObject?.(entry.object, entry.content);
  become(context, set, entry, 'WRITE_OWNER');
  context.touch(set, entry);
  return DONE;
}

/** Ends the only hold; the removal follows as any other. @returns a failure, or `undefined` when it may follow */
export function releaseForRemoval(context: Context, set: KddmSet, entry: Entry | undefined): Result | undefined {
  if (entry === undefined || entry.grabbed === 0) return failed('not-held');
  if (entry.frozen > 1) return failed('busy');
  entry.frozen = 0;
  entry.grabbed = 0;
  if (entry.isFilledByHand) giveUpFilling(context, set, entry);
  return undefined;
}

/** Writes through to the device of the home. @returns the result, or `undefined` while it waits for the home */
export function sync(context: Context, set: KddmSet, entry: Entry | undefined, operation: Of<'sync-frozen'>): Result | undefined {
  if (!set.record.isFirstTouchLinked) return failed('not-supported');
  if (entry === undefined || entry.grabbed === 0 || entry.content === undefined) return failed('not-held');
  const content = set.linker.exportObject(entry.content, entry.object);
  context.send(context.home(set, entry.object), { kind: 'OBJECT_SYNC', ...addressOf(set, entry), operation: operation.id, content });
  return undefined;
}

export function onSync(context: Context, set: KddmSet, from: NodeId, message: MessageOf<'OBJECT_SYNC'>): void {
  const { object, operation, content } = message;
  const outcome = set.linker.syncObject?.(object, set.linker.importObject(content, object));
  if (outcome === LATER) context.requestSync(set, object, from, operation);
  else context.send(from, { kind: 'OBJECT_SYNC_ACK', ...addressOf(set, message), operation });
}

export function onSyncAck(context: Context, entry: Entry | undefined, operation: number): void {
  const index = entry?.waiters.findIndex(({ id, kind }) => id === operation && kind === 'sync-frozen') ?? -1;
  const [waiter] = index < 0 ? [] : (entry?.waiters.splice(index, 1) ?? []);
  if (waiter !== undefined) context.complete(waiter, DONE);
}
