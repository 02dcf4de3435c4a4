/** What is done to a table: one action on one of its objects, purely. */
import { abandonBarrier, arrive, type BarrierWaiter, removeBarrier, withdrawFromBarrier } from './barrier.ts';
import { abandonCondition, type ConditionWaiter, removeCondition, signal, waitForSignal, withdrawFromCondition } from './condition.ts';
import { abandon, acquire, isFree, type LockWaiter, release, repair, type Tools, withdraw } from './lock.ts';
import type { HasMutation } from './mutations.ts';
import { type Answer, answer, type Change } from './outcomes.ts';
import { type Claimant, type ClaimName, isNamed, type Owner } from './owners.ts';
import {
  abandonSemaphore,
  createSemaphore,
  giveBack,
  post,
  removeSemaphore,
  type SemaphoreWaiter,
  take,
  withdrawFromSemaphore,
} from './semaphore.ts';
import { isFull, type SyncObject, type Table } from './table.ts';

export type Action =
  | { readonly kind: 'acquire'; readonly claim: LockWaiter; readonly isTry: boolean }
  | { readonly kind: 'release' | 'repair'; readonly name: ClaimName }
  | { readonly kind: 'create-semaphore'; readonly value: number }
  | { readonly kind: 'take'; readonly claim: SemaphoreWaiter; readonly isTry: boolean }
  | { readonly kind: 'post'; readonly count: number }
  | { readonly kind: 'give-back'; readonly name: ClaimName }
  | { readonly kind: 'wait'; readonly claim: ConditionWaiter }
  | { readonly kind: 'signal'; readonly count: number }
  | { readonly kind: 'arrive'; readonly claim: BarrierWaiter; readonly parties: number }
  /** Numbers that nobody else gets. */
  | { readonly kind: 'reserve'; readonly count: number }
  /** The owner does not want to wait any more; if it has it already, it is told. */
  | { readonly kind: 'withdraw'; readonly name: ClaimName }
  /** The owner is gone, or (`isUnused`) gave it up before it heard that it had it. */
  | { readonly kind: 'abandon'; readonly name: ClaimName; readonly isUnused: boolean }
  /** The owner has heard the answer. */
  | { readonly kind: 'acknowledge'; readonly name: ClaimName }
  /** The thing is removed, and who waits for it is told; but not a lock that is in use. */
  | { readonly kind: 'remove' };

/** What an action that is no claim comes to. `value`: the first of the reserved numbers. */
export type ActionResult =
  | { readonly kind: 'done'; readonly value?: number }
  | { readonly kind: 'absent' }
  /** It is in use. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'too-many' };

export interface Step {
  readonly table: Table;
  readonly answers: readonly Answer[];
  readonly result: ActionResult;
}

type Outcome = Change<SyncObject> & { readonly result?: ActionResult };

/** Which node does it: what it is answered itself need not be kept. */
export interface Actor {
  readonly self: number;
  readonly has: HasMutation;
}

const ADDING: ReadonlySet<Action['kind']> = new Set(['acquire', 'create-semaphore', 'take', 'wait', 'arrive', 'reserve']);

const DONE: ActionResult = { kind: 'done' };
const ABSENT: ActionResult = { kind: 'absent' };

export function act(table: Table, key: string, action: Action, actor: Actor): Step {
  if (ADDING.has(action.kind) && isFull(table)) {
    const answers = 'claim' in action ? [answer(action.claim, { kind: 'too-many' })] : [];
    return { table, answers, result: { kind: 'too-many' } };
  }
  let { tokens } = table;
  const tools: Tools = { has: actor.has, nextToken: () => ++tokens };
  const before = table.objects.get(key);
  const { state, answers, result = DONE } = change(before, action, tools);
  const kept = keptAnswers(table, action, state, answers, actor);
  const isSame = state === before && kept === table.answers;
  return { table: isSame ? table : { tokens, objects: withObject(table.objects, key, state), answers: kept }, answers, result };
}

/** Takes everything from those who are dead. */
export function purge(table: Table, isDead: (owner: Owner) => boolean, actor: Actor): Step {
  if (actor.has('dead-not-purged')) return { table, answers: [], result: DONE };
  const isGone = ({ owner }: Claimant): boolean => isDead(owner);
  let current: Table = { ...table, answers: table.answers.filter((each) => !isGone(each)) };
  let isChanged = current.answers.length < table.answers.length;
  const answers: Answer[] = [];
  for (const [key, object] of table.objects) {
    let { tokens } = current;
    const outcome = abandonObject(object, isGone, false, { has: actor.has, nextToken: () => ++tokens });
    if (outcome.state === object) continue;
    isChanged = true;
    answers.push(...outcome.answers);
    const kept = [...current.answers, ...outcome.answers.filter((each) => isKept(each, outcome.state, actor))];
    current = { tokens, objects: withObject(current.objects, key, outcome.state), answers: kept };
  }
  return { table: isChanged ? current : table, answers, result: DONE };
}

