/** Operations at an entry: how they begin, wait and are looked at again. */
import type { NodeId } from '../rpc/index.ts';
import { attempt } from './client.ts';
import { type Context, entryOf } from './context.ts';
import type { Entry } from './entry.ts';
import { find, put, releaseForRemoval, setObject, sync } from './holds.ts';
import type { Message } from './messages.ts';
import { failed, type ObjectOperation } from './operations.ts';
import { isDoubtful, type KddmSet } from './sets.ts';

export function startOperation(context: Context, set: KddmSet, operation: ObjectOperation): void {
  const entry = set.entries.get(operation.object);
  switch (operation.kind) {
    case 'put':
      return put(context, set, entry, operation);
    case 'find':
      return context.complete(operation, find(context, set, entry, operation));
    case 'set-object':
      return context.complete(operation, setObject(context, set, entry, operation));
    case 'remove-frozen': {
      const failure = releaseForRemoval(context, set, entry);
      if (failure !== undefined) return context.complete(operation, failure);
      return enqueue(context, set, { ...operation, kind: 'remove', since: context.epoch });
    }
    case 'sync-frozen': {
      const failure = sync(context, set, entry, operation);
      if (failure !== undefined) context.complete(operation, failure);
      else entry?.waiters.push(operation);
      return;
    }
    case 'flush':
      if (entry === undefined) return context.complete(operation, failed('no-entry'));
      return enqueue(context, set, operation);
    case 'remove':
      return enqueue(context, set, { ...operation, since: operation.since ?? context.epoch });
    case 'get':
    case 'grab':
      return enqueue(context, set, operation);
  }
}

function enqueue(context: Context, set: KddmSet, operation: ObjectOperation): void {
  const entry = entryOf(context, set, operation.object, isDoubtful(set, operation.object, context.doubts));
  entry.waiters.push(operation);
  attemptWaiting(context, set, entry, operation);
  if (operation.kind !== 'get' && operation.kind !== 'grab') return;
  if (entry.waiters.includes(operation)) context.statistics.misses++;
  else context.statistics.hits++;
}

function attemptWaiting(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation): void {
  const result = attempt(context, set, entry, operation);
  if (result === undefined) return;
  const index = entry.waiters.indexOf(operation);
  if (index >= 0) entry.waiters.splice(index, 1);
  context.complete(operation, result);
}

/** The entry has changed. Who waits here has its chance before what other nodes asked for. */
export function look(context: Context, set: KddmSet, entry: Entry, dispatch: (from: NodeId, message: Message) => void): void {
  const isHere = (): boolean => set.entries.get(entry.object) === entry;
  const serveDeferred = (): void => {
    for (const { from, message } of entry.deferred.splice(0)) dispatch(from, message);
  };
  if (context.has('pinned-not-honoured') && isHere()) serveDeferred();
  for (const operation of entry.waiters.slice()) {
    if (isHere() && entry.waiters.includes(operation)) attemptWaiting(context, set, entry, operation);
  }
  if (isHere()) serveDeferred();
}
