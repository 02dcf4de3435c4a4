/** Linkers whose contents are made, or written to a device, by something that takes time. */
import type { ObjectId } from '../identity.ts';
import { type IoLinker, LATER } from '../linker.ts';

const SLOW = Symbol('slow');

export interface SlowLinkerOptions<Content> extends Omit<IoLinker<Content>, 'firstTouch' | 'syncObject'> {
  /** Makes the content of an object that does not exist yet. When it fails it is called again a second later. */
  readonly makeContent: (object: ObjectId) => Promise<Content>;
  /** Writes the content to the device of the home. When it fails it is called again a second later. */
  readonly writeContent?: (object: ObjectId, content: Content) => Promise<void>;
}

export interface SlowLinker<Content> extends IoLinker<Content> {
  readonly [SLOW]: true;
  makeContent(object: ObjectId): Promise<Content>;
  /** Writes the oldest content of the object that was to be written. */
  written(object: ObjectId): Promise<void>;
}

export function isSlow(linker: IoLinker<unknown>): linker is SlowLinker<unknown> {
  return SLOW in linker;
}

/** A linker of a set whose objects take time to be made or written. */
export function slowLinker<Content>(options: SlowLinkerOptions<Content>): SlowLinker<Content> {
  const { makeContent, writeContent, ...callbacks } = options;
  const toWrite = new Map<ObjectId, Content[]>();
  return {
    ...callbacks,
    [SLOW]: true,
    makeContent,
    firstTouch: () => LATER,
    ...(writeContent && {
      syncObject: (object, content) => {
        toWrite.set(object, [...(toWrite.get(object) ?? []), content]);
        return LATER;
      },
    }),
    written: async (object) => {
      const [content, ...later] = toWrite.get(object) ?? [];
      if (content === undefined) return;
      await writeContent?.(object, content);
      if (later.length > 0) toWrite.set(object, later);
      else toWrite.delete(object);
    },
  };
}
