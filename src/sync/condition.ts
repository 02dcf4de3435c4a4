/** A condition variable: those who wait, in their order. A signal that nobody waits for is forgotten. */
import { z } from 'zod';
import { answer, type Change, type Outcome } from './outcomes.ts';
import { type Claimant, type ClaimName, isNamed, type Owner, ownerSchema } from './owners.ts';

const waiter = z.object({ owner: ownerSchema, claim: z.number().int().nonnegative(), since: z.number() });

export const conditionSchema = z.object({ kind: z.literal('condition'), queue: z.array(waiter) });

export type ConditionState = z.infer<typeof conditionSchema>;
export type ConditionWaiter = z.infer<typeof waiter>;

export function waitForSignal(state: ConditionState | undefined, claim: ConditionWaiter): Change<ConditionState> {
  return { state: { kind: 'condition', queue: [...(state?.queue ?? []), claim] }, answers: [] };
}

/** @param count how many are woken; Infinity: all */
export function signal(condition: ConditionState, count: number): Change<ConditionState> {
  const woken = condition.queue.slice(0, count);
  return { state: withQueue(condition.queue.slice(count)), answers: woken.map((each) => answer(each, { kind: 'signalled' })) };
}

export function withdrawFromCondition(condition: ConditionState, name: ClaimName): Change<ConditionState> {
  const waiting = condition.queue.find((each) => isNamed(each, name));
  if (waiting === undefined) return { state: condition, answers: [] };
  return {
    state: withQueue(condition.queue.filter((each) => each !== waiting)),
    answers: [answer(waiting, { kind: 'withdrawn' })],
  };
}

export function abandonCondition(condition: ConditionState, isGone: (claimant: Claimant) => boolean): Change<ConditionState> {
  const queue = condition.queue.filter((each) => !isGone(each));
  return { state: queue.length === condition.queue.length ? condition : withQueue(queue), answers: [] };
}

export function removeCondition({ queue }: ConditionState): Change<ConditionState> {
  return { state: undefined, answers: queue.map((each) => answer(each, { kind: 'removed' })) };
}

export function conditionOutcome(condition: ConditionState, name: ClaimName): Outcome | 'waits' | undefined {
  return condition.queue.some((each) => isNamed(each, name)) ? 'waits' : undefined;
}

export function conditionOwners({ queue }: ConditionState): readonly Owner[] {
  return queue.map(({ owner }) => owner);
}

function withQueue(queue: ConditionState['queue']): ConditionState | undefined {
  return queue.length === 0 ? undefined : { kind: 'condition', queue };
}
