/**
 * Turns: handlers of one group run one after the other (or at most `atATime` of them), in the order in which what they answer came. The handlers of several
 * definitions may share turns, so that all that concerns one object of one peer is handled in order.
 */
import { KorriganError } from '../linux/errors.ts';
import { DEFAULT_LIMITS } from './limits.ts';

/** Runs a handler that has its turn. @returns a promise that resolves when it has ended, undefined when it has ended already */
export type Start = () => Promise<unknown> | undefined;

interface Group {
  running: number;
  readonly waiting: Start[];
}

export class Turns {
  readonly #atATime: number;
  readonly #mayWait: number;
  readonly #groups = new Map<string, Group>();

  /** @param atATime of one group @param mayWait how many of one group are kept waiting */
  constructor(atATime = 1, mayWait = DEFAULT_LIMITS.callsOfDisabledHandler) {
    this.#atATime = atATime;
    this.#mayWait = mayWait;
  }

  /** Starts now, or when those of the group that came before have ended. @throws KorriganError KRG_LIMIT */
  enter(key: string, start: Start): void {
    const group = this.#groups.get(key) ?? { running: 0, waiting: [] };
    this.#groups.set(key, group);
    if (group.waiting.length >= this.#mayWait)
      throw new KorriganError('KRG_LIMIT', `${group.waiting.length} requests wait for their turn (${key}); no more are taken`);
    group.waiting.push(start);
    this.#go(key, group);
  }

  /** Groups in which something runs or waits. */
  get size(): number {
    return this.#groups.size;
  }

  #go(key: string, group: Group): void {
    while (group.running < this.#atATime) {
      const start = group.waiting.shift();
      if (start === undefined) break;
      group.running++;
      const ended = start();
      if (ended === undefined) group.running--;
      else
        void ended
          .catch(() => undefined)
          .then(() => {
            group.running--;
            this.#go(key, group);
          });
    }
    if (group.running === 0 && group.waiting.length === 0 && this.#groups.get(key) === group) this.#groups.delete(key);
  }
}
