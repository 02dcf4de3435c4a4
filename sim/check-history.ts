/**
 * What may be read of one object, followed through a run: the last value put, whoever asks, wherever. What cannot be known (a removal that is under way, a put whose
 * node died before it was complete) is kept as several possible worlds; each observation leaves those in which it could be made.
 */

/** A value, or that there is no object. A fresh object has the value 0. */
export type Value = number | 'absent' | 'lost';

interface Possible {
  readonly value: Value;
  /** Removals that are under way and have not taken effect. */
  readonly removals: ReadonlySet<number>;
}

interface Write {
  readonly node: number;
  /** What would be possible without it. */
  before: readonly Possible[];
}

/** What a death means to an object that nobody who lives keeps. */
export interface Loss {
  /** On more nodes than have died. */
  readonly isReplicated: boolean;
  /** Of which objects there may be no trace. */
  readonly mayForget: 'nothing' | 'fresh' | 'all';
}

export class ObjectHistory {
  readonly set: number;
  readonly object: number;
  /** It may be removed at any time because nobody has written it for long. */
  readonly #isExpiring: boolean;
  #possible: Possible[] = [{ value: 'absent', removals: new Set() }];
  /**
   * Until which operation these could be answered: an answer without an object freezes nothing, so that it may be outdated when it comes,
   * but not when the operation was started.
   */
  readonly #until = { absent: 0, lost: 0 };
  readonly #incomplete = new Map<number, Write>();
  /** What was possible before the writes of this step of a node: what it answered in the same step may have come before them. */
  #beforeStep: Possible[] = [];
  /** The last copy died: whoever asks may be told so. */
  mayBeLost = false;
  /** More nodes died at a time than there are replicas: whether there is an object is known to its home alone since, and forgotten with it. */
  isDoubtful = false;

  constructor(set: number, object: number, isExpiring: boolean) {
    this.set = set;
    this.object = object;
    this.#isExpiring = isExpiring;
  }

  /** @param id of the operation; ids grow @param latest the last operation that was started @returns a description of the violation, or `undefined` */
  observe(value: Value, id: number, latest: number): string | undefined {
    const closed = this.#closed();
    // The answer may have been made then, so that nothing follows from it.
    if ((value === 'absent' || value === 'lost') && id <= this.#until[value]) return undefined;
    this.#note(closed, latest);
    const left = closed.filter((possible) => possible.value === value || (possible.value === 'absent' && value === 0));
    if (value === 'lost') {
      if (left.length === 0 && !this.mayBeLost) return `declared lost, though ${describe(closed)}`;
      this.#possible = unique(left.length > 0 && !this.mayBeLost ? left : closed.map(({ removals }) => ({ value, removals })));
      return undefined;
    }
    if (this.#beforeStep.some((possible) => possible.value === value)) return undefined;
    if (left.length === 0) return `read ${value}, though ${describe(closed)}`;
    this.#possible = unique(left.map(({ removals }) => ({ value, removals })));
    if (value !== 'absent') this.mayBeLost = false;
    return undefined;
  }

  /** A holder of the only copy changed it on its node; others see it when the put is complete. */
  write(node: number, value: number, latest: number): void {
    this.#note(this.#closed(), latest);
    this.#beforeStep.push(...this.#closed());
    this.#incomplete.set(value, { node, before: this.#possible });
    this.#possible = unique(this.#closed().map(({ removals }) => ({ value, removals })));
    this.mayBeLost = false;
  }

  #note(closed: readonly Possible[], latest: number): void {
    if (closed.some(({ value }) => value === 'absent')) this.#until.absent = latest;
    if (this.mayBeLost || closed.some(({ value }) => value === 'lost')) this.#until.lost = latest;
  }

  stepEnds(): void {
    this.#beforeStep = [];
  }

  writeComplete(value: number): void {
    this.#incomplete.delete(value);
  }

  removalStarts(id: number): void {
    const start = ({ value, removals }: Possible): Possible => ({ value, removals: new Set([...removals, id]) });
    this.#possible = this.#possible.map(start);
    for (const write of this.#incomplete.values()) write.before = write.before.map(start);
  }

  /** @param isCertain whether it has taken effect; else nobody knows */
  removalEnds(id: number, isCertain: boolean, latest: number): void {
    this.#note(this.#closed(), latest);
    const end = (possible: readonly Possible[]): Possible[] =>
      unique(
        withRemovals(possible)
          .filter(({ removals }) => !isCertain || !removals.has(id))
          .map(({ value, removals }) => ({ value, removals: new Set([...removals].filter((other) => other !== id)) })),
      );
    this.#possible = end(this.#possible);
    for (const write of this.#incomplete.values()) write.before = end(write.before);
    if (isCertain && this.#possible.every(({ value }) => value === 'absent')) this.mayBeLost = false;
  }

  /** A node died; its writes that were not complete may be undone. @param isKept by somebody who lives */
  died(node: number, isKept: boolean, loss: Loss): void {
    for (const [value, write] of this.#incomplete) {
      if (write.node !== node) continue;
      this.#possible = unique([...this.#possible, ...write.before]);
      this.#incomplete.delete(value);
    }
    if (!loss.isReplicated) this.isDoubtful = true;
    if (this.isDoubtful && this.#possible.some(({ value }) => value === 'absent')) this.mayBeLost = true;
    if (!isKept) this.isKeptNoLonger(loss);
  }

  /** After a death nobody who lives has the content. */
  isKeptNoLonger({ isReplicated, mayForget }: Loss): void {
    if (!isReplicated) this.mayBeLost = true;
    if (mayForget === 'nothing') return;
    const fresh = this.#possible
      .filter(({ value }) => value === 0 || mayForget === 'all')
      .map(({ removals }): Possible => ({ value: 'absent', removals }));
    this.#possible = unique([...this.#possible, ...fresh]);
  }

  #closed(): Possible[] {
    const all = withRemovals(this.#possible);
    return this.#isExpiring ? unique([...all, ...all.map(({ removals }): Possible => ({ value: 'absent', removals }))]) : all;
  }
}

/** Every removal that is under way may have taken effect. */
function withRemovals(possible: readonly Possible[]): Possible[] {
  const all = [...possible];
  for (const { removals } of all) {
    for (const id of removals) {
      const next: Possible = { value: 'absent', removals: new Set([...removals].filter((other) => other !== id)) };
      if (!all.some((one) => key(one) === key(next))) all.push(next);
    }
  }
  return all;
}

function unique(possible: readonly Possible[]): Possible[] {
  return [...new Map(possible.map((one) => [key(one), one])).values()];
}

function key({ value, removals }: Possible): string {
  return `${value}:${[...removals].toSorted((a, b) => a - b).join(',')}`;
}

function describe(possible: readonly Possible[]): string {
  const values = [...new Set(possible.map(({ value }) => String(value)))];
  return `only ${values.join(' or ')} is possible`;
}
