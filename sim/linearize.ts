/**
 * Is a history of operations linearizable: can each be given one moment between its start and its end so that, one after the other, they are what a specification allows?
 * The search of Wing and Gong, which remembers where it has been (Lowe).
 */
export interface Operation {
  readonly startMs: number;
  /** Infinity: it may still take effect, or never does. */
  readonly endMs: number;
  /** It need not have happened at all. */
  readonly isOptional: boolean;
  /** Where it is known: of two the one with the smaller place came first. */
  readonly place?: number;
}

/** @returns the states after it; none: it is not possible then */
export type Specification<State, Op extends Operation> = (state: State, operation: Op) => readonly State[];

export type Verdict<Op> =
  | { readonly kind: 'linearizable' }
  /** The search was given up. */
  | { readonly kind: 'undecided' }
  /** The longest beginning that is possible, and what none of its ends allows. */
  | { readonly kind: 'violation'; readonly done: number; readonly blocked: readonly Op[] };

export function linearize<State, Op extends Operation>(
  operations: readonly Op[],
  initial: State,
  apply: Specification<State, Op>,
  mostSteps = 200_000,
): Verdict<Op> {
  const all = operations.toSorted((a, b) => a.startMs - b.startMs);
  const isDone = new Uint8Array(all.length);
  const seen = new Set<string>();
  let left = all.filter(({ isOptional }) => !isOptional).length;
  let steps = 0;
  let furthest = { done: -1, blocked: [] as readonly Op[] };

  const placed = all.flatMap(({ place }, index) => (place === undefined ? [] : [{ place, index }])).toSorted((a, b) => a.place - b.place);
  /** Those that may come next: nothing that is still to come has ended before they began. */
  const candidates = (): number[] => {
    let untilMs = Infinity;
    const first = placed.find(({ index }) => isDone[index] !== 1);
    const found: number[] = [];
    for (let index = 0; index < all.length; index++) {
      const operation = all[index];
      if (operation === undefined || isDone[index] === 1) continue;
      if (operation.startMs > untilMs) break;
      if (operation.place === undefined || first?.index === index) found.push(index);
      if (!operation.isOptional) untilMs = Math.min(untilMs, operation.endMs);
    }
    return found.filter((index) => (all[index]?.startMs ?? 0) <= untilMs);
  };
  const search = (state: State): boolean => {
    if (left === 0) return true;
    if (++steps > mostSteps) return false;
    const key = `${isDone.join('')}${JSON.stringify(state)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const next = candidates();
    // What must have happened first.
    const ordered = [
      ...next.filter((index) => all[index]?.isOptional === false),
      ...next.filter((index) => all[index]?.isOptional === true),
    ];
    for (const index of ordered) {
      const operation = all[index];
      if (operation === undefined) continue;
      isDone[index] = 1;
      if (!operation.isOptional) left--;
      for (const after of apply(state, operation)) if (search(after)) return true;
      isDone[index] = 0;
      if (!operation.isOptional) left++;
    }
    const done = all.length - left;
    if (done > furthest.done) furthest = { done, blocked: next.flatMap((index) => all[index] ?? []) };
    return false;
  };
  if (search(initial)) return { kind: 'linearizable' };
  return steps > mostSteps ? { kind: 'undecided' } : { kind: 'violation', ...furthest };
}
