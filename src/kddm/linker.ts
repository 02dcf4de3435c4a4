/**
 * IO linkers: what tells kddm how the objects of a set are created, carried and destroyed. Callbacks are synchronous; a first touch or a sync that
 * takes time returns LATER, and the shell, which sees the effect, answers with an event.
 */
import type { NodeId } from '../rpc/index.ts';
import type { ObjectId } from './identity.ts';
import type { State } from './states.ts';

/** The callback has begun something that ends with a `filled` or `synced` event. */
export const LATER = Symbol('later');

/** The callbacks of one type of object. `Content` is its form in memory; `undefined` is not a content. */
export interface IoLinker<Content> {
  /** Stands in set records; the same on all nodes. */
  readonly name: string;
  /** A set with this linker came to be known here. */
  instantiate?(set: number): void;
  /** The set is destroyed. */
  uninstantiate?(set: number): void;
  /** Makes the content of an object that does not exist yet. */
  firstTouch(object: ObjectId): Content | typeof LATER;
  /** The form in which the content travels. */
  exportObject(content: Content, object: ObjectId): Uint8Array;
  /** @throws when the bytes are not a content of this linker */
  importObject(bytes: Uint8Array, object: ObjectId): Content;
  /** A content came here and may be used. */
  insertObject?(object: ObjectId, content: Content): void;
  /** The copy here is not valid any more. */
  invalidateObject?(object: ObjectId, content: Content): void;
  /** The copy here was evicted. */
  flushObject?(object: ObjectId, content: Content): void;
  /** The object is removed from the whole cluster. */
  removeObject?(object: ObjectId, content: Content): void;
  /** A user has put the object. */
  putObject?(object: ObjectId, content: Content): void;
  /** Writes the content to the device of the home. */
  syncObject?(object: ObjectId, content: Content): void | typeof LATER;
  changeState?(object: ObjectId, state: State): void;
  /** The home of an object in a set of policy `custom`. */
  defaultOwner?(object: ObjectId, members: readonly NodeId[]): NodeId;
}

/** The default: raw memory of a fixed size, zeros at first, copied byte for byte. */
export function memoryLinker(sizeBytes: number, name = 'memory'): IoLinker<Uint8Array> {
  return {
    name,
    firstTouch: () => new Uint8Array(sizeBytes),
    exportObject: (content) => content.slice(),
    importObject: (bytes) => {
      if (bytes.length !== sizeBytes) throw new RangeError(`an object of ${bytes.length} bytes in a set of ${sizeBytes}`);
      return bytes.slice();
    },
  };
}
