/** Objects of sets with a time to live: when its owner has not written an object for so long, nor received it, the object is removed. */
import type { Context } from './context.ts';
import type { ObjectId } from './identity.ts';
import { removeAsOwner } from './removal.ts';
import type { KddmSet } from './sets.ts';
import type { State } from './states.ts';

/** Those in which an object is here and quiet. */
const OWNED: ReadonlySet<State> = new Set(['READ_OWNER', 'WRITE_OWNER', 'WRITE_GHOST']);

/** Removes what has been here for too long. What is in use is looked at later. */
export function expire(context: Context, set: KddmSet): void {
  const { timeToLive } = set.record;
  if (timeToLive === undefined) return;
  const due: ObjectId[] = [];
  for (const [object, since] of set.lastUse) {
    if (context.now - since < timeToLive) break;
    due.push(object);
  }
  for (const object of due) {
    set.lastUse.delete(object);
    const entry = set.entries.get(object);
    if (entry === undefined || !OWNED.has(entry.state)) continue;
    const isIdle = entry.frozen === 0 && entry.waiters.length === 0 && entry.deferred.length === 0 && entry.pendingBackups.length === 0;
    if (!isIdle) {
      set.lastUse.set(object, context.now);
      continue;
    }
    context.statistics.expired++;
    removeAsOwner(context, set, entry, undefined);
  }
}
