/** Sets that are made and destroyed in a run: one that was destroyed is never seen again; one that was made is found until somebody destroys it. */
import type { Result, SetRecord } from '../src/kddm/index.ts';

interface Life {
  /** Operations that were started later come after it. */
  createdAt: number;
  destroyStartedAt: number;
  destroyedAt: number;
}

export class SetLives {
  readonly #lives = new Map<number, Life>();
  /** After a death a set may be gone with all that knew of it. */
  hasDied = false;

  constructor(records: readonly SetRecord[]) {
    for (const { set } of records)
      this.#lives.set(set, {
        createdAt: Number.POSITIVE_INFINITY,
        destroyStartedAt: Number.POSITIVE_INFINITY,
        destroyedAt: Number.POSITIVE_INFINITY,
      });
  }

  /** @param id of the operation; ids grow */
  destroyStarts(set: number, id: number): void {
    const life = this.#lives.get(set);
    if (life !== undefined) life.destroyStartedAt = Math.min(life.destroyStartedAt, id);
  }

  /** @param latest the last operation that was started */
  ended(kind: 'create-set' | 'destroy-set', set: number, result: Result, latest: number): void {
    const life = this.#lives.get(set);
    if (life === undefined || result.kind !== 'done') return;
    if (kind === 'create-set') life.createdAt = Math.min(life.createdAt, latest);
    else life.destroyedAt = Math.min(life.destroyedAt, latest);
  }

  /** Somebody used the set, or found it. @returns a description of the violation, or `undefined` */
  seen(set: number, id: number): string | undefined {
    const life = this.#lives.get(set);
    return life !== undefined && id > life.destroyedAt ? `set ${set} was destroyed, and #${id} has found it` : undefined;
  }

  notFound(set: number, id: number): string | undefined {
    const life = this.#lives.get(set);
    const isThere = life !== undefined && id > life.createdAt && life.destroyStartedAt === Number.POSITIVE_INFINITY;
    return isThere && !this.hasDied ? `set ${set} is there, and #${id} has not found it` : undefined;
  }
}
