/**
 * Which sets were destroyed lately: a record that is late, or a node that has not heard of it, must not bring one back. They are reported at a reconfiguration, and
 * forgotten when the second one after the destruction is complete: messages of before have been dropped by then, and what was asked before has been asked again.
 */
import type { SetId } from './identity.ts';

/** Beyond these the oldest are forgotten. */
const MOST_SETS = 10_000;

export class DestroyedSets {
  readonly #epochs = new Map<string, number>();
  #completed = 0;

  has(namespace: number, set: SetId): boolean {
    return this.#epochs.has(`${namespace}:${set}`);
  }

  note(namespace: number, set: SetId, epoch: number): void {
    const key = `${namespace}:${set}`;
    if (!this.#epochs.has(key)) this.#epochs.set(key, epoch);
    if (this.#epochs.size <= MOST_SETS) return;
    for (const oldest of this.#epochs.keys()) {
      this.#epochs.delete(oldest);
      return;
    }
  }

  complete(epoch: number): void {
    for (const [key, since] of this.#epochs) if (since < this.#completed) this.#epochs.delete(key);
    this.#completed = epoch;
  }

  report(): [namespace: number, set: SetId, epoch: number][] {
    return [...this.#epochs].map(([key, epoch]) => {
      const [namespace = 0, set = 0] = key.split(':').map(Number);
      return [namespace, set, epoch];
    });
  }
}
