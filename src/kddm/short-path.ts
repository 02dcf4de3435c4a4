/** What a user gets and puts without a message to anybody and without waiting. The node has looked at its lease. */
import type { ObjectId } from './identity.ts';
import type { KddmSet } from './sets.ts';
import { isReadable } from './states.ts';

/** @returns the content, frozen; `undefined`: the operation must be made by `step` */
export function getHere(set: KddmSet, object: ObjectId): unknown {
  const entry = set.entries.get(object);
  if (entry === undefined || entry.waiters.length > 0) return undefined;
  if (!isReadable(entry.state) || entry.state === 'WRITE_GHOST' || (set.record.isExclusive && entry.frozen > 0)) return undefined;
  entry.frozen++;
  return entry.content;
}

/** Ends a hold of a get where nobody waits for that. @returns whether it did */
export function putHere(set: KddmSet, object: ObjectId): boolean {
  const entry = set.entries.get(object);
  if (entry === undefined || entry.frozen <= entry.grabbed || entry.waiters.length > 0 || entry.deferred.length > 0) return false;
  entry.frozen--;
  set.linker.putObject?.(object, entry.content);
  return true;
}
