/** What locks and semaphores are, sequentially: written down anew, without a queue, a table or a node. */
import type { Operation } from './linearize.ts';

type Mode = 'shared' | 'exclusive';

/** `of`: the number of the operation that got it. */
export type LockOperation = Operation &
  (
    | {
        readonly kind: 'acquire';
        readonly number: number;
        readonly mode: Mode;
        /** What the client was told, if it was. */
        readonly told: { readonly token: number; readonly ownerDied: boolean } | undefined;
      }
    | { readonly kind: 'release' | 'repair'; readonly of: number }
    /** `marks`: the owner may have changed what the lock guards. */
    | { readonly kind: 'death'; readonly of: number; readonly marks: 'yes' | 'no' | 'maybe' }
    | { readonly kind: 'busy'; readonly mode: Mode; readonly hadRival: boolean }
    | { readonly kind: 'not-recoverable' }
    | { readonly kind: 'removed' }
  );

export interface LockValue {
  readonly holders: readonly (readonly [number: number, mode: Mode])[];
  readonly condition: 'consistent' | 'inconsistent' | 'not-recoverable';
  readonly token: number;
}

export const FREE_LOCK: LockValue = { holders: [], condition: 'consistent', token: 0 };

function admits({ holders }: LockValue, mode: Mode): boolean {
  return holders.length === 0 || (mode === 'shared' && holders.every(([, held]) => held === 'shared'));
}

export function lockSpecification(lock: LockValue, operation: LockOperation): readonly LockValue[] {
  const { holders, condition } = lock;
  switch (operation.kind) {
    case 'acquire': {
      const { told, number, mode } = operation;
      if (condition === 'not-recoverable' || !admits(lock, mode)) return [];
      const after = [...holders, [number, mode] as const].toSorted(([a], [b]) => a - b);
      if (told === undefined) return [{ ...lock, holders: after }];
      const isTrue = told.token > lock.token && told.ownerDied === (condition === 'inconsistent');
      return isTrue ? [{ ...lock, holders: after, token: told.token }] : [];
    }
    case 'release': {
      const held = holders.find(([number]) => number === operation.of);
      if (held === undefined) return [];
      const isUnrepaired = condition === 'inconsistent' && held[1] === 'exclusive';
      return [{ ...lock, holders: without(holders, operation.of), condition: isUnrepaired ? 'not-recoverable' : condition }];
    }
    case 'repair':
      if (!holders.some(([number]) => number === operation.of)) return [];
      return [{ ...lock, condition: condition === 'inconsistent' ? 'consistent' : condition }];
    case 'death': {
      const held = holders.find(([number]) => number === operation.of);
      if (held === undefined) return [];
      const unmarked = { ...lock, holders: without(holders, operation.of) };
      const isMarking = held[1] === 'exclusive' && condition === 'consistent';
      const marked: LockValue = isMarking ? { ...unmarked, condition: 'inconsistent' } : unmarked;
      if (operation.marks === 'maybe') return [marked, unmarked];
      return [operation.marks === 'yes' ? marked : unmarked];
    }
    case 'busy':
      return !admits(lock, operation.mode) || operation.hadRival ? [lock] : [];
    case 'not-recoverable':
      return condition === 'not-recoverable' ? [lock] : [];
    case 'removed':
      return holders.length === 0 ? [{ ...lock, condition: 'consistent' }] : [];
  }
}

function without(holders: LockValue['holders'], number: number): LockValue['holders'] {
  return holders.filter(([each]) => each !== number);
}

export type SemaphoreOperation = Operation &
  (
    | { readonly kind: 'create'; readonly value: number }
    | { readonly kind: 'take'; readonly number: number; readonly count: number }
    | { readonly kind: 'give-back'; readonly of: number }
    | { readonly kind: 'post'; readonly count: number }
    | { readonly kind: 'busy'; readonly count: number; readonly hadRival: boolean }
  );

export interface SemaphoreValue {
  /** -1: it does not exist. */
  readonly value: number;
  readonly taken: readonly (readonly [number: number, count: number])[];
}

export const NO_SEMAPHORE: SemaphoreValue = { value: -1, taken: [] };

export function semaphoreSpecification(semaphore: SemaphoreValue, operation: SemaphoreOperation): readonly SemaphoreValue[] {
  const { value, taken } = semaphore;
  if (value < 0) return operation.kind === 'create' ? [{ value: operation.value, taken: [] }] : [];
  switch (operation.kind) {
    case 'create':
      return [semaphore];
    case 'take': {
      const { number, count } = operation;
      if (value < count) return [];
      return [{ value: value - count, taken: [...taken, [number, count] as const].toSorted(([a], [b]) => a - b) }];
    }
    case 'give-back': {
      const held = taken.find(([number]) => number === operation.of);
      if (held === undefined) return [];
      return [{ value: value + held[1], taken: taken.filter((each) => each !== held) }];
    }
    case 'post':
      return [{ ...semaphore, value: value + operation.count }];
    case 'busy':
      return value < operation.count || operation.hadRival ? [semaphore] : [];
  }
}
