/** Which objects are moved most, in bounded memory: space-saving counters (Metwally, Agrawal, El Abbadi 2005). */
import type { ObjectId, SetId } from './identity.ts';

export interface HotObject {
  readonly namespace: number;
  readonly set: SetId;
  readonly object: ObjectId;
  /** How often it was counted, at most. */
  readonly count: number;
  /** By so much the count may be too high. */
  readonly error: number;
}

interface Counter {
  readonly namespace: number;
  readonly set: SetId;
  readonly object: ObjectId;
  count: number;
  error: number;
}

const MOST_COUNTERS = 128;

/** What was counted more often than one time in 128 is among them. */
export class HotObjects {
  readonly #counters = new Map<string, Counter>();

  count(namespace: number, set: SetId, object: ObjectId): void {
    const key = `${namespace}:${set}:${object}`;
    const known = this.#counters.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    let replaced = 0;
    if (this.#counters.size >= MOST_COUNTERS) {
      const [least] = [...this.#counters].reduce((a, b) => (b[1].count < a[1].count ? b : a));
      replaced = this.#counters.get(least)?.count ?? 0;
      this.#counters.delete(least);
    }
    this.#counters.set(key, { namespace, set, object, count: replaced + 1, error: replaced });
  }

  /** @returns the hottest first */
  top(most: number): HotObject[] {
    return [...this.#counters.values()]
      .toSorted((a, b) => b.count - a.count)
      .slice(0, most)
      .map((counter) => ({ ...counter }));
  }
}
