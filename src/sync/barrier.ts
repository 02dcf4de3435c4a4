/** A barrier: it opens, for all who have come, when as many as were said have come; then it is as new. Who dies or gives up while it waits has not come. */
import { z } from 'zod';
import type { Tools } from './lock.ts';
import { answer, type Change, type Outcome } from './outcomes.ts';
import { type Claimant, type ClaimName, isNamed, type Owner, ownerSchema } from './owners.ts';

const waiter = z.object({ owner: ownerSchema, claim: z.number().int().nonnegative(), since: z.number() });

export const barrierSchema = z.object({ kind: z.literal('barrier'), parties: z.number().int().positive(), queue: z.array(waiter) });

export type BarrierState = z.infer<typeof barrierSchema>;
export type BarrierWaiter = z.infer<typeof waiter>;

/** The first who comes says how many are to come; who says something else is told. */
export function arrive(state: BarrierState | undefined, claim: BarrierWaiter, parties: number, tools: Tools): Change<BarrierState> {
  const barrier = state ?? { kind: 'barrier', parties, queue: [] };
  if (barrier.parties !== parties) return { state: barrier, answers: [answer(claim, { kind: 'mismatch', parties: barrier.parties })] };
  const come = [...barrier.queue, claim];
  if (come.length < parties - (tools.has('barrier-opens-early') ? 1 : 0)) return { state: { ...barrier, queue: come }, answers: [] };
  return { state: undefined, answers: come.map((each) => answer(each, { kind: 'passed', isSerial: each === claim })) };
}

export function withdrawFromBarrier(barrier: BarrierState, name: ClaimName): Change<BarrierState> {
  const waiting = barrier.queue.find((each) => isNamed(each, name));
  if (waiting === undefined) return { state: barrier, answers: [] };
  return { state: without(barrier, (each) => each === waiting), answers: [answer(waiting, { kind: 'withdrawn' })] };
}

export function abandonBarrier(barrier: BarrierState, isGone: (claimant: Claimant) => boolean): Change<BarrierState> {
  return { state: barrier.queue.some(isGone) ? without(barrier, isGone) : barrier, answers: [] };
}

export function removeBarrier({ queue }: BarrierState): Change<BarrierState> {
  return { state: undefined, answers: queue.map((each) => answer(each, { kind: 'removed' })) };
}

export function barrierOutcome(barrier: BarrierState, name: ClaimName): Outcome | 'waits' | undefined {
  return barrier.queue.some((each) => isNamed(each, name)) ? 'waits' : undefined;
}

export function barrierOwners({ queue }: BarrierState): readonly Owner[] {
  return queue.map(({ owner }) => owner);
}

function without(barrier: BarrierState, isGone: (waiter: BarrierWaiter) => boolean): BarrierState | undefined {
  const queue = barrier.queue.filter((each) => !isGone(each));
  return queue.length === 0 ? undefined : { ...barrier, queue };
}
