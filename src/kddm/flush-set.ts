/** Evictions of more than one object. */
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import type { SetOperation } from './operations.ts';
import type { KddmSet } from './sets.ts';

/** Evicts what is here of a set; the answer says how many objects stayed. */
export function flushSet(context: Context, set: KddmSet, operation: SetOperation & { readonly kind: 'flush-set' }): void {
  const objects = [...set.entries.values()].filter(({ content }) => content !== undefined).map(({ object }) => object);
  let pending = objects.length;
  let kept = 0;
  if (pending === 0) return context.complete(operation, { kind: 'done', content: 0 });
  for (const object of objects) {
    const destination = operation.destination?.(object);
    context.perform(set, { kind: 'flush', object, ...(destination !== undefined && { destination }) }, (result) => {
      if (result.kind === 'failed' && result.code !== 'no-entry') kept++;
      if (--pending === 0) context.complete(operation, { kind: 'done', content: kept });
    });
  }
}

/** Before a node leaves, copies of which there are others go: they need not be reported, and no content travels. @returns how many are still here */
export function evictCopies(context: Context, sets: readonly KddmSet[]): number {
  let left = 0;
  for (const set of sets) {
    for (const entry of set.entries.values()) {
      if (!hasOthers(entry)) continue;
      left++;
      if (entry.frozen === 0 && entry.waiters.length === 0) context.perform(set, { kind: 'flush', object: entry.object }, () => undefined);
    }
  }
  return left;
}

function hasOthers({ state, copyset }: Entry): boolean {
  return state === 'READ_COPY' || (state === 'READ_OWNER' && copyset.size > 0);
}
