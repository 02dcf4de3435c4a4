/**
 * A counting semaphore. First come, first served: a claim of many units is not starved by claims of few. It exists from its creation until it is removed. Units that were taken with
 * `undo` are given back when their owner dies, as by SEM_UNDO; others are not, as those of sem_wait(3).
 */
import { z } from 'zod';
import type { Tools } from './lock.ts';
import { type Answer, answer, type Change, type Outcome } from './outcomes.ts';
import { type Claimant, type ClaimName, isNamed, type Owner, ownerSchema } from './owners.ts';

const natural = z.number().int().nonnegative();
const waiter = z.object({ owner: ownerSchema, claim: natural, count: z.number().int().positive(), undo: z.boolean(), since: z.number() });

/** SEMVMX of a semaphore of POSIX. */
export const SEMAPHORE_MAXIMUM = 2 ** 31 - 1;

export const semaphoreSchema = z.object({
  kind: z.literal('semaphore'),
  value: natural,
  /** Who has to give units back. */
  holders: z.array(waiter),
  queue: z.array(waiter),
});

export type SemaphoreState = z.infer<typeof semaphoreSchema>;
export type SemaphoreWaiter = z.infer<typeof waiter>;

/** One that exists stays as it is. */
export function createSemaphore(state: SemaphoreState | undefined, value: number): SemaphoreState {
  return state ?? { kind: 'semaphore', value, holders: [], queue: [] };
}

export function take(semaphore: SemaphoreState, claim: SemaphoreWaiter, isTry: boolean, tools: Tools): Change<SemaphoreState> {
  if (semaphore.queue.length === 0 && suffices(semaphore, claim, tools)) return grant(semaphore, claim);
  if (isTry) return { state: semaphore, answers: [answer(claim, { kind: 'busy' })] };
  return { state: { ...semaphore, queue: [...semaphore.queue, claim] }, answers: [] };
}

/** Adds units that nobody has to have taken before. @returns `undefined` when there would be too many */
export function post(semaphore: SemaphoreState, count: number, tools: Tools): Change<SemaphoreState> | undefined {
  if (semaphore.value + count > SEMAPHORE_MAXIMUM) return undefined;
  return settle({ ...semaphore, value: semaphore.value + count }, tools);
}

/** Units that were taken with `undo` are given back. */
export function giveBack(semaphore: SemaphoreState, isGone: (claimant: Claimant) => boolean, tools: Tools): Change<SemaphoreState> {
  const gone = semaphore.holders.filter(isGone);
  if (gone.length === 0) return { state: semaphore, answers: [] };
  const units = tools.has('semaphore-not-undone') ? 0 : gone.reduce((sum, { count }) => sum + count, 0);
  const holders = semaphore.holders.filter((each) => !gone.includes(each));
  return settle({ ...semaphore, holders, value: semaphore.value + units }, tools);
}

export function withdrawFromSemaphore(semaphore: SemaphoreState, name: ClaimName, tools: Tools): Change<SemaphoreState> {
  const waiting = semaphore.queue.find((each) => isNamed(each, name));
  if (waiting === undefined) {
    const outcome = semaphoreOutcome(semaphore, name);
    const held = semaphore.holders.find((each) => isNamed(each, name));
    return { state: semaphore, answers: held === undefined || outcome === undefined || outcome === 'waits' ? [] : [answer(held, outcome)] };
  }
  const change = settle({ ...semaphore, queue: semaphore.queue.filter((each) => each !== waiting) }, tools);
  return { state: change.state, answers: [answer(waiting, { kind: 'withdrawn' }), ...change.answers] };
}

export function abandonSemaphore(semaphore: SemaphoreState, isGone: (claimant: Claimant) => boolean, tools: Tools): Change<SemaphoreState> {
  const queue = semaphore.queue.filter((each) => !isGone(each));
  const rest = queue.length === semaphore.queue.length ? semaphore : { ...semaphore, queue };
  const given = giveBack(rest, isGone, tools);
  if (given.state !== rest || rest === semaphore) return given;
  return settle(rest, tools);
}

export function removeSemaphore({ queue }: SemaphoreState): Change<SemaphoreState> {
  return { state: undefined, answers: queue.map((each) => answer(each, { kind: 'removed' })) };
}

export function semaphoreOutcome(semaphore: SemaphoreState, name: ClaimName): Outcome | 'waits' | undefined {
  if (semaphore.queue.some((each) => isNamed(each, name))) return 'waits';
  return semaphore.holders.some((each) => isNamed(each, name)) ? GRANTED : undefined;
}

export function semaphoreOwners({ holders, queue }: SemaphoreState): readonly Owner[] {
  return [...holders, ...queue].map(({ owner }) => owner);
}

const GRANTED: Outcome = { kind: 'granted', token: 0, ownerDied: false };

function suffices({ value }: SemaphoreState, { count }: SemaphoreWaiter, tools: Tools): boolean {
  return value >= count || (value > 0 && tools.has('semaphore-overdrawn'));
}

function grant(semaphore: SemaphoreState, claim: SemaphoreWaiter): Change<SemaphoreState> {
  const value = Math.max(0, semaphore.value - claim.count);
  const holders = claim.undo ? [...semaphore.holders, claim] : semaphore.holders;
  return { state: { ...semaphore, value, holders }, answers: [answer(claim, GRANTED)] };
}

function settle(changed: SemaphoreState, tools: Tools): Change<SemaphoreState> {
  let semaphore = changed;
  const answers: Answer[] = [];
  for (let next = semaphore.queue[0]; next !== undefined && suffices(semaphore, next, tools); next = semaphore.queue[0]) {
    const change = grant({ ...semaphore, queue: semaphore.queue.slice(1) }, next);
    semaphore = change.state ?? semaphore;
    answers.push(...change.answers);
  }
  return { state: semaphore, answers };
}
