/** The creation of an object that does not exist, at the node that is allowed to. */
import { become, type Context, noteUse } from './context.ts';
import type { Entry } from './entry.ts';
import { LATER } from './linker.ts';
import { backUp } from './replicas.ts';
import type { KddmSet } from './sets.ts';

/** Creates the object of an INV_OWNER; it may take until the shell answers. */
export function fill(context: Context, set: KddmSet, entry: Entry, state: 'READ_OWNER' | 'WRITE_OWNER'): void {
  const content = set.linker.firstTouch(entry.object);
  if (content === LATER) {
    become(context, set, entry, 'INV_FILLING');
    context.requestFill(set, entry);
  } else {
    complete(context, set, entry, content, state);
  }
}

/** The content of an object in INV_FILLING is there. */
export function onFilled(context: Context, set: KddmSet, entry: Entry | undefined, content: unknown): void {
  if (entry?.state === 'INV_FILLING' && !entry.isFilledByHand) complete(context, set, entry, content, 'WRITE_OWNER');
}

function complete(context: Context, set: KddmSet, entry: Entry, content: unknown, state: 'READ_OWNER' | 'WRITE_OWNER'): void {
  entry.content = content;
  entry.born = { epoch: context.epoch, term: entry.born.term || entry.term };
  entry.version++;
  noteUse(context, set, entry.object);
  context.changed(set, entry.object);
  set.linker.insertObject?.(entry.object, content);
  become(context, set, entry, state);
  backUp(context, set, entry, undefined);
  context.touch(set, entry);
}
