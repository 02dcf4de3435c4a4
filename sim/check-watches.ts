/** Who watches hears of every change that was made while it did, in the end. */
import type { NodeId, ObjectId } from '../src/kddm/index.ts';

interface Watch {
  readonly node: NodeId;
  readonly set: number;
  readonly object: ObjectId | undefined;
  /** It has been told to be in place. */
  isOn: boolean;
  /** Changes of which it has not heard, and when they were made. */
  readonly unheard: Map<ObjectId, number>;
}

export class WatchedChanges {
  readonly #watches = new Map<number, Watch>();
  heard = 0;

  started(watch: number, node: NodeId, set: number, object: ObjectId | undefined): void {
    this.#watches.set(watch, { node, set, object, isOn: false, unheard: new Map() });
  }

  completed(watch: number, isDone: boolean): void {
    const known = this.#watches.get(watch);
    if (known === undefined) return;
    if (isDone) known.isOn = true;
    else this.#watches.delete(watch);
  }

  /** A value was put, or an object removed. */
  changed(set: number, object: ObjectId, nowMs: number): void {
    for (const watch of this.#watches.values()) {
      if (watch.isOn && watch.set === set && (watch.object ?? object) === object) watch.unheard.set(object, nowMs);
    }
  }

  told(watch: number, objects: readonly ObjectId[]): void {
    const known = this.#watches.get(watch);
    if (known === undefined) return;
    this.heard++;
    if (objects.length === 0) known.unheard.clear();
    for (const object of objects) known.unheard.delete(object);
  }

  /** The node is gone, and all that it watched. */
  gone(node: NodeId): void {
    for (const [id, watch] of this.#watches) if (watch.node === node) this.#watches.delete(id);
  }

  /** The set is gone. */
  destroyed(set: number): void {
    for (const [id, watch] of this.#watches) if (watch.set === set) this.#watches.delete(id);
  }

  /** @returns a description of a change of which somebody has not heard; `undefined`: there is none */
  missing(): string | undefined {
    for (const [id, { node, set, unheard }] of this.#watches) {
      for (const [object, atMs] of unheard)
        return `watch #${id} of node ${node} was not told that ${set}/${object} changed at ${atMs.toFixed(1)}`;
    }
    return undefined;
  }
}