function change(object: SyncObject | undefined, action: Action, tools: Tools): Outcome {
  switch (action.kind) {
    case 'acquire':
      return acquire(only(object, 'lock'), action.claim, action.isTry, tools);
    case 'create-semaphore':
      return { state: createSemaphore(only(object, 'semaphore'), action.value), answers: [] };
    case 'wait':
      return waitForSignal(only(object, 'condition'), action.claim);
    case 'arrive':
      return arrive(only(object, 'barrier'), action.claim, action.parties, tools);
    case 'reserve': {
      const last = only(object, 'counter')?.last ?? 0;
      const next = last + (tools.has('ids-reserved-twice') ? 0 : action.count);
      return { state: { kind: 'counter', last: next }, answers: [], result: { kind: 'done', value: last + 1 } };
    }
    case 'take':
      if (object?.kind !== 'semaphore') return { state: object, answers: [answer(action.claim, { kind: 'absent' })] };
      return take(object, action.claim, action.isTry, tools);
    case 'release':
    case 'repair':
    case 'post':
    case 'give-back':
    case 'signal':
    case 'withdraw':
    case 'abandon':
    case 'acknowledge':
    case 'remove':
      return object === undefined ? { state: undefined, answers: [], result: ABSENT } : changeExisting(object, action, tools);
  }
}

type OnExisting = Action & {
  readonly kind: 'release' | 'repair' | 'post' | 'give-back' | 'signal' | 'withdraw' | 'abandon' | 'acknowledge' | 'remove';
};

function changeExisting(object: SyncObject, action: OnExisting, tools: Tools): Outcome {
  const unchanged: Outcome = { state: object, answers: [] };
  switch (action.kind) {
    case 'release':
      return object.kind === 'lock' ? release(object, action.name, tools) : unchanged;
    case 'repair':
      return object.kind === 'lock' ? { state: repair(object, action.name), answers: [] } : unchanged;
    case 'post':
      if (object.kind !== 'semaphore') return unchanged;
      return post(object, action.count, tools) ?? { ...unchanged, result: { kind: 'too-many' } };
    case 'give-back':
      return object.kind === 'semaphore' ? giveBack(object, (each) => isNamed(each, action.name), tools) : unchanged;
    case 'signal':
      return object.kind === 'condition' ? signal(object, action.count) : unchanged;
    case 'withdraw':
      return withdrawFrom(object, action.name, tools);
    case 'abandon':
      return abandonObject(object, (each) => isNamed(each, action.name), action.isUnused, tools);
    case 'acknowledge':
      return unchanged;
    case 'remove':
      return removeObject(object);
  }
}

function withdrawFrom(object: SyncObject, name: ClaimName, tools: Tools): Change<SyncObject> {
  switch (object.kind) {
    case 'lock':
      return withdraw(object, name, tools);
    case 'semaphore':
      return withdrawFromSemaphore(object, name, tools);
    case 'condition':
      return withdrawFromCondition(object, name);
    case 'barrier':
      return withdrawFromBarrier(object, name);
    case 'counter':
      return { state: object, answers: [] };
  }
}

function abandonObject(object: SyncObject, isGone: (claimant: Claimant) => boolean, isUnused: boolean, tools: Tools): Change<SyncObject> {
  switch (object.kind) {
    case 'lock':
      return abandon(object, isGone, isUnused, tools);
    case 'semaphore':
      return abandonSemaphore(object, isGone, tools);
    case 'condition':
      return abandonCondition(object, isGone);
    case 'barrier':
      return abandonBarrier(object, isGone);
    case 'counter':
      return { state: object, answers: [] };
  }
}

function removeObject(object: SyncObject): Outcome {
  switch (object.kind) {
    case 'lock':
      return isFree(object) ? { state: undefined, answers: [] } : { state: object, answers: [], result: { kind: 'busy' } };
    case 'semaphore':
      return removeSemaphore(object);
    case 'condition':
      return removeCondition(object);
    case 'barrier':
      return removeBarrier(object);
    case 'counter':
      return { state: object, answers: [] };
  }
}

/** A kind is part of the key: another kind there is a fault, and taken for nothing. */
function only<Kind extends SyncObject['kind']>(object: SyncObject | undefined, kind: Kind): (SyncObject & { kind: Kind }) | undefined {
  return object?.kind === kind ? (object as SyncObject & { kind: Kind }) : undefined;
}

function withObject(objects: Table['objects'], key: string, state: SyncObject | undefined): Table['objects'] {
  const changed = new Map(objects);
  if (state === undefined) changed.delete(key);
  else changed.set(key, state);
  return changed;
}

/** An owner elsewhere is told, and may not hear it: what the object itself does not say is kept until it is acknowledged. */
function isKept({ owner, claim, outcome }: Answer, state: SyncObject | undefined, { self, has }: Actor): boolean {
  if (owner.node === self || has('answer-not-kept')) return false;
  const name = { node: owner.node, life: owner.life, claim };
  const isHolder = (state?.kind === 'lock' || state?.kind === 'semaphore') && state.holders.some((each) => isNamed(each, name));
  return outcome.kind !== 'granted' || !isHolder;
}

function keptAnswers(
  { answers }: Table,
  action: Action,
  state: SyncObject | undefined,
  made: readonly Answer[],
  actor: Actor,
): Table['answers'] {
  const added = made.filter((each) => isKept(each, state, actor));
  const isOver = action.kind === 'acknowledge' || action.kind === 'withdraw' || action.kind === 'abandon';
  const left = isOver ? answers.filter((each) => !isNamed(each, action.name)) : answers;
  return added.length === 0 && left.length === answers.length ? answers : [...left, ...added];
}
