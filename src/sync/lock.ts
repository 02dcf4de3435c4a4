/**
 * A lock for reading and writing. First come, first served: whoever comes later never passes one who waits, so that neither readers nor writers starve.
 *
 * Robust, as robust mutexes of POSIX: when an exclusive holder dies the lock is inconsistent, and whoever gets it next is told. A holder says `repair` when what the lock
 * guards is consistent again; an exclusive holder that releases the lock without it makes it not recoverable for everybody, until it is removed.
 */
import { z } from 'zod';
import type { HasMutation } from './mutations.ts';
import { type Answer, answer, type Change, type Outcome } from './outcomes.ts';
import { type Claimant, type ClaimName, isNamed, type Owner, ownerSchema } from './owners.ts';

const mode = z.enum(['shared', 'exclusive']);
const natural = z.number().int().nonnegative();
const waiter = z.object({
  owner: ownerSchema,
  claim: natural,
  mode,
  /** Milliseconds since 1970, for people. */
  since: z.number(),
});
const holder = waiter.extend({ token: natural, ownerDied: z.boolean() });

export const lockSchema = z.object({
  kind: z.literal('lock'),
  holders: z.array(holder),
  queue: z.array(waiter),
  condition: z.enum(['consistent', 'inconsistent', 'not-recoverable']),
});

export type LockMode = z.infer<typeof mode>;
export type LockState = z.infer<typeof lockSchema>;
export type LockWaiter = z.infer<typeof waiter>;
export type LockHolder = z.infer<typeof holder>;

/** What a change needs of its table. */
export interface Tools {
  readonly has: HasMutation;
  nextToken(): number;
}

const FREE: LockState = { kind: 'lock', holders: [], queue: [], condition: 'consistent' };

export function acquire(state: LockState | undefined, claim: LockWaiter, isTry: boolean, tools: Tools): Change<LockState> {
  const lock = state ?? FREE;
  if (lock.condition === 'not-recoverable') return { state: lock, answers: [answer(claim, { kind: 'not-recoverable' })] };
  const isNext = lock.queue.length === 0 || tools.has('queue-overtaken');
  if (isNext && admits(lock.holders, claim.mode, tools)) return grant(lock, claim, tools);
  if (isTry) return { state: lock, answers: [answer(claim, { kind: 'busy' })] };
  return { state: { ...lock, queue: [...lock.queue, claim] }, answers: [] };
}

/** The holder gives it up. What nobody holds is no error: its owner was taken for dead. */
export function release(lock: LockState, name: ClaimName, tools: Tools): Change<LockState> {
  const held = lock.holders.find((each) => isNamed(each, name));
  if (held === undefined) return { state: lock, answers: [] };
  const holders = lock.holders.filter((each) => each !== held);
  const isUnrepaired = lock.condition === 'inconsistent' && held.mode === 'exclusive' && !tools.has('unrepaired-release-ignored');
  if (!isUnrepaired) return settle({ ...lock, holders }, tools);
  const answers = lock.queue.map((each) => answer(each, { kind: 'not-recoverable' }));
  return { state: { ...lock, holders, queue: [], condition: 'not-recoverable' }, answers };
}

/** What the lock guards is consistent again. */
export function repair(lock: LockState, name: ClaimName): LockState {
  const isHeld = lock.holders.some((each) => isNamed(each, name));
  return isHeld && lock.condition === 'inconsistent' ? { ...lock, condition: 'consistent' } : lock;
}

/** Its owner does not wait any more. */
export function withdraw(lock: LockState, name: ClaimName, tools: Tools): Change<LockState> {
  const waiting = lock.queue.find((each) => isNamed(each, name));
  if (waiting !== undefined) {
    const outcome: Outcome = tools.has('time-out-grants') ? { kind: 'granted', token: 0, ownerDied: false } : { kind: 'withdrawn' };
    const change = settle({ ...lock, queue: lock.queue.filter((each) => each !== waiting) }, tools);
    return { state: change.state, answers: [answer(waiting, outcome), ...change.answers] };
  }
  const held = lock.holders.find((each) => isNamed(each, name));
  if (held === undefined) return { state: lock, answers: [] };
  if (tools.has('time-out-forgets-grant')) return { state: lock, answers: [answer(held, { kind: 'withdrawn' })] };
  return { state: lock, answers: [answer(held, grantedTo(held))] };
}

/** @param isUnused the owner never heard that it had the lock, so that it has changed nothing */
export function abandon(lock: LockState, isGone: (claimant: Claimant) => boolean, isUnused: boolean, tools: Tools): Change<LockState> {
  const gone = lock.holders.filter(isGone);
  const queue = lock.queue.filter((each) => !isGone(each));
  if (gone.length === 0 && queue.length === lock.queue.length) return { state: lock, answers: [] };
  const isBroken = !isUnused && lock.condition === 'consistent' && gone.some((each) => each.mode === 'exclusive');
  const condition = isBroken ? 'inconsistent' : lock.condition;
  return settle({ ...lock, queue, condition, holders: lock.holders.filter((each) => !gone.includes(each)) }, tools);
}

/** @returns whether nobody has it or waits for it, so that it can be as if it had never been used */
export function isFree({ holders, queue }: LockState): boolean {
  return holders.length === 0 && queue.length === 0;
}

/** The outcome for a claim, as far as the lock itself tells it. */
export function lockOutcome(lock: LockState, name: ClaimName): Outcome | 'waits' | undefined {
  if (lock.queue.some((each) => isNamed(each, name))) return 'waits';
  const held = lock.holders.find((each) => isNamed(each, name));
  return held && grantedTo(held);
}

export function lockOwners(lock: LockState): readonly Owner[] {
  return [...lock.holders, ...lock.queue].map(({ owner }) => owner);
}

function grantedTo({ token, ownerDied }: LockHolder): Outcome {
  return { kind: 'granted', token, ownerDied };
}

function admits(holders: readonly LockHolder[], wanted: LockMode, tools: Tools): boolean {
  if (wanted === 'shared' && tools.has('reader-beside-writer')) return true;
  return holders.length === 0 || (wanted === 'shared' && holders.every((each) => each.mode === 'shared'));
}

function grant(lock: LockState, claim: LockWaiter, tools: Tools): Change<LockState> {
  const held = { ...claim, token: tools.nextToken(), ownerDied: lock.condition === 'inconsistent' && !tools.has('death-not-told') };
  return { state: { ...lock, holders: [...lock.holders, held] }, answers: [answer(held, grantedTo(held))] };
}

/** Grants what can be granted, from the front of the queue. */
function settle(changed: LockState, tools: Tools): Change<LockState> {
  let lock = changed;
  const answers: Answer[] = [];
  for (let next = lock.queue[0]; next !== undefined && admits(lock.holders, next.mode, tools); next = lock.queue[0]) {
    const change = grant({ ...lock, queue: lock.queue.slice(1) }, next, tools);
    lock = change.state ?? lock;
    answers.push(...change.answers);
  }
  return { state: isFree(lock) && lock.condition === 'consistent' ? undefined : lock, answers };
}
